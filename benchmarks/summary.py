"""Medians and spreads of a few measurements."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from imagekit.report.spread import quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What several measurements of one thing come to."""

    median: float
    low: float  # the lower quartile
    high: float  # the upper quartile
    mad: float  # median absolute deviation from the median
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """The summary of at least one value."""
        middle = statistics.median(values)
        return cls(
            median=middle,
            low=quantile(values, 0.25),
            high=quantile(values, 0.75),
            mad=statistics.median(abs(value - middle) for value in values),
            count=len(values),
        )
