"""Writing results to stdout: words, JSON, sizes and seconds as people read them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO


def put(text: str = "", *, stream: TextIO | None = None) -> None:
    """One line of a result."""
    stream = stream or sys.stdout
    if stream is not None:
        # What the stream has no bytes for is shown as Python, and JSON, write it.
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


def put_json(value: Mapping[str, Any]) -> None:
    """The one JSON object of ``--json``: indented for a person, one line for a program."""
    stream = sys.stdout
    is_shown = stream is not None and stream.isatty()
    is_unicode = stream is not None and (stream.encoding or "").lower().startswith("utf")
    put(json.dumps(value, indent=2 if is_shown else None, ensure_ascii=not is_unicode))


def put_table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), stream: TextIO | None = None) -> None:
    """Rows as columns two spaces apart; the columns in ``right`` are set to the right."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        put("  ".join(cells).rstrip(), stream=stream)


def size(count: int | float) -> str:
    """Bytes as people read them, in powers of ten as Docker counts: ``640 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def seconds(value: float) -> str:
    """A duration as people read it: ``0.4 s``, ``12 s``, ``2 min 5 s``."""
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 99.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def clipped(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, with an ellipsis where it is cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def styled(text: str, code: str, stream: TextIO | None) -> str:
    """``text`` in an ANSI style (``"1;31"``) where ``stream`` is a terminal that wants it (no-color.org)."""
    if stream is None or not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def one_line(text: str) -> str:
    """The first line of ``text``, with what a terminal would obey made visible."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(c if c.isprintable() or c in "\t\xa0" else c.encode("unicode_escape").decode() for c in first)
