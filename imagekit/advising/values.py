"""What advice is given of, and what it says. Times are in seconds, sizes in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from imagekit.advising.history import History

# Costs are told for this long.
DAYS = 30
ASSUMED_STARTS = 1.0  # a day, where nobody says and none is recorded: said to be assumed wherever it is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """How often a flow is started."""

    per_day: float
    origin: str  # given, recorded or assumed
    count: int = 0  # of those that are recorded
    seconds: float | None = None  # from being accepted to running, the median of those that are recorded

    @property
    def a_month(self) -> float:
        return self.per_day * DAYS

    def to_json(self) -> dict[str, Any]:
        found = {"per_day": self.per_day, "origin": self.origin, "recorded": self.count}
        return {**found, "accepted_to_running_seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a project, before any strategy is thought of."""

    base: str  # the default image: what the project's own is built on
    packages: int  # beyond those that the default image has
    download: int = 0  # of their wheels, as far as their sizes are known
    layers: int = 0  # of them, unpacked: as they were made, or estimated
    is_layers_known: bool = False  # all of them were made here before
    source_builds: tuple[str, ...] = ()  # packages without a wheel, in name order
    replaced: tuple[str, ...] = ()  # the default image's packages that another version takes the place of
    only_in_images: tuple[str, ...] = ()  # what else is wanted and can only be built into an image, in words
    extras: str = ""  # ``EXTRA_PIP_PACKAGES`` that asks for the same packages
    lock: str | None = None  # the project's own lock file; ``None``: it has none
    history: History
    starts: Starts
    elsewhere: bool = False  # started by programs that install extra packages at every start

    def to_json(self) -> dict[str, Any]:
        return {
            "default_image": self.base,
            "packages": self.packages,
            "download_bytes": self.download,
            "layer_bytes": self.layers,
            "layer_bytes_known": self.is_layers_known,
            "source_builds": list(self.source_builds),
            "replaced": list(self.replaced),
            "only_in_images": list(self.only_in_images),
            "extras": self.extras,
            "lock": self.lock,
            "history": self.history.to_json(),
            "starts": self.starts.to_json(),
            "elsewhere": self.elsewhere,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of seconds, and where it comes from."""

    seconds: float
    origin: str  # measured, or estimated
    source: str  # in words

    def to_json(self) -> dict[str, Any]:
        return {"seconds": round(self.seconds, 4), "origin": self.origin, "source": self.source}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the steps of all strategies cost."""

    start: Figure  # of a container of an image that has all that is needed
    kept_extras: Figure  # more, where extra packages were added to the image before
    install: Figure  # more, where they are installed at every start; without their download
    fetch: Figure  # more, where the source is fetched from git when a container starts
    build: Figure  # of an image that was never built
    derive: Figure  # adding the packages to the default image for the first time
    dependency: Figure  # building again after a dependency has moved
    edit: Figure  # building again after an edit of the source
    push: Figure  # more, for each image that others start

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name).to_json() for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One of the four, and what it costs here."""

    name: str  # default, extras, shared, self-contained
    title: str
    start: float = 0.0  # a start
    first: float = 0.0  # once
    dependency: float = 0.0  # a change of the dependencies
    edit: float = 0.0  # a change of the source
    standing: float = 0.0  # ``DAYS`` days without a start: what is paid once, and for changes
    total: float = 0.0  # ``DAYS`` days
    why_not: str | None = None  # one line, where it does not do

    @property
    def is_possible(self) -> bool:
        return self.why_not is None

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name, "title": self.title, "possible": self.is_possible}
        seconds = {"start": self.start, "first": self.first, "dependency_change": self.dependency}
        seconds |= {"source_change": self.edit, "standing": self.standing, "total": self.total}
        rounded = {name: round(value, 3) for name, value in seconds.items()} if self.is_possible else None
        return {**found, "why_not": self.why_not, "seconds": rounded}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """From how many starts on, in ``DAYS`` days, the second strategy costs no more than the first."""

    low: str  # the strategy that is cheaper with few starts
    high: str  # the one that is cheaper with many
    starts: int | None  # None: it never is; 0: it always is

    def to_json(self) -> dict[str, Any]:
        return {"few": self.low, "many": self.high, "starts": self.starts, "days": DAYS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Which strategy, why, and by which numbers."""

    facts: Facts  #: what is known of the project
    costs: Costs  #: what each step costs, in seconds, and whether that was measured
    strategies: tuple[Strategy, ...]  #: all four, in the order of the recommendations that they are from
    recommended: str  #: a strategy's name
    reason: str  #: one sentence
    break_evens: tuple[BreakEven, ...]  #: from how many starts in 30 days on another strategy costs no more
    notes: tuple[str, ...] = ()  #: what is not known, or was assumed, one line each
    next_steps: tuple[str, ...] = ()  #: commands

    def with_next_steps(self, steps: tuple[str, ...]) -> Advice:
        """The same advice with these commands."""
        return replace(self, next_steps=steps)

    def strategy(self, name: str) -> Strategy:
        """``default``, ``extras``, ``shared`` or ``self-contained``."""
        return next(each for each in self.strategies if each.name == name)

    def to_json(self) -> Mapping[str, Any]:
        """What ``imagekit advise --json`` prints."""
        return {
            "recommended": self.recommended,
            "reason": self.reason,
            "days": DAYS,
            "strategies": [each.to_json() for each in self.strategies],
            "break_even": [each.to_json() for each in self.break_evens],
            "facts": self.facts.to_json(),
            "costs": self.costs.to_json(),
            "notes": list(self.notes),
            "next_steps": list(self.next_steps),
        }
