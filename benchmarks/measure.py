"""Running cases: interleaved, one failing case stopping no other, and what comes of it as values."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.case import Case, Failed, Row
from benchmarks.growth import Grown, grown
from benchmarks.process import Unavailable
from imagekit.report.spread import Spread, quantile

Say = Callable[[str], object]
Verdict = Literal["aim", "must", "missed", "failed", "unavailable", "noted"]
Samples = dict[str, list[dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured for a row; ``ratio`` is ours to theirs, or ours where there is no peer."""

    ratio: float
    ours: Spread
    ours_at: float  # the row's quantile of ours
    theirs: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """A row with its figures, or with what went wrong."""

    row: Row
    figures: Figures | None = None
    error: str = ""
    is_unavailable: bool = False  # by what is not on this machine, so that nothing is wrong

    @property
    def verdict(self) -> Verdict:
        """The better of the two bounds that was met."""
        if self.figures is None:
            return "unavailable" if self.is_unavailable else "failed"
        for name, bound in (("aim", self.row.aim), ("must", self.row.must)):
            if bound is not None and self.figures.ratio <= bound:
                return name  # type: ignore[return-value]
        return "missed" if self.row.must is not None or self.row.aim is not None else "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """A case that ran; ``samples`` are by side, in the order of the rounds."""

    case: Case
    rows: Sequence[RowResult]
    samples: Samples = field(default_factory=dict)
    seconds: float = 0.0  # with all that was not measured
    images: Mapping[str, Any] = field(default_factory=dict)
    growth: Sequence[Grown] = ()


def run_cases(cases: Iterable[Case], *, full: bool, rounds: int | None = None, say: Say) -> Iterator[CaseResult]:
    """Run ``cases`` in their order, each given when it is done; ``rounds`` is instead of what each says for itself."""
    for case in cases:
        count = case.rounds.of(full) if rounds is None else rounds
        if count == 0:
            continue
        say(f"{case.name}: {case.title}, {count} rounds")
        yield run_case(case, count, say)


def run_case(case: Case, count: int, say: Say) -> CaseResult:
    """``count`` rounds of ``case`` after those that do not count; of one that grows, each through all its points.

    A side that fails is left out from then on, and rows that it is in have no figures; where the preparation, a
    change or a check fails, or no row is left that has all its sides, no row has.
    """
    began = time.monotonic()
    samples: Samples = {side.name: [] for side in case.sides}
    errors: dict[str, Exception] = {}
    try:
        case.prepare()
        for number in range(-case.warm_up, count * (len(case.growing.points) if case.growing else 1)):
            _round(case, number, samples, errors, say)
        images = case.images()
        kept = {name: found for name, found in samples.items() if name not in errors}
        return CaseResult(
            case=case,
            rows=[row_result(row, samples, errors, case.growing.by if case.growing else "") for row in case.rows],
            samples=kept,
            seconds=time.monotonic() - began,
            images=images,
            growth=list(grown(case.growing, kept)) if case.growing else (),
        )
    except Exception as error:
        words = _words(error)
        say(f"  FAILED: {words}")
        is_unavailable = isinstance(error, Unavailable)
        rows = [RowResult(row=row, error=words, is_unavailable=is_unavailable) for row in case.rows]
        return CaseResult(case=case, rows=rows, seconds=time.monotonic() - began)
    finally:
        try:
            case.close()
        except Exception as error:
            say(f"  at its end: {_words(error)}")


def _round(case: Case, number: int, samples: Samples, errors: dict[str, Exception], say: Say) -> None:
    case.change(number)
    at: dict[str, float] = {case.growing.by: case.growing.at(number)} if case.growing else {}
    # In each second round the other way round: what one leaves to the next, an engine's memory say, is each one's.
    # (Of a case that grows, one side takes what another has made.)
    sides = case.sides if case.growing or number % 2 == 0 else case.sides[::-1]
    for side in sides:
        if side.name in errors or number % side.every:
            continue
        try:
            measured = dict(side.measure(number))
        except Exception as error:
            errors[side.name] = error
            if all({row.side, row.peer} & set(errors) for row in case.rows):
                raise
            verdict = "UNAVAILABLE" if isinstance(error, Unavailable) else "FAILED"
            say(f"  {number:3d} {side.name} {verdict}: {_words(error)}")
            continue
        measured = {**at, **measured}
        say(f"  {number:3d} {side.name:24} " + "  ".join(f"{k} {v:,.3f}" for k, v in measured.items()))
        if number >= 0:
            samples[side.name].append({"round": number, **measured})
    case.check(number)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, Failed) else "".join(traceback.format_exception(error))


def row_result(row: Row, samples: Samples, errors: Mapping[str, Exception], by: str = "") -> RowResult:
    """``row`` of ``samples``; without figures where one of its sides is among ``errors``.

    ``by`` is what the case has more and more of, and ``row.at`` how many of it.
    """
    if row.at is not None:
        samples = {side: [each for each in found if each[by] == row.at] for side, found in samples.items()}
    for side in (row.side, row.peer):
        if side is not None and side in errors:
            error = errors[side]
            return RowResult(row=row, error=_words(error), is_unavailable=isinstance(error, Unavailable))
    try:
        ours = _values(samples[row.side], row.ours)
        theirs = _values(samples[row.peer], row.theirs) if row.peer is not None else {}
    except KeyError as error:
        return RowResult(row=row, error=f"there is no measure {error}")
    summary = Spread.of(list(ours.values()))
    if row.peer is None:
        at = quantile(list(ours.values()), row.quantile or 0.5)
        return RowResult(row=row, figures=Figures(ratio=at, ours=summary, ours_at=at, theirs=None))
    middle = Spread.of(list(theirs.values()))
    ratio = summary.median / middle.median
    if row.quantile is not None:
        ratio = quantile([ours[n] / theirs.get(n, middle.median) for n in ours], row.quantile)
    return RowResult(
        row=row,
        figures=Figures(
            ratio=ratio, ours=summary, ours_at=quantile(list(ours.values()), row.quantile or 0.5), theirs=middle
        ),
    )


def _values(samples: list[dict[str, float]], measures: Sequence[str]) -> dict[float, float]:
    return {sample["round"]: sum(sample[name] for name in measures) for sample in samples}
