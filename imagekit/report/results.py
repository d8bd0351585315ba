"""What was measured, as values: read from the documents that ``python -m benchmarks`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagekit.errors import InputError
from imagekit.report.picture import PicturedImage, pictured
from imagekit.report.results_schema import results_schema
from imagekit.report.spread import Spread

Unit = Literal["s", "B", "n"]
Verdict = Literal["aim", "must", "missed", "failed", "unavailable", "noted"]
# Names in results that whoever shows them looks for.
OURS = "imagekit"  # a side
ALONE = "docker load alone"  # a side of what grows: the engine without imagekit
SETS_OF_BUILDS = ("data", "api", "ml")  # what the names of their rows begin with; the main one first
_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; without ``ours`` it failed or could not be measured there, and ``error`` says why."""

    name: str
    title: str
    unit: Unit
    side: str
    peer: str | None
    verdict: Verdict
    must: float | None = None
    aim: float | None = None
    ratio: float | None = None  # to the peer's; without a peer the measure itself
    ours_at: float | None = None
    ours: Spread | None = None
    theirs: Spread | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a measure grows: ``points`` are how many there were, and what was measured."""

    title: str
    by: str
    unit: Unit
    side: str
    points: tuple[tuple[float, float], ...]
    slope: float | None = None
    intercept: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that was measured; ``samples`` are by side and measure."""

    name: str
    title: str
    started: str  # when its run began
    rows: tuple[Row, ...]
    samples: Mapping[str, Mapping[str, tuple[float, ...]]]
    growth: tuple[Growth, ...] = ()
    before: PicturedImage | None = None
    after: PicturedImage | None = None

    @property
    def has_figures(self) -> bool:
        """Whether any of its rows has."""
        return any(row.ours is not None for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One run of the benchmarks."""

    source: str  # the file's name
    started: str
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]
    base: str
    full: bool
    cases: tuple[Case, ...]


def read_results(text: str, source: str) -> Results:
    """The results in a document; ``InputError`` with every fault where it is none."""
    from jsonschema import Draft7Validator

    try:
        document = json.loads(text, parse_constant=_refused)
    except ValueError as error:
        raise InputError(
            f"{source} is no JSON: {error}",
            hint="name a file that python -m benchmarks wrote: benchmarks/results/*.json",
        ) from error
    faults = sorted(Draft7Validator(results_schema()).iter_errors(document), key=lambda fault: str(fault.json_path))
    if faults:
        lines = [f"{fault.json_path}: {fault.message[:200]}" for fault in faults]
        more = f" and {len(lines) - _MOST_FAULTS} more" if len(lines) > _MOST_FAULTS else ""
        raise InputError(
            f"{source} holds no results of benchmarks: {lines[0]}",
            hint="name a file that python -m benchmarks wrote: benchmarks/results/*.json",
            details="\n".join(lines[:_MOST_FAULTS]) + more if len(lines) > 1 else None,
        )
    return Results(
        source=source,
        started=document["started"],
        machine=document["machine"],
        versions=document["versions"],
        base=document.get("base", ""),
        full=document.get("full", False),
        cases=tuple(_case(case, document["started"]) for case in document["cases"]),
    )


def latest_cases(runs: Sequence[Results]) -> tuple[Case, ...]:
    """The cases of all ``runs``, those of the earliest first; of one that several have, what was measured last.

    A run in which nothing of the case could be measured takes nothing from those before it.
    """
    found: dict[str, Case] = {}
    for run in sorted(runs, key=lambda run: run.started):
        for case in run.cases:
            if case.has_figures or case.name not in found or not found[case.name].has_figures:
                found[case.name] = case
    return tuple(found.values())


def other_set(row: Row) -> str | None:
    """The set of builds that a row is of, where it is not the main one."""
    name = row.name.partition("/")[0]
    return name if name in SETS_OF_BUILDS[1:] else None


def _case(document: Mapping[str, Any], started: str) -> Case:
    images = document.get("images") or {}
    before, after = (pictured(images[side]) if side in images else None for side in ("before", "after"))
    return Case(
        name=document["name"],
        title=document["title"],
        started=started,
        rows=tuple(_row(row) for row in document["rows"]),
        samples={side: _measures(samples) for side, samples in document["samples"].items()},
        growth=tuple(_growth(each) for each in document.get("growth") or ()),
        before=before,
        after=after,
    )


def _measures(samples: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    names = dict.fromkeys(name for sample in samples for name in sample if name != "round")
    return {name: tuple(sample[name] for sample in samples if name in sample) for name in names}


def _row(document: Mapping[str, Any]) -> Row:
    plain = {name: document[name] for name in ("name", "title", "unit", "side", "peer", "verdict", "must", "aim")}
    if document["verdict"] in ("failed", "unavailable"):
        return Row(**plain, error=document["error"])
    return Row(
        **plain,
        ratio=document["ratio"],
        ours_at=document["ours_at"],
        ours=_spread(document["ours"]),
        theirs=_spread(document["theirs"]) if document["theirs"] is not None else None,
    )


def _spread(document: Mapping[str, Any]) -> Spread:
    return Spread(**{name: document[name] for name in ("median", "low", "high", "mad", "count")})


def _growth(document: Mapping[str, Any]) -> Growth:
    plain = {name: document[name] for name in ("title", "by", "unit", "side")}
    return Growth(
        **plain,
        points=tuple(sorted((at, value) for at, value in document["points"])),
        slope=document.get("slope"),
        intercept=document.get("intercept"),
    )


def _refused(constant: str) -> float:
    """``NaN`` and ``Infinity``, which Python's reader would take, and no chart has a place for."""
    raise ValueError(f"{constant} is no number of JSON")
