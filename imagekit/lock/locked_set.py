"""What another program's lock has for one target, as pinned and hashed requirements.

poetry.lock, pdm.lock and Pipfile.lock name versions and hashes, and not where the files lie. So the set is
chosen here, without an index, and the resolver is then asked for these files and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagekit.errors import InputError, StaleLock
from imagekit.lock.locked_source import entry_lines
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One package needs another."""

    name: str  # normalized
    extras: frozenset[str] = frozenset()
    marker: Marker | None = None  # may ask for an ``extra``
    allows: Callable[[str], bool] = field(default=lambda version: True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedVersion:
    """One version of a package in another program's lock."""

    line: RequirementLine  # pinned, hashed where the lock has hashes
    version: str
    needs: tuple[Edge, ...] = ()
    fits: Callable[[Target], bool] = field(default=lambda target: True)
    extra_index: str | None = None  # where the lock says that it came from, if not from the usual index
    extras: frozenset[str] | None = None  # the entry stands for the package with these extras (PDM)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSet:
    """What is to be installed: pinned requirements, and the indexes that the lock names for them."""

    lines: tuple[RequirementLine, ...]
    extra_indexes: tuple[str, ...] = ()


def edge_of(requirement: Requirement) -> Edge:
    """The edge that a PEP 508 requirement is."""
    return Edge(
        name=canonicalize_name(requirement.name),
        extras=frozenset(canonicalize_name(extra) for extra in requirement.extras),
        marker=requirement.marker,
        allows=lambda version: requirement.specifier.contains(version, prereleases=True),
    )


def walk(
    roots: Iterable[tuple[Edge, str]],
    packages: Mapping[str, Sequence[LockedVersion]],
    target: Target,
    *,
    file: str,
    remedy: str,
) -> LockedSet:
    """All that ``roots`` (each with where it was written) come to on ``target``.

    :class:`StaleLock` where the lock has nothing that answers one of them, with ``remedy`` for a hint;
    all such are told at once.
    """
    chosen: dict[str, LockedVersion] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    missing: dict[str, None] = {}
    waiting = [(edge, origin) for edge, origin in roots if applies(edge.marker, target)]
    while waiting:
        edge, origin = waiting.pop()
        key = (edge.name, edge.extras)
        candidates = [v for v in packages.get(edge.name, ()) if edge.allows(v.version) and v.fits(target)]
        if not candidates:
            missing.setdefault(_unanswered(edge, origin, packages, file))
            continue
        best = max(candidates, key=lambda v: Version(v.version))
        entries = [v for v in candidates if v.version == best.version and (v.extras is None or v.extras <= edge.extras)]
        chosen.setdefault(edge.name, next((v for v in entries if not v.extras), best))
        if key in seen:
            continue
        seen.add(key)
        for entry in entries:
            waiting += [
                (need, f"{edge.name} {entry.version}")
                for need in entry.needs
                if applies(need.marker, target, edge.extras)
            ]
    if missing:
        problems = [StaleLock(words, hint=remedy) for words in missing]
        raise problems[0] if len(problems) == 1 else _joined(problems, remedy)
    found = [chosen[name] for name in sorted(chosen)]
    return LockedSet(
        lines=tuple(v.line for v in found),
        extra_indexes=tuple(dict.fromkeys(v.extra_index for v in found if v.extra_index is not None)),
    )


def applies(marker: Marker | None, target: Target, extras: Iterable[str] = ()) -> bool:
    """Whether ``marker`` holds on ``target``, for a package that was asked for with ``extras``."""
    if marker is None:
        return True
    return any(marker.evaluate({**target.environment, "extra": extra}) for extra in (*extras, ""))


def _unanswered(edge: Edge, origin: str, packages: Mapping[str, Sequence[LockedVersion]], file: str) -> str:
    versions = ", ".join(sorted({v.version for v in packages.get(edge.name, ())}))
    if versions:
        return f"{file} has {edge.name} {versions}, and {origin} asks for another one"
    return f"{file} has no {edge.name}, which {origin} asks for"


def _joined(problems: Sequence[StaleLock], remedy: str) -> StaleLock:
    lines = "\n".join(problem.message for problem in problems)
    return StaleLock(f"{len(problems)} problems: {problems[0].message}", hint=remedy, details=lines)


def read_each(path: Path, packages: Any, read: Callable[[Any, str], LockedVersion]) -> dict[str, list[LockedVersion]]:
    """``packages`` of the lock ``path`` by normalized name; ``read`` is given each with its file and line.

    What ``read`` raises for them is raised together.
    """
    found: dict[str, list[LockedVersion]] = {}
    problems: list[InputError] = []
    lines = entry_lines(path)
    for number, package in enumerate(packages or ()):
        # Tables that are written inline have no line of their own.
        origin = f"{path.name}:{lines[number]}" if number < len(lines) else path.name
        try:
            locked = read(package, origin)
        except InputError as problem:
            problems.append(problem)
            continue
        found.setdefault(canonicalize_name(package["name"]), []).append(locked)
    refuse(problems)
    return found


def refuse(problems: Sequence[InputError]) -> None:
    """Raise all of ``problems`` as one, if there are any."""
    if problems:
        raise InputError.join(problems)
