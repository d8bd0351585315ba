"""Figures in words: amounts by their unit, and what a ratio means. Pure."""

from __future__ import annotations

from imagekit.report.results import Row, Unit

_SIZES = ("B", "kB", "MB", "GB")
_LESS: dict[Unit, tuple[str, str]] = {
    "s": ("× as fast", "as"),
    "B": ("× fewer bytes", "than"),
    "n": ("× fewer", "than"),
}
_MORE: dict[Unit, tuple[str, str]] = {"s": ("× the time", "of"), "B": ("× the bytes", "of"), "n": ("× as many", "as")}


def amount(value: float, unit: Unit) -> str:
    """``0.42 s``, ``41.8 s``, ``944 MB``, ``17``: three digits, bytes in powers of ten."""
    if unit == "B":
        return _bytes(value)
    if unit == "s":
        return f"{_digits(value)} s" if value < 600 else f"{value / 60:.0f} min"
    return f"{value:,.0f}" if value == int(value) else _digits(value)


def ratio(value: float) -> str:
    """``1.23``, ``0.47``, and ``1/76`` where it is small."""
    if value <= 0:
        return "0"
    if value < 0.1:
        return f"1/{1 / value:.0f}"
    return f"{value:.2f}" if value < 9.95 else f"{value:.0f}"


def relation(row: Row) -> str:
    """What the ratio of a row means: ``76 × as fast``, ``1.2 × the time``."""
    return _relation(row)[0]


def relation_to_peer(row: Row) -> str:
    """The same with the peer: ``76 × as fast as uv Dockerfile``."""
    words, joined = _relation(row)
    return f"{words} {joined} {row.peer}" if words and row.peer != row.side else words


def _relation(row: Row) -> tuple[str, str]:
    if row.ratio is None or row.peer is None:
        return "", ""
    if row.ratio <= 0:
        return "nothing", "beside"
    if 0.995 <= row.ratio <= 1.005:
        return "the same", "as"
    if row.ratio < 1:
        words, joined = _LESS[row.unit]
        times = _digits(1 / row.ratio, 2)
        return ("the same", "as") if times == "1" else (f"{times} {words}", joined)
    words, joined = _MORE[row.unit]
    return f"{row.ratio:.2f} {words}", joined


def bound(value: float | None, row: Row) -> str:
    """``must`` or ``aim`` of a row: a ratio, or an amount where there is no peer."""
    if value is None:
        return ""
    return ratio(value) if row.peer is not None else amount(value, row.unit)


def measured(row: Row) -> str:
    """The ratio of a row, or the measure itself where there is no peer."""
    return "" if row.ratio is None else bound(row.ratio, row)


def _bytes(value: float) -> str:
    for unit in _SIZES:
        if value < 999.5:
            return f"{value:.0f} B" if unit == "B" else f"{_digits(value)} {unit}"
        value /= 1000
    return f"{_digits(value)} TB"


def _digits(value: float, most: int = 3) -> str:
    """``value`` with at most ``most`` digits that say something."""
    after = most
    while after and value >= 10 ** (most - after):
        after -= 1
    text = f"{value:.{after}f}"
    return text.rstrip("0").rstrip(".") if "." in text and most < 3 else text
