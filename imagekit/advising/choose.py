"""Which strategy: the one of those that are possible that costs least in a month. Pure.

The four are those of Prefect's "Choosing an Image Strategy" (Managing Docker Images): the default image; the default
image and ``EXTRA_PIP_PACKAGES``; a shared custom image, its flows' source stored elsewhere; and an image with the
flow in it (Docker storage).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from imagekit.advising.estimate import ESTIMATED
from imagekit.advising.values import DAYS, Advice, BreakEven, Costs, Facts, Strategy

DEFAULT, EXTRAS, SHARED, SELF = "default", "extras", "shared", "self-contained"
TITLES = {
    DEFAULT: "default image",
    EXTRAS: "default image and EXTRA_PIP_PACKAGES",
    SHARED: "shared image, source from outside",
    SELF: "self-contained image",
}
# Of those that cost the same: what needs least when it starts.
_PREFERRED = (SELF, SHARED, EXTRAS)
_MOST_NAMES = 3
_ALIKE = 1.1


def advise(facts: Facts, costs: Costs, notes: Sequence[str] = ()) -> Advice:
    """The advice for ``facts``, by ``costs``. ``notes`` are said after our own."""
    strategies = (_default(facts, costs), _extras(facts, costs), _shared(facts, costs), _self(facts, costs))
    possible = {each.name: each for each in strategies if each.is_possible}
    # What needs nothing is best, whatever the rest would cost.
    chosen = possible.get(DEFAULT) or min(
        possible.values(), key=lambda each: (round(each.total, 6), _PREFERRED.index(each.name))
    )
    evens = _break_evens(possible)
    return Advice(
        facts=facts,
        costs=costs,
        strategies=strategies,
        recommended=chosen.name,
        reason=_reason(facts, chosen, strategies, evens),
        break_evens=evens,
        notes=(*_alike(chosen, possible.values()), *_notes(facts, costs, EXTRAS in possible), *notes),
    )


def _strategy(
    facts: Facts,
    name: str,
    why_not: str | None,
    *,
    start: float,
    first: float = 0.0,
    dependency: float = 0.0,
    edit: float = 0.0,
) -> Strategy:
    if why_not is not None:
        return Strategy(name=name, title=TITLES[name], why_not=why_not)
    standing = first + dependency_changes(facts) * dependency + source_changes(facts) * edit
    return Strategy(
        name=name,
        title=TITLES[name],
        start=start,
        first=first,
        dependency=dependency,
        edit=edit,
        standing=standing,
        total=standing + facts.starts.a_month * start,
    )


def _default(facts: Facts, costs: Costs) -> Strategy:
    why = facts.only_in_images[0] if facts.only_in_images else _unreachable(facts)
    if facts.packages:
        why = "it lacks a package" if facts.packages == 1 else f"it lacks {facts.packages} packages"
    return _strategy(facts, DEFAULT, why, start=costs.start.seconds + costs.fetch.seconds)


def _extras(facts: Facts, costs: Costs) -> Strategy:
    why = None
    if not facts.packages:
        why = "there is nothing to add"
    elif facts.source_builds:
        why = f"{_some(facts.source_builds)} must be built from source, at every start or not at all"
    elif facts.replaced:
        why = f"{_some(facts.replaced)} of the default image would have to be replaced when it starts"
    elif facts.only_in_images:
        why = facts.only_in_images[0]
    else:
        why = _unreachable(facts)
    start = costs.start.seconds + costs.fetch.seconds
    if facts.elsewhere:
        return _strategy(facts, EXTRAS, why, start=start + costs.install.seconds)
    # A derived image is made once, and again when what is asked for is another: as a build's, without its check.
    moved = max(costs.dependency.seconds - (costs.build.seconds - costs.derive.seconds), 0.0)
    return _strategy(
        facts,
        EXTRAS,
        why,
        start=start + costs.kept_extras.seconds,
        first=costs.derive.seconds,
        dependency=moved,
    )


def _shared(facts: Facts, costs: Costs) -> Strategy:
    return _strategy(
        facts,
        SHARED,
        _unreachable(facts),
        start=costs.start.seconds + costs.fetch.seconds,
        first=costs.build.seconds + costs.push.seconds,
        dependency=costs.dependency.seconds + costs.push.seconds,
    )


def _self(facts: Facts, costs: Costs) -> Strategy:
    return _strategy(
        facts,
        SELF,
        None,
        start=costs.start.seconds,
        first=costs.build.seconds + costs.push.seconds,
        dependency=costs.dependency.seconds + costs.push.seconds,
        edit=costs.edit.seconds + costs.push.seconds,
    )


def _unreachable(facts: Facts) -> str | None:
    """Why the source cannot come from outside the image."""
    if facts.elsewhere and not facts.history.is_repository:
        return "the source is in no git repository that it could be fetched from"
    return None


def dependency_changes(facts: Facts) -> float:
    """Of the dependencies, in ``DAYS`` days; 0 where they are not known."""
    return facts.history.a_month(facts.history.dependencies, DAYS)


def source_changes(facts: Facts) -> float:
    """Of the source, likewise."""
    return facts.history.a_month(facts.history.source, DAYS)


def _break_evens(by_name: Mapping[str, Strategy]) -> tuple[BreakEven, ...]:
    """Of baking the packages, and of baking the source as well: as far as both sides are possible."""
    found = []
    if EXTRAS in by_name:
        baked = [break_even(by_name[EXTRAS], by_name[name]) for name in (SELF, SHARED) if name in by_name]
        found.append(min(baked, key=lambda even: math.inf if even.starts is None else even.starts))
    if SHARED in by_name and DEFAULT not in by_name:
        found.append(break_even(by_name[SHARED], by_name[SELF]))
    return tuple(found)


def break_even(low: Strategy, high: Strategy) -> BreakEven:
    """From how many starts on ``high`` costs no more than ``low``."""
    more, saved = high.standing - low.standing, low.start - high.start
    if saved > 0:
        starts: int | None = max(math.ceil(more / saved - 1e-6), 0)
    else:
        starts = 0 if more <= 0 else None
    return BreakEven(low=low.name, high=high.name, starts=starts)


def _reason(facts: Facts, chosen: Strategy, strategies: Sequence[Strategy], evens: Sequence[BreakEven]) -> str:
    known = {even.low: even.starts for even in evens}
    default, extras, shared, _ = strategies
    starts = f"{_number(facts.starts.a_month)} starts in {DAYS} days"
    if chosen.name == DEFAULT:
        return "it has all that is needed: there is nothing to build, and nothing to add"
    if chosen.name == EXTRAS:
        if known[EXTRAS] is None:
            return "building an image would cost more at each change, and save nothing at a start"
        return f"{starts} do not pay for building an image: that begins at {known[EXTRAS]}"
    if chosen.name == SHARED:
        changes = f"the source changes on {source_changes(facts):.0f} days of {DAYS}"
        if known[SHARED] is None:
            return f"{changes}, and to build it in saves nothing at a start"
        return f"{changes}, and {starts} do not pay for building it in: that begins at {known[SHARED]}"
    if extras.is_possible:
        if known[EXTRAS]:
            return f"{starts} pay for building it: that begins at {known[EXTRAS]}"
        return "each of its starts costs less, and no change costs more"
    why = (extras if facts.packages else default).why_not
    if not shared.is_possible:
        return f"{why}; and it needs nothing from outside when it starts"
    if not known[SHARED]:
        return f"{why}; and to build the source in costs nothing more"
    return f"{why}; and {starts} pay for building the source in: that begins at {known[SHARED]}"


def _alike(chosen: Strategy, possible: Iterable[Strategy]) -> Iterator[str]:
    others = [each.title for each in possible if each is not chosen and each.total <= chosen.total * _ALIKE]
    if others and chosen.name != DEFAULT:
        yield f"within a tenth of it, so take what suits you: {'; '.join(others)}"


def _notes(facts: Facts, costs: Costs, can_be_extra: bool) -> Iterator[str]:
    if facts.starts.origin == "assumed":
        yield f"no start is recorded here: {facts.starts.per_day:g} a day is assumed (--runs-per-day N says how many)"
    if facts.history.unknown is not None:
        yield f"how often things change is not known, and counted as never: {facts.history.unknown}"
    if facts.packages and facts.lock is None:
        yield "the project has no lock: the next build, or start, may come to other versions (imagekit lock)"
    if facts.packages and not facts.download:
        yield "how large the packages are is not known, so they are counted as nothing"
    if facts.source_builds and costs.build.origin == ESTIMATED:
        yield f"not counted: how long {_some(facts.source_builds)} takes to be built from source"
    if facts.elsewhere and can_be_extra:
        yield f"not counted: each start with EXTRA_PIP_PACKAGES downloads {facts.download / 1e6:.3g} MB, or has a cache"
    elif can_be_extra:
        yield "each further engine adds EXTRA_PIP_PACKAGES once for itself; an image is built once and pulled"
    if facts.history.is_repository:
        yield "not counted: what the network adds where a start asks a git server for the source"
    if costs.start.origin == ESTIMATED:
        yield "seconds are estimates by another machine's: --measure measures them here"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
