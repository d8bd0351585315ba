"""What came of it: a table for people, and a document for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.growth import Grown
from benchmarks.measure import CaseResult, RowResult, Verdict
from imagekit.report.results_schema import NUMBER
from imagekit.report.words import VERDICTS, amount, bound, ratio, spread

_HEAD = ("", "must", "aim", "measured", "imagekit", "peer", "rounds", "")


def table(results: Iterable[CaseResult]) -> str:
    """The rows of all cases: bounds, ratio, both medians with their quartiles, verdict."""
    lines: list[Sequence[str]] = [_HEAD]
    for result in results:
        lines += [_cells(row) for row in result.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    rows = []
    for line in lines:
        rows.append(
            "  ".join(_padded(cell, width, n) for n, (cell, width) in enumerate(zip(line, widths, strict=True)))
        )
    rows.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(row.rstrip() for row in rows)


def curves(results: Iterable[CaseResult]) -> str:
    """What grows: each side's fitted line, and what was measured at each point."""
    return "\n".join(
        f"{result.case.name}: {each.title}, {each.side}: {_line(each)}{'; '.join(_points(each))}"
        for result in results
        for each in result.growth
    )


def failures(results: Iterable[CaseResult]) -> str:
    """What went wrong, each thing once."""
    return _told(results, "failed")


def unavailable(results: Iterable[CaseResult]) -> str:
    """What could not be measured on this machine, and why; each thing once."""
    return _told(results, "unavailable")


def _told(results: Iterable[CaseResult], verdict: Verdict) -> str:
    rows = ((result.case.name, row.error) for result in results for row in result.rows if row.verdict == verdict)
    return "\n".join(dict.fromkeys(f"{name}: {error}" for name, error in rows))


def document(results: Iterable[CaseResult], **more: Any) -> dict[str, Any]:
    """All of it as JSON; a row that failed has no figures."""
    return {
        "schema": NUMBER,
        **more,
        "cases": [
            {
                "name": result.case.name,
                "title": result.case.title,
                "seconds": round(result.seconds, 1),
                "rows": [_row(row) for row in result.rows],
                "samples": result.samples,
                **({"images": dict(result.images)} if result.images else {}),
                **({"growth": [_growth(each) for each in result.growth]} if result.growth else {}),
            }
            for result in results
        ],
    }


def _row(result: RowResult) -> dict[str, Any]:
    row, figures = result.row, result.figures
    found: dict[str, Any] = {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "side": row.side,
        "peer": row.peer,
        "quantile": row.quantile,
        "must": row.must,
        "aim": row.aim,
        "verdict": result.verdict,
    }
    if figures is None:
        return {**found, "error": result.error}
    at = {"ratio": figures.ratio, "ours_at": figures.ours_at}
    theirs = asdict(figures.theirs) if figures.theirs is not None else None
    return {**found, **at, "ours": asdict(figures.ours), "theirs": theirs}


def _growth(found: Grown) -> dict[str, Any]:
    return {
        "title": found.title,
        "by": found.by,
        "unit": found.unit,
        "side": found.side,
        "points": [list(point) for point in found.points],
        "slope": found.line.slope if found.line else None,
        "intercept": found.line.intercept if found.line else None,
    }


def _line(found: Grown) -> str:
    if found.line is None:
        return ""
    each, none = (amount(value, found.unit) for value in (found.line.slope, found.line.intercept))
    return f"{each} for each one more, {none} at none: "


def _points(found: Grown) -> Iterable[str]:
    return (f"{at} {amount(value, found.unit)}" for at, value in found.points)


def _cells(result: RowResult) -> Sequence[str]:
    row, figures = result.row, result.figures
    head = (row.name, bound(row.must, row), bound(row.aim, row))
    verdict = _verdict(result.verdict)
    if figures is None:
        return (*head, "", "", "", "", verdict)
    unit = row.unit
    if figures.theirs is None:
        ours = spread(figures.ours, unit, figures.ours_at)
        return (*head, bound(figures.ratio, row), ours, "", str(figures.ours.count), verdict)
    rounds = f"{figures.ours.count}/{figures.theirs.count}"
    measured = ratio(figures.ratio)
    return (
        *head,
        measured,
        spread(figures.ours, unit, figures.ours_at),
        spread(figures.theirs, unit),
        rounds,
        verdict,
    )


def _verdict(verdict: Verdict) -> str:
    words = VERDICTS[verdict]
    return words.upper() if verdict in ("missed", "failed") else words


def _padded(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, len(_HEAD) - 1) else cell.rjust(width)
