"""What of growth is drawn: points that were measured, lines fitted to them, and how much of a slope is the engine's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagekit.report.charts import Line, lines, style
from imagekit.report.results import ALONE, OURS, Case, Growth, Unit
from imagekit.report.shown import NARROW, WIDE, Figure, Key, Table
from imagekit.report.words import amount, headed, without_figures

_SCALES: dict[Unit, tuple[float, str]] = {"s": (1.0, "seconds"), "B": (1e6, "MB"), "n": (1.0, "")}


def growth(case: Case) -> Iterator[Figure]:
    """Each measure that grows: points for each side, and a line."""
    groups: dict[tuple[str, str, Unit], list[Growth]] = {}
    for each in case.growth:
        groups.setdefault((each.title, each.by, each.unit), []).append(each)
    for (title, by, unit), found in groups.items():
        scale, name = _SCALES[unit]
        items = [_line(each, number, scale) for each, number in zip(found, _numbers(found), strict=True)]
        rows = tuple((each.side, f"{at:g}", amount(value, unit)) for each in found for at, value in each.points)
        yield Figure(
            title=headed(title),
            words=" ".join([*_slopes(found, by), *_limit(found), *_missing(case)]),
            wide=lines(items, WIDE, x_title=by, y_title=name),
            narrow=lines(items, NARROW, x_title=by, y_title=name),
            key=[
                Key(words=each.label, colour=each.style.colour, dash=each.style.dash, shape=each.style.shape)
                for each in items
            ],
            table=Table(head=("who", by, "measured"), rows=rows, right=frozenset({1, 2})),
        )


def _line(found: Growth, number: int, scale: float) -> Line:
    """The line fitted, or from point to point where none is."""
    points = tuple((at, value / scale) for at, value in found.points)
    through = points
    if found.slope is not None and found.intercept is not None:
        ends = (found.points[0][0], found.points[-1][0])
        through = tuple((at, (found.intercept + found.slope * at) / scale) for at in ends)
    return Line(label=found.side, style=style(number), through=through, points=points)


def _numbers(found: Sequence[Growth]) -> Iterator[int]:
    """By which each is styled: imagekit is number 0 where it was not measured, too."""
    others = 0
    for each in found:
        others += each.side != OURS
        yield 0 if each.side == OURS else others


def _slopes(found: Sequence[Growth], by: str) -> Iterator[str]:
    told = [
        f"{each.side}: {amount(each.slope, each.unit)} for each one more" for each in found if each.slope is not None
    ]
    yield f"{'; '.join(told)}." if told else f"By the number of {by}."


def _limit(found: Sequence[Growth]) -> Iterator[str]:
    """How much of what each one more takes is the engine's, where that was measured."""
    slopes = {each.side: each.slope for each in found if each.unit == "s"}
    ours, alone = slopes.get(OURS), slopes.get(ALONE)
    if ours is not None and alone is not None and ours > 0 and alone > 0:
        share = alone / ours
        end = "that much is the engine's" if share < 1 else "the engine is the limit"
        yield f"{ALONE} takes {100 * share:.0f} % of what {OURS} takes for each one more: {end}."


def _missing(case: Case) -> Iterator[str]:
    """Sides of which nothing could be measured, and why."""
    measured = {each.side for each in case.growth}
    reasons = {
        side: without_figures(row)
        for row in case.rows
        if row.ours is None
        for side in (row.side, row.peer)
        if side is not None and side not in measured
    }
    yield from (f"{side} {reason}." for side, reason in reasons.items())
