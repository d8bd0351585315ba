"""``pyproject.toml``: what the project needs, and the project itself (PEP 517, 621, 639, 735, and Poetry's table)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.nearest import nearest_hint
from imagekit.spec.dependency_groups import read_groups
from imagekit.spec.image import Indexes, Project, RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.poetry_project import poetry_project
from imagekit.spec.poetry_table import PoetryTable, enriched, read_poetry_table
from imagekit.spec.project_table import ProjectTable, read_project_table
from imagekit.spec.toml import read_toml
from imagekit.spec.typed_table import TypedTable

# ("extras" or "groups", the name that was asked for, what is wrong with it) → nothing, or it raises that.
Unknown = Callable[[str, str, InputError], None]


def refused(key: str, name: str, problem: InputError) -> None:
    """What becomes of an unknown extra or group where nobody gathers them."""
    raise problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PyProject:
    """A ``pyproject.toml``, read once.

    ``project`` is ``None`` where the project itself is not installed: there is no ``[project]`` table,
    or one that only lists dependencies (nothing says how to build it, and no module bears its name).
    """

    path: Path
    name: str | None = None  # [project] name
    project: Project | None = None
    dependencies: tuple[RequirementLine, ...] = ()
    extras: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)  # by normalized name
    groups: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)  # the same, includes resolved
    requires_python: str = ""
    build_backend: str | None = None
    build_requires: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)  # [[tool.poetry.source]]
    imagekit: Mapping[str, Any] | None = None  # [tool.imagekit] as it is

    def select(
        self, extras: Iterable[str] = (), groups: Iterable[str] = (), unknown: Unknown = refused
    ) -> tuple[RequirementLine, ...]:
        """The dependencies with those of ``extras`` and ``groups``; ``unknown`` is told of one that is not there."""
        lines = list(self.dependencies)
        seen: set[str] = set()
        for extra in extras:
            try:
                lines += self._of_extra(extra, seen)
            except InvalidProject as problem:
                unknown("extras", extra, problem)
        for group in groups:
            try:
                lines += self._without_own(_looked_up(self.groups, group, "dependency group", self.path.name), seen)
            except InvalidProject as problem:
                unknown("groups", group, problem)
        return tuple(dict.fromkeys(lines))

    def with_own(self, extras: Iterable[str], groups: Iterable[str] = ()) -> frozenset[str]:
        """``extras``, normalized, with those that they and ``groups`` name of the project itself (``orders[a]``)."""
        seen: set[str] = set()
        for extra in extras:
            if canonicalize_name(extra) in self.extras:
                self._of_extra(extra, seen)
        for group in groups:
            self._without_own(self.groups.get(canonicalize_name(group), ()), seen)
        return frozenset(seen)

    def _of_extra(self, extra: str, seen: set[str]) -> list[RequirementLine]:
        name = canonicalize_name(extra)
        if name in seen:
            return []
        seen.add(name)
        return self._without_own(_looked_up(self.extras, extra, "extra", self.path.name), seen)

    def _without_own(self, written: Iterable[RequirementLine], seen: set[str]) -> list[RequirementLine]:
        """``written``, and in the place of the project itself ("all = ['orders[a,b]']") what those extras have."""
        lines: list[RequirementLine] = []
        for line in written:
            requirement = Requirement(line.text)
            own = self.name is not None and canonicalize_name(requirement.name) == canonicalize_name(self.name)
            if not own or "optional-dependencies" in self.dynamic:
                lines.append(line)
                continue
            for other in sorted(requirement.extras):
                lines += self._of_extra(other, seen)
        return lines


def read_pyproject(path: Path) -> PyProject:
    """``path`` as a ``PyProject``. ``InvalidProject`` or ``InvalidRequirement`` tells all that is wrong with it."""
    tables = read_toml(path, InvalidProject)
    top = TypedTable(tables, Origins(path), ())
    build = top.table("build-system")
    imagekit = top.table("tool").table("imagekit").values
    places = Places(base=path.parent, root=path.parent)
    groups = read_groups(top.table("dependency-groups").values, path.name, places, top.origins, top.problems)
    common: dict[str, Any] = {
        "path": path,
        "groups": groups,
        "build_backend": build.text("build-backend"),
        "build_requires": build.texts("requires"),
        "imagekit": imagekit if "imagekit" in top.table("tool") else None,
    }
    found = PyProject(**common)
    if "project" in top:
        found = _with_project(read_project_table(top, common["build_backend"], places), common, tables)
    poetry = top.tried(partial(read_poetry_table, path, tables, groups), None)
    top.raise_problems()
    return found if poetry is None else _with_poetry(found, poetry, tables)


def _with_poetry(found: PyProject, poetry: PoetryTable, tables: Mapping[str, Any]) -> PyProject:
    """``found`` with what ``[tool.poetry]`` adds: all of the project, or what ``[project]`` leaves to it."""
    found = replace(found, groups=poetry.groups, indexes=poetry.indexes)
    if found.name is not None:
        more = poetry.enriching
        extras = {extra: enriched(lines, more) for extra, lines in found.extras.items()}
        found = replace(found, dependencies=enriched(found.dependencies, more), extras=extras)
        # Poetry's are what dynamic dependencies are taken from.
        if "dependencies" in found.dynamic and poetry.dependencies:
            found = replace(found, dependencies=poetry.dependencies, dynamic=_without(found.dynamic, "dependencies"))
        python = found.requires_python or poetry.requires_python
        return replace(found, requires_python=python, project=found.project if poetry.is_package else None)
    project = None
    if poetry.name is not None and poetry.is_package and _is_package(tables, found.path.parent):
        project = poetry_project(found.path, tables, name=poetry.name, version=poetry.version)
    return replace(
        found,
        name=poetry.name,
        project=project,
        dependencies=poetry.dependencies,
        extras=poetry.extras,
        requires_python=poetry.requires_python,
    )


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)


def _with_project(table: ProjectTable, common: dict[str, Any], tables: Mapping[str, Any]) -> PyProject:
    project = table.project
    return PyProject(
        **common,
        name=project.name,
        project=project if project.import_root is not None or _is_package(tables, common["path"].parent) else None,
        dependencies=table.dependencies,
        extras=table.extras,
        requires_python=table.requires_python,
        dynamic=table.dynamic,
    )


def _is_package(tables: Mapping[str, Any], root: Path) -> bool:
    return "build-system" in tables or any((root / legacy).exists() for legacy in ("setup.py", "setup.cfg"))


def _looked_up(
    known: Mapping[str, tuple[RequirementLine, ...]], name: str, what: str, file: str
) -> tuple[RequirementLine, ...]:
    try:
        return known[canonicalize_name(name)]
    except KeyError:
        raise InvalidProject(f"{file} has no {what} {name!r}", hint=nearest_hint(name, known)) from None
