"""What is measured, as values: a case, its sides, and the rows of the table that it fills.

A case is declared once. Each of its rounds changes something for all sides, then measures one side after the
other (A B A B …), then looks whether each did what it should. A side gives one or more measures from a
round, so that a build and the push after it are two rows and one run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.process import Failed
from imagekit.report.results import OURS

__all__ = ["OURS", "PEER", "Case", "Curve", "Failed", "Growing", "Measures", "Rounds", "Row", "Side"]

Measures = Mapping[str, float]  # by name: seconds, or bytes
PEER = "uv Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a measure of ours as a ratio of the peer's, or, without a peer, the measure itself.

    Several measures (``("build", "push")``) are summed. The ratio is that of the medians; where ``quantile`` is given,
    it is that quantile of the ratios of single rounds (of ours to the peer's median, where the peer was not measured
    in that round).
    """

    name: str
    title: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...] = ()
    must: float | None = None  # the ratio, or the measure, may be no higher
    aim: float | None = None
    side: str = OURS
    peer: str | None = PEER
    unit: Literal["s", "B", "n"] = "s"  # n: a number of things
    quantile: float | None = None
    at: int | None = None  # of a case that grows: of this point alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Who is measured: ``measure(round)`` does it once. ``every``: in each, or each second, third … round."""

    name: str
    measure: Callable[[int], Measures]
    every: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How often, in ``make bench`` and in ``make bench-full``; 0 leaves the case to the latter."""

    quick: int
    full: int

    def of(self, full: bool) -> int:
        return self.full if full else self.quick


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A measure whose growth is told, with a line fitted, of each side that has it."""

    title: str
    measure: str
    unit: Literal["s", "B", "n"] = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """What a case has more and more of: ``by`` names it (``packages``), a round goes through all ``points``."""

    by: str
    points: tuple[int, ...]
    curves: tuple[Curve, ...]

    def at(self, number: int) -> int:
        """The point of one of the numbers that ``change``, ``measure`` and ``check`` are called with."""
        return self.points[number % len(self.points)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is measured. Everything it needs is made in ``prepare``, in no round's time, and what would take
    time from other cases is ended by ``close``, whatever happened.

    ``change(round)`` alters the world before a round; ``check(round)`` raises :class:`Failed` where a side did not do
    what it should; then the case has no figures at all.
    """

    name: str
    title: str
    rows: Sequence[Row]
    sides: Sequence[Side]
    rounds: Rounds
    prepare: Callable[[], object] = lambda: None
    change: Callable[[int], object] = lambda _: None
    check: Callable[[int], object] = lambda _: None
    close: Callable[[], object] = lambda: None
    warm_up: int = 0  # rounds that do not count
    growing: Growing | None = None  # then a round is as many, numbered on, as there are points
    # An image of ours ``before`` the last change and ``after`` it, as ``imagekit inspect --json`` tells it.
    images: Callable[[], Mapping[str, Any]] = dict

    @property
    def group(self) -> str:
        """``data-peers`` of ``data-peers-cold``, ``data`` of ``data-cold``: cases go on with what their group made."""
        first, _, rest = self.name.partition("-")
        return f"{first}-peers" if rest.startswith("peers-") else first
