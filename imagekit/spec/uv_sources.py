"""``[tool.uv.sources]`` without a lock: requirements by name become requirements by commit, URL, path or index.

A member of a workspace, or a project at a path, has sources of its own for what it needs; those come along, because
a resolver that is given its wheel knows the names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.git_url import git_url
from imagekit.spec.image import Indexes, IndexPin, NamedIndex, RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.toml import read_toml
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_index import absolute, uv_indexes
from imagekit.spec.uv_workspace import Workspace, find_workspace, uv_table

_KINDS = ("git", "url", "path", "workspace", "index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """Requirements with their sources, and the indexes that some of them come from alone."""

    lines: tuple[RequirementLine, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)


def with_sources(
    lines: Sequence[RequirementLine], project: Path, *, extras: Iterable[str] = (), groups: Iterable[str] = ()
) -> Sourced:
    """``lines`` of the project in the directory ``project`` with the sources that it, and its workspace, name.

    ``extras`` and ``groups`` (normalized) are those that are asked for, which some sources depend on. All that is
    wrong is raised at once, by file and line.
    """
    reader = _Reader(find_workspace(project), project)
    found = reader.placed(lines, project, frozenset(extras), frozenset(groups))
    if reader.problems:
        raise InputError.join(list({problem.message: problem for problem in reader.problems}.values()))
    indexes = Indexes(named=tuple(reader.named.values()), pins=tuple(reader.pins.values()))
    return Sourced(lines=tuple(dict.fromkeys(found)), indexes=indexes)


@dataclass(frozen=True, slots=True)
class _Of:
    """The sources of one package that apply, and the directory in which they are written."""

    entries: tuple[TypedTable, ...]
    base: Path


class _Reader:
    def __init__(self, workspace: Workspace, project: Path) -> None:
        self.workspace, self.project = workspace, project
        self.problems: list[InputError] = []
        self.named: dict[str, NamedIndex] = {}
        self.pins: dict[tuple[str, str], IndexPin] = {}  # by package and marker
        self._seen: set[tuple[Path, frozenset[str]]] = set()

    def placed(
        self,
        lines: Iterable[RequirementLine],
        directory: Path,
        extras: frozenset[str],
        groups: frozenset[str] = frozenset(),
    ) -> list[RequirementLine]:
        sources = self._sources(directory, extras, groups)
        for name, of in sources.items():
            for entry in of.entries:
                if "index" in entry:
                    self._pin(name, entry, reversed(self._places(directory)))
        found: list[RequirementLine] = []
        for line in lines:
            requirement = Requirement(line.text)
            of = sources.get(canonicalize_name(requirement.name), _Of((), directory))
            entries = [entry for entry in of.entries if "index" not in entry]
            if requirement.url is not None or not entries:
                found.append(line)
                found += self._below(line, requirement)
                continue
            try:
                found += self._of_entries(line, requirement, entries, of.base)
            except InputError as problem:
                self.problems.append(problem)
        return found

    def _of_entries(
        self, line: RequirementLine, requirement: Requirement, entries: Sequence[TypedTable], base: Path
    ) -> list[RequirementLine]:
        found: list[RequirementLine] = []
        rest = requirement.marker
        for entry in entries:
            url = self._url(entry, requirement.name, base)
            if url is None:
                return []
            own = _marker(entry)
            marker = _and(requirement.marker, own)
            text = f"{requirement.name}{_extras(requirement)} @ {url}{f' ; {marker}' if marker else ''}"
            placed = parse_requirement(text, line.origin, (), Places(base=base, root=self.workspace.root))
            found.append(placed)
            found += self._below(placed, Requirement(placed.text))
            if own is None:
                return found
            opposite = negated(own)
            if opposite is None:
                words = f"the marker {own!r} of {requirement.name}'s source is more than one comparison"
                entry.wrong(words, "lock it with uv: uv lock", "marker")
                return []
            rest = _and(rest, opposite)
        # Where none of the markers holds, it comes from the index.
        requirement.marker = rest
        return [*found, parse_requirement(str(requirement), line.origin, line.hashes)]

    def _url(self, source: TypedTable, name: str, base: Path) -> str | None:
        """The URL that ``source`` comes to; ``None`` where something was wrong with it, and was noted."""
        subdirectory = source.text("subdirectory")
        inside = f"#subdirectory={subdirectory}" if subdirectory else ""
        if (repository := source.text("git")) is not None:
            ref = next((text for key in ("rev", "tag", "branch") if (text := source.text(key))), None)
            return f"git+{git_url(repository)}{f'@{ref}' if ref else ''}{inside}"
        if (url := source.text("url")) is not None:
            return f"{url}{inside}"
        if (path := source.text("path")) is not None:
            place = absolute(base, f"{path}/{subdirectory}" if subdirectory else path)
            if place is None:
                source.wrong(f"{path!r} is not a path", "name a file or directory", "path")
            return None if place is None else place.as_uri()
        if source.flag("workspace") is True:
            member = self.workspace.members.get(canonicalize_name(name))
            if member is None:
                words = f"{name} is taken from the workspace, which has no member of that name"
                source.wrong(words, f"its members are {', '.join(sorted(self.workspace.members)) or 'none'}")
            return None if member is None else member.as_uri()
        if not any(key in source for key in _KINDS if key != "workspace"):  # one of another type was noted
            words = f"the source of {name} names no git, url, path, workspace or index"
            source.wrong(words, "see uv's documentation")
        return None

    def _pin(self, package: str, entry: TypedTable, places: Iterable[Path]) -> None:
        name = entry.text("index")
        marker = _marker(entry) or ""
        if name is None:
            return
        index = next((i for place in places for i in self._indexes(place) if i.name == name), None)
        if index is None:
            words = f"[tool.uv.sources] {package} names the index {name!r}, which is not there"
            entry.wrong(words, f'add [[tool.uv.index]] name = "{name}"')
            return
        before, pin = self.pins.get((package, marker)), IndexPin(package=package, index=name, marker=marker)
        if self.named.setdefault(name, index).url != index.url:
            entry.wrong(f"two indexes are called {name!r}", "give one of them another name")
        elif before is not None and before.index != name:
            entry.wrong(f"{package} comes from the index {name!r}, and from {before.index!r}", "keep one of them")
        else:
            self.pins[package, marker] = pin

    def _indexes(self, directory: Path) -> list[NamedIndex]:
        found = [index.named for index in uv_indexes(self._uv(directory), directory)]
        return [index for index in found if index is not None]

    def _uv(self, directory: Path) -> TypedTable:
        return uv_table(directory, self.project, self.problems)

    def _below(self, line: RequirementLine, requirement: Requirement) -> list[RequirementLine]:
        """What a project at a path needs from sources of its own."""
        if line.local is None or not (line.local.path / "pyproject.toml").is_file():
            return []
        directory, extras = line.local.path, frozenset(canonicalize_name(extra) for extra in requirement.extras)
        if (directory, extras) in self._seen:
            return []
        self._seen.add((directory, extras))
        sources = self._sources(directory, extras, frozenset())
        tables = read_toml(directory / "pyproject.toml", InvalidProject)
        if not sources or not isinstance(tables.get("project"), dict):
            return []
        project = TypedTable(tables["project"], self._uv(directory).origins, ("project",), self.problems)
        optional = project.table("optional-dependencies")
        texts = [*project.texts("dependencies")]
        texts += [text for key in optional if canonicalize_name(key) in extras for text in optional.texts(key)]
        lines = []
        for text in texts:
            try:
                needed = Requirement(text)
            except NoRequirement:
                continue  # its build backend says what is wrong with it
            if canonicalize_name(needed.name) in sources and needed.url is None:
                needed.marker = _and(requirement.marker, str(needed.marker) if needed.marker else None)
                lines.append(RequirementLine(text=str(needed), origin=project.origin("dependencies")))
        return self.placed(lines, directory, extras)

    def _sources(self, directory: Path, extras: frozenset[str], groups: frozenset[str]) -> dict[str, _Of]:
        found: dict[str, _Of] = {}
        for place in self._places(directory):
            table = self._uv(place).table("sources")
            for key in table:
                entries = table.tables(key, single=True)
                applying = tuple(entry for entry in entries if _applies(entry, extras, groups))
                found[canonicalize_name(key)] = _Of(applying, place)
        return found

    def _places(self, directory: Path) -> tuple[Path, ...]:
        """Whose tables hold for the project in ``directory``: its workspace root's, and before that its own."""
        in_workspace = directory in self.workspace.members.values()
        return tuple(dict.fromkeys((self.workspace.root, directory) if in_workspace else (directory,)))


def negated(marker: str) -> str | None:
    """The marker that holds where ``marker`` does not; ``None`` where that is more than one comparison."""
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in"}
    parts = Marker(marker)._markers
    if len(parts) != 1 or not isinstance(parts[0], tuple):
        return None
    left, operator, right = parts[0]
    if operator.value not in opposite:
        return None
    return f"{left.serialize()} {opposite[operator.value]} {right.serialize()}"


def _applies(entry: TypedTable, extras: frozenset[str], groups: frozenset[str]) -> bool:
    """Whether the extra or the group that ``entry`` depends on is asked for."""
    for key, asked in (("extra", extras), ("group", groups)):
        name = entry.text(key)
        if name is not None and canonicalize_name(name) not in asked:
            return False
    return True


def _marker(entry: TypedTable) -> str | None:
    text = entry.text("marker")
    try:
        return None if text is None else str(Marker(text))
    except (InvalidMarker, RecursionError):
        entry.wrong(f"{text!r} is no marker", "write marker = \"sys_platform == 'linux'\"", "marker")
        return None


def _and(marker: Marker | None, text: str | None) -> Marker | None:
    if text is None:
        return marker
    return Marker(text) if marker is None else Marker(f"({marker}) and ({text})")


def _extras(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
