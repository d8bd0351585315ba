"""What steps cost: as they were measured here, else by what they cost on another machine. Pure.

The rates are of this project's own benchmarks, on 2 cores (docs/advise.md tells each): so they are orders of
magnitude on any other machine, and every figure of theirs is said to be an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagekit.advising.values import Costs, Facts, Figure

if TYPE_CHECKING:
    from imagekit.advising.measure import Measured

ESTIMATED, MEASURED = "estimated", "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Something that was measured once, elsewhere; ``value`` is in seconds, or seconds for each megabyte (10**6)."""

    value: float
    what: str
    source: str


START = Rate(value=0.427, what="run of an empty flow", source="14 pairs beside docker run")
KEPT_EXTRAS = Rate(
    value=0.03, what="finding the image that has the extra packages", source="processor time, 9 pairs of runs"
)
INSTALL = Rate(
    value=0.22,
    what="pip installing 1 MB of wheels, with bytecode, without the download",
    source="19 s of processor time for the 87 MB of scikit-learn and matplotlib",
)
INSTALLER = Rate(value=0.78, what="pip installing one small wheel", source="processor time, 7 installations of six")
ASK = Rate(
    value=0.02,
    what="asking a repository on the same disk for its commit, whose files are kept",
    source="git ls-remote, a busy machine",
)
FETCH = Rate(value=0.2, what="a commit's files from a repository on the same disk", source="5 rounds, a busy machine")
BUILD = Rate(
    value=34.8 / 846,
    what="first build, for each MB of layers, with fetching and loading",
    source="data/cold: 34.8 s for 846 MB",
)
CHECK = Rate(value=1.0, what="check of a built image from inside", source="what a moved pin saves without it")
MOVED = Rate(value=0.1, what="part of a first build that a moved dependency costs", source="data/tail by data/cold")
EDIT = Rate(value=0.415, what="build after an edit of the source", source="data/edit")
PUSH = Rate(value=0.55, what="push of an image of which one layer changed", source="data/tail-push")
RATES = (START, KEPT_EXTRAS, INSTALL, INSTALLER, ASK, FETCH, BUILD, CHECK, MOVED, EDIT, PUSH)


def costs(facts: Facts, measured: Measured | None = None) -> Costs:
    """What the steps of every strategy cost for ``facts``."""
    start, build = _of(START), _of(BUILD, facts.layers / 1e6, least=EDIT.value + CHECK.value)
    extras, install = _of(KEPT_EXTRAS), _of(INSTALL, facts.download / 1e6, least=INSTALLER.value)
    fetch = (
        _of(FETCH if facts.elsewhere else ASK)
        if facts.history.is_repository
        else _nothing("the source is in no repository: it is mounted")
    )
    if measured is not None:
        by = f"median of {measured.rounds} here"
        start = Figure(seconds=measured.baked, origin=MEASURED, source=by)
        build = Figure(seconds=measured.build, origin=MEASURED, source="one build here, every layer made anew")
        if measured.extras is not None:
            # Which of two is quicker by chance says nothing.
            more = max(measured.extras - measured.baked, 0.0)
            extras = Figure(seconds=more, origin=MEASURED, source=by)
        if measured.install is not None:
            words = f"by {measured.installer} here, without the download"
            install = Figure(seconds=measured.install, origin=MEASURED, source=words)
        if measured.fetch is not None:
            fetch = Figure(seconds=measured.fetch, origin=MEASURED, source=f"{by}, without a network")
    return Costs(
        start=start,
        kept_extras=extras,
        install=install,
        fetch=fetch,
        build=build,
        derive=_from(build, max(build.seconds - CHECK.value, 0.0), "a first build without its check"),
        dependency=_from(build, max(build.seconds * MOVED.value, EDIT.value), "a tenth of a first build"),
        edit=_of(EDIT),
        push=_of(PUSH) if facts.elsewhere else _nothing("nothing need be pushed"),
    )


def _of(rate: Rate, times: float = 1.0, *, least: float = 0.0) -> Figure:
    return Figure(
        seconds=max(rate.value * times, least),
        origin=ESTIMATED,
        source=f"{rate.what}, measured elsewhere: {rate.source}",
    )


def _from(figure: Figure, seconds: float, words: str) -> Figure:
    return Figure(seconds=seconds, origin=ESTIMATED, source=f"{words}, which is {figure.origin}")


def _nothing(why: str) -> Figure:
    return Figure(seconds=0.0, origin=ESTIMATED, source=why)
