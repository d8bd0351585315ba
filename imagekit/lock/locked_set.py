"""What another program's lock has for one target, as pinned and hashed requirements.

poetry.lock, pdm.lock and Pipfile.lock name versions and hashes, and not where the files lie. So the set is
chosen here, without an index, and the resolver is then asked for these files and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagekit.errors import InputError, InvalidProject, StaleLock
from imagekit.lock.locked_places import entry_lines, table_line
from imagekit.lock.locked_table import LockedTable
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import toml_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One package needs another."""

    name: str  # normalized
    extras: frozenset[str] = frozenset()
    marker: Marker | None = None  # may ask for an ``extra``
    allows: Callable[[str], bool] = field(default=lambda version: True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedIndex:
    """An index that a lock names."""

    name: str
    url: str
    origin: str  # where it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedVersion:
    """One version of a package in another program's lock."""

    line: RequirementLine  # pinned, hashed where the lock has hashes
    version: str
    needs: tuple[Edge, ...] = ()
    fits: Callable[[Target], bool] = field(default=lambda target: True)
    index: LockedIndex | None = None  # where the lock says that it came from, if not from the usual index
    extras: frozenset[str] | None = None  # the entry stands for the package with these extras (PDM)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSet:
    """What is to be installed: pinned requirements, and the indexes that the lock names for them."""

    lines: tuple[RequirementLine, ...]
    default: LockedIndex | None = None  # the one that is asked for all others
    indexes: tuple[tuple[str, LockedIndex], ...] = ()  # (normalized name, the index that it comes from)


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

    Where the lock has several versions of a package for the target, it is the highest that everyone who needs it
    allows, as the locks' own programs have it, which solve once more over what is locked.
    :class:`StaleLock` where the lock has nothing that answers one of them, with ``remedy`` for a hint;
    all such are told at once.
    """
    wanted = [(edge, origin) for edge, origin in roots if applies(edge.marker, target)]
    fitting = {name: [v for v in versions if v.fits(target)] for name, versions in packages.items()}
    while True:
        walked = _Walk(fitting, target)
        walked.follow(wanted)
        if not (refused := walked.refused()):
            break
        # A version that someone does not allow is none of the set; without it, others may be needed.
        for name, version in refused:
            fitting[name] = [v for v in fitting[name] if v.version != version]
    if walked.missing:
        words = dict.fromkeys(_unanswered(edge, origin, packages, file) for edge, origin in walked.missing)
        problems = [StaleLock(line, hint=remedy) for line in words]
        raise problems[0] if len(problems) == 1 else _joined(problems, remedy)
    found = [walked.chosen[name] for name in sorted(walked.chosen)]
    return LockedSet(
        lines=tuple(v.line for v in found),
        indexes=tuple((name, v.index) for name, v in sorted(walked.chosen.items()) if v.index is not None),
    )


class _Walk:
    """One way through the lock: the version of each package that the first who needs it came to."""

    def __init__(self, packages: Mapping[str, Sequence[LockedVersion]], target: Target) -> None:
        self._packages, self._target = packages, target
        self.chosen: dict[str, LockedVersion] = {}
        self.missing: list[tuple[Edge, str]] = []
        self._edges: dict[str, list[tuple[Edge, str]]] = {}

    def follow(self, wanted: Sequence[tuple[Edge, str]]) -> None:
        seen: set[tuple[str, frozenset[str]]] = set()
        waiting = list(wanted)
        while waiting:
            edge, origin = waiting.pop()
            self._edges.setdefault(edge.name, []).append((edge, origin))
            candidates = [v for v in self._packages.get(edge.name, ()) if edge.allows(v.version)]
            if not candidates:
                self.missing.append((edge, origin))
                continue
            known = self.chosen.get(edge.name)
            version = known.version if known is not None else max(candidates, key=_version).version
            entries = [
                v
                for v in self._packages[edge.name]
                if v.version == version and (v.extras is None or v.extras <= edge.extras)
            ]
            self.chosen.setdefault(edge.name, next((v for v in (*entries, *candidates) if not v.extras), candidates[0]))
            key = (edge.name, edge.extras)
            if key in seen:
                continue
            seen.add(key)
            for entry in entries:
                waiting += [
                    (need, f"{edge.name} {entry.version}")
                    for need in entry.needs
                    if applies(need.marker, self._target, edge.extras)
                ]

    def refused(self) -> list[tuple[str, str]]:
        """Name and version of what was chosen and one edge does not allow, where another one is left."""
        found = []
        for name, version in self.chosen.items():
            if all(edge.allows(version.version) for edge, _ in self._edges[name]):
                continue
            if any(v.version != version.version for v in self._packages[name]):
                found.append((name, version.version))
            else:
                edge = next(pair for pair in self._edges[name] if not pair[0].allows(version.version))
                if edge not in self.missing:
                    self.missing.append(edge)
        return found


def _version(locked: LockedVersion) -> Version:
    return Version(locked.version)


def applies(marker: Marker | None, target: Target, extras: Iterable[str] = (), *, groups: Iterable[str] = ()) -> bool:
    """Whether ``marker`` holds on ``target``, for a package that was asked for with ``extras``, in ``groups``."""
    if marker is None:
        return True
    asked: dict[str, str | Set[str]] = {
        **target.environment,
        "extras": frozenset(extras),
        "dependency_groups": frozenset(groups),
    }
    return any(marker.evaluate({**asked, "extra": extra}) for extra in (*extras, ""))


def _unanswered(edge: Edge, origin: str, packages: Mapping[str, Sequence[LockedVersion]], file: str) -> str:
    versions = ", ".join(sorted({v.version for v in packages.get(edge.name, ())}))
    if versions:
        return f"{file} has {edge.name} {versions}, and {origin} asks for another one"
    return f"{file} has no {edge.name}, which {origin} asks for"


def _joined(problems: Sequence[StaleLock], remedy: str) -> StaleLock:
    lines = "\n".join(problem.message for problem in problems)
    return StaleLock(f"{len(problems)} problems: {problems[0].message}", hint=remedy, details=lines)


def locked_metadata(path: Path, tables: Mapping[str, Any], remedy: str) -> LockedTable:
    """The table ``metadata`` of the lock ``path``."""
    line = table_line(toml_text(path, InvalidProject), "metadata")
    return LockedTable.of(tables, path.name if line is None else f"{path.name}:{line}", remedy).table("metadata")


def read_each(
    path: Path, packages: Any, remedy: str, read: Callable[[LockedTable, str], LockedVersion]
) -> dict[str, list[LockedVersion]]:
    """``packages`` of the lock ``path`` by normalized name; ``read`` is given each with its name.

    What ``read`` raises for them is raised together.
    """
    if not isinstance(packages, list):
        if packages is None:
            return {}
        raise InvalidProject(f"{path.name}: package is no list of tables", hint=remedy)
    found: dict[str, list[LockedVersion]] = {}
    problems: list[InputError] = []
    lines = entry_lines(toml_text(path, InvalidProject), "package", len(packages))
    for line, package in zip(lines, packages, strict=True):
        origin = path.name if line is None else f"{path.name}:{line}"
        try:
            table = LockedTable.of(package, origin, remedy, "package")
            name = table.name()
            locked = read(replace(table, title=name), name)
        except InputError as problem:
            problems.append(problem)
            continue
        found.setdefault(canonicalize_name(name), []).append(locked)
    refuse(problems)
    return found


def refuse(problems: Sequence[InputError]) -> None:
    """Raise all of ``problems`` as one, if there are any."""
    if problems:
        raise InputError.join(problems)
