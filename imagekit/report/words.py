"""Results in words: amounts by their unit, what a ratio means, verdicts, when and where. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from imagekit.report.results import Results, Row, Unit, Verdict

VERDICTS: Mapping[Verdict, str] = {
    "aim": "aim met",
    "must": "target met",
    "missed": "missed",
    "failed": "failed",
    "unavailable": "unavailable",
    "noted": "",
}
_SIZES = ("B", "kB", "MB", "GB")
_LESS: dict[Unit, tuple[str, str]] = {
    "s": ("× as fast", "as"),
    "B": ("× fewer bytes", "than"),
    "n": ("× fewer", "than"),
}
_MORE: dict[Unit, tuple[str, str]] = {"s": ("× the time", "of"), "B": ("× the bytes", "of"), "n": ("× as many", "as")}


class Compared(Protocol):
    """What a figure is of: a row of results, or one that is being measured."""

    @property
    def unit(self) -> Unit: ...

    @property
    def peer(self) -> str | None: ...


class Quartiles(Protocol):
    """The spread of what was measured."""

    @property
    def median(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def amount(value: float, unit: Unit) -> str:
    """``0.42 s``, ``41.8 s``, ``944 MB``, ``17``: three digits, bytes in powers of ten."""
    if value < 0:
        return f"-{amount(-value, unit)}"
    if unit == "B":
        return _bytes(value)
    if unit == "s":
        return f"{_digits(value)} s" if value < 600 else f"{value / 60:.0f} min"
    return f"{value:,.0f}" if value == int(value) else _digits(value)


def spread(found: Quartiles, unit: Unit, at: float | None = None) -> str:
    """``2.00 s (1.50–2.50 s)``: the median, or what is ``at`` another quantile, and the quartiles where they differ."""
    text = amount(found.median if at is None else at, unit)
    if found.low == found.high:
        return text
    low, high = amount(found.low, unit), amount(found.high, unit)
    (digits, _, name), other = low.partition(" "), high.partition(" ")[2]
    return f"{text} ({digits if name == other else low}–{high})"


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


def bound(value: float | None, row: Compared) -> str:
    """``must`` or ``aim`` of a row: a ratio, or an amount where there is no peer."""
    if value is None:
        return ""
    return ratio(value) if row.peer is not None else amount(value, row.unit)


def measured(row: Row) -> str:
    """The ratio of a row, or the measure itself where there is no peer."""
    return "" if row.ratio is None else bound(row.ratio, row)


def verdict(row: Row) -> str:
    """``aim met``, ``failed: it did not start``."""
    return _with_reason(VERDICTS[row.verdict], row)


def without_figures(row: Row) -> str:
    """Why a row has none, said of its peer: ``failed: …``, ``is not to be had there: …``."""
    return _with_reason("is not to be had there" if row.verdict == "unavailable" else "failed", row)


def when_and_where(runs: Iterable[Results]) -> str:
    """``2026-11-21 and 2026-11-22 on 2 cores (AMD EPYC)``: every day and every machine, the earliest first."""
    ordered = sorted(runs, key=lambda run: run.started)
    days = [run.started[:10] for run in ordered]
    machines = [
        f"{run.machine.get('cores', '?')} cores ({run.machine.get('cpu', 'a processor not told')})" for run in ordered
    ]
    return f"{listed(days)} on {listed(machines, 'or')}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """``a, b and c``, each once."""
    *first, end = dict.fromkeys(words)
    return f"{', '.join(first)} {last} {end}" if first else end


def headed(text: str) -> str:
    """``text`` as a heading: its first word with a capital, where it is a word."""
    return text[:1].upper() + text[1:] if re.match(r"(?!imagekit)[a-z][a-z,-]*( |$)", text) else text


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


def _with_reason(words: str, row: Row) -> str:
    return f"{words}: {row.error.strip().splitlines()[-1]}" if row.error.strip() else words


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
