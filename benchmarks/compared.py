"""What another run measured, row by row: before → now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from imagekit.errors import InputError
from imagekit.report.results import Case, Growth, Results, Row, read_results
from imagekit.report.words import amount, measured


def earlier(paths: Iterable[Path]) -> list[Results]:
    """The results that can be read; those of another shape are none to compare with."""
    found = []
    for path in paths:
        with suppress(InputError, OSError, UnicodeDecodeError):
            found.append(read_results(path.read_text("utf-8"), path.name))
    return found


def compared(before: Sequence[Results], now: Results) -> str:
    """A line for each row of ``now`` that was measured before: the ratio, and what it is the ratio of.

    Then one for each line that was fitted: what each one more takes.
    """
    known: dict[str, Row] = {}
    slopes: dict[str, Growth] = {}
    for run in sorted(before, key=lambda run: run.started):
        known.update({row.name: row for row in _rows(run.cases)})
        slopes.update(_slopes(run.cases))
    lines = [
        (row.name, _moved(measured(known[row.name]), measured(row)), _moved(_own(known[row.name]), _own(row)))
        for row in _rows(now.cases)
        if row.name in known
    ]
    lines += [
        (name, f"{_moved(_each(slopes[name]), _each(found))} for each one more", "")
        for name, found in _slopes(now.cases).items()
        if name in slopes
    ]
    widths = [max(len(line[n]) for line in lines) for n in range(3)] if lines else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _rows(cases: Iterable[Case]) -> list[Row]:
    return [row for case in cases for row in case.rows if row.ratio is not None]


def _slopes(cases: Iterable[Case]) -> dict[str, Growth]:
    return {
        f"{case.name}: {each.title}, {each.side}": each
        for case in cases
        for each in case.growth
        if each.slope is not None
    }


def _each(found: Growth) -> str:
    return amount(found.slope or 0.0, found.unit)


def _own(row: Row) -> str:
    return amount(row.ours_at or 0.0, row.unit) if row.peer is not None else ""


def _moved(before: str, now: str) -> str:
    return f"{before} → {now}" if before or now else ""
