"""How measures grow: a line fitted through the medians at each point. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.case import Curve, Growing


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``intercept + slope * how many``: in the measure's unit, for each one more and at none."""

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """One side's measure at each point, and the line through them; none through a single point."""

    title: str
    by: str
    unit: Literal["s", "B", "n"]
    side: str
    points: tuple[tuple[int, float], ...]
    line: Line | None


def grown(growing: Growing, samples: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[Grown]:
    """Each curve of each side that was measured, the curves in their order."""
    for curve in growing.curves:
        for side, measured in samples.items():
            points = tuple(_medians(growing, curve, measured))
            if points:
                yield Grown(
                    title=curve.title, by=growing.by, unit=curve.unit, side=side, points=points, line=fitted(points)
                )


def fitted(points: Sequence[tuple[float, float]]) -> Line | None:
    """The line of least squares; ``None`` where there are not two places to lay it through."""
    if len({at for at, _ in points}) < 2:
        return None
    found = statistics.linear_regression([at for at, _ in points], [value for _, value in points])
    return Line(slope=found.slope, intercept=found.intercept)


def _medians(growing: Growing, curve: Curve, measured: Sequence[Mapping[str, float]]) -> Iterator[tuple[int, float]]:
    for point in sorted(growing.points):
        values = [
            sample[curve.measure] for sample in measured if sample[growing.by] == point and curve.measure in sample
        ]
        if values:
            yield point, statistics.median(values)
