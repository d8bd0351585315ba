"""``[tool.uv.sources]`` without a lock: requirements by name become requirements by commit, URL or path.

A member of a workspace, or a project at a path, has sources of its own for what it needs; those come along, because
a resolver that is given its wheel knows the names alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.git_url import git_url
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.toml import read_toml
from imagekit.spec.uv_table import negated
from imagekit.spec.uv_workspace import Workspace, find_workspace

_Source = Mapping[str, Any]
_CONDITIONS = ("extra", "group")


def with_sources(lines: Sequence[RequirementLine], project: Path) -> tuple[RequirementLine, ...]:
    """``lines`` of the project in the directory ``project`` with the sources that it, and its workspace, name.

    All that is wrong is raised at once, by file and line.
    """
    workspace = find_workspace(project)
    reader = _Reader(workspace)
    found = reader.placed(lines, project)
    if reader.problems:
        raise InputError.join(reader.problems)
    return tuple(dict.fromkeys(found))


class _Reader:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.problems: list[InputError] = []
        self._seen: set[tuple[Path, frozenset[str]]] = set()

    def placed(self, lines: Iterable[RequirementLine], directory: Path) -> list[RequirementLine]:
        sources = self._sources(directory)
        found: list[RequirementLine] = []
        for line in lines:
            requirement = Requirement(line.text)
            entries, base = sources.get(canonicalize_name(requirement.name), ((), directory))
            entries = [entry for entry in entries if "index" not in entry]
            if requirement.url is not None or not entries:
                found.append(line)
                found += self._below(line, requirement)
                continue
            try:
                found += self._of_entries(line, requirement, entries, base)
            except InputError as problem:
                self.problems.append(problem)
        return found

    def _of_entries(
        self, line: RequirementLine, requirement: Requirement, entries: Sequence[_Source], base: Path
    ) -> list[RequirementLine]:
        found: list[RequirementLine] = []
        rest = requirement.marker
        for entry in entries:
            origin = _origin(base, requirement.name)
            if key := next((key for key in _CONDITIONS if key in entry), None):
                raise InvalidProject(
                    f"{origin}: the source of {requirement.name} depends on {key}, which only a lock can say",
                    hint="lock it with uv: uv lock",
                )
            own = entry.get("marker")
            text = f"{requirement.name}{_extras(requirement)} @ {self._url(entry, requirement.name, base, origin)}"
            marker = _and(requirement.marker, own)
            places = Places(base=base, root=self.workspace.root)
            placed = parse_requirement(f"{text}{f' ; {marker}' if marker else ''}", line.origin, (), places)
            found.append(placed)
            found += self._below(placed, Requirement(placed.text))
            if not isinstance(own, str):
                return found
            opposite = negated(own)
            if opposite is None:
                raise InvalidProject(
                    f"{origin}: the marker {own!r} of {requirement.name}'s source is more than one comparison",
                    hint="lock it with uv: uv lock",
                )
            rest = _and(rest, opposite)
        # Where none of the markers holds, it comes from the index.
        requirement.marker = rest
        return [*found, parse_requirement(str(requirement), line.origin, line.hashes)]

    def _url(self, source: _Source, name: str, base: Path, origin: str) -> str:
        if isinstance(source.get("git"), str):
            ref = next((source[key] for key in ("rev", "tag", "branch") if isinstance(source.get(key), str)), None)
            inside = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
            return f"git+{git_url(source['git'])}{f'@{ref}' if ref else ''}{inside}"
        if isinstance(source.get("url"), str):
            inside = f"#subdirectory={source['subdirectory']}" if source.get("subdirectory") else ""
            return f"{source['url']}{inside}"
        if isinstance(source.get("path"), str):
            inside = f"/{source['subdirectory']}" if source.get("subdirectory") else ""
            return str((base / (source["path"] + inside)).resolve().as_uri())
        if source.get("workspace") is True:
            member = self.workspace.members.get(canonicalize_name(name))
            if member is not None:
                return member.as_uri()
            raise InvalidProject(
                f"{origin}: {name} is taken from the workspace, which has no member of that name",
                hint=f"its members are {', '.join(sorted(self.workspace.members)) or 'none'}",
            )
        raise InvalidProject(
            f"{origin}: the source of {name} names no git, url, path, workspace or index", hint="see uv's documentation"
        )

    def _below(self, line: RequirementLine, requirement: Requirement) -> list[RequirementLine]:
        """What a project at a path needs from sources of its own."""
        if line.local is None or not (line.local.path / "pyproject.toml").is_file():
            return []
        directory, extras = line.local.path, frozenset(canonicalize_name(extra) for extra in requirement.extras)
        if (directory, extras) in self._seen:
            return []
        self._seen.add((directory, extras))
        named = self._sources(directory)
        project = read_toml(directory / "pyproject.toml", InvalidProject).get("project")
        if not named or not isinstance(project, dict):
            return []
        optional = {canonicalize_name(k): v for k, v in (project.get("optional-dependencies") or {}).items()}
        texts = [*(project.get("dependencies") or ()), *(t for extra in extras for t in optional.get(extra, ()))]
        lines = []
        for text in texts:
            try:
                needed = Requirement(text)
            except (NoRequirement, TypeError):
                continue  # its build backend says what is wrong with it
            if canonicalize_name(needed.name) in named and needed.url is None:
                needed.marker = _and(requirement.marker, str(needed.marker) if needed.marker else None)
                origin = Origins(directory / "pyproject.toml").of("project", "dependencies")
                origin = f"{directory.name}/{origin}"
                lines.append(RequirementLine(text=str(needed), origin=origin))
        return self.placed(lines, directory)

    def _sources(self, directory: Path) -> dict[str, tuple[Sequence[_Source], Path]]:
        found: dict[str, tuple[Sequence[_Source], Path]] = {}
        in_workspace = directory in self.workspace.members.values()
        # A member's own sources go before the root's.
        for place in (self.workspace.root, directory) if in_workspace else (directory,):
            if not (place / "pyproject.toml").is_file():
                continue
            tables = read_toml(place / "pyproject.toml", InvalidProject)
            for key in ("tool", "uv", "sources"):
                tables = tables.get(key) if isinstance(tables.get(key), dict) else {}  # type: ignore[assignment]
            for name, value in tables.items():
                entries = value if isinstance(value, list) else [value]
                found[canonicalize_name(name)] = ([entry for entry in entries if isinstance(entry, dict)], place)
        return found


def _and(marker: Marker | None, text: str | None) -> Marker | None:
    if text is None:
        return marker
    return Marker(text) if marker is None else Marker(f"({marker}) and ({text})")


def _extras(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""


def _origin(directory: Path, name: str) -> str:
    return Origins(directory / "pyproject.toml").of("tool", "uv", "sources", name)
