"""The median and the quartiles of a few measurements. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median with its quartiles and its median absolute deviation, of ``count`` measurements."""

    median: float
    low: float
    high: float
    mad: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """That of at least one value."""
        middle = statistics.median(values)
        return cls(
            median=middle,
            low=quantile(values, 0.25),
            high=quantile(values, 0.75),
            mad=statistics.median(abs(value - middle) for value in values),
            count=len(values),
        )


def quantile(values: Sequence[float], q: float) -> float:
    """The ``q`` quantile (0 … 1), between two values by the line that joins them (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
