"""``pyproject.toml``: what the project needs, and the project itself (PEP 517, 621, 639, 735, and Poetry's table)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.core_metadata import core_metadata
from imagekit.spec.dependency_groups import read_groups
from imagekit.spec.image import Indexes, Project, RequirementLine
from imagekit.spec.import_root import find_import_root
from imagekit.spec.local_source import Places
from imagekit.spec.nearest import nearest_hint
from imagekit.spec.origins import Origins
from imagekit.spec.poetry_project import poetry_project
from imagekit.spec.poetry_table import PoetryTable, enriched, read_poetry_table
from imagekit.spec.toml import read_toml

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\s*(:\s*[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?\s*(\[[^\]]*\])?")
_EMPTY: dict[str, Any] = {}
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
    """``path`` as a ``PyProject``; ``InvalidProject`` or ``InvalidRequirement`` names the key at fault."""
    tables = read_toml(path, InvalidProject)
    name = path.name
    build = _table(tables, "build-system", name)
    tool = _table(tables, "tool", name)
    imagekit = tool.get("imagekit")
    if imagekit is not None and not isinstance(imagekit, dict):
        raise _wrong(name, "tool.imagekit", "a table")
    backend = build.get("build-backend")
    if backend is not None and not isinstance(backend, str):
        raise _wrong(name, "build-system.build-backend", "a string")
    places = Places(base=path.parent, root=path.parent)
    origins = Origins(path)
    groups = read_groups(_table(tables, "dependency-groups", name), name, places, origins)
    common: dict[str, Any] = {
        "path": path,
        "groups": groups,
        "build_backend": backend,
        "build_requires": _strings(build, "requires", name, "build-system."),
        "imagekit": imagekit,
    }
    found = PyProject(**common) if "project" not in tables else _with_project(tables, common, path)
    poetry = read_poetry_table(path, tables, groups)
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


def _with_project(tables: Mapping[str, Any], common: dict[str, Any], path: Path) -> PyProject:
    file = path.name
    table = _table(tables, "project", file)
    dynamic = _strings(table, "dynamic", file)
    name = _string(table, "name", file)
    if name is None or not _NAME.fullmatch(name):
        raise InvalidProject(f"{file}: [project] name is missing or no valid name", hint='write name = "my-project"')
    version = _version(table, dynamic, file)
    requires_python = _specifiers(table, file)
    places = Places(base=path.parent, root=path.parent)
    origins = Origins(path)
    dependencies = origins.requirements(_strings(table, "dependencies", file), places, "project", "dependencies")
    extras = _extras(table, file, places, origins)
    entry_points = _entry_points(table, file)
    scripts = _scripts(table, "scripts", file)
    gui_scripts = _scripts(table, "gui-scripts", file)
    import_root = None
    metadata = ""
    if version is not None and not dynamic:
        metadata = core_metadata(table, version, dependencies, extras, path)
        modules = {value.split(":")[0].split(".")[0].strip() for _, value in (*scripts, *gui_scripts)}
        import_root = find_import_root(
            path.parent, name=name, backend=common["build_backend"], tool=tables.get("tool", _EMPTY), modules=modules
        )
    project = Project(
        name=name,
        version=version,
        import_root=import_root,
        scripts=scripts,
        gui_scripts=gui_scripts,
        entry_points=entry_points,
        metadata=metadata,
    )
    return PyProject(
        **common,
        name=name,
        project=project if import_root is not None or _is_package(tables, path.parent) else None,
        dependencies=dependencies,
        extras=extras,
        requires_python=requires_python,
        dynamic=dynamic,
    )


def _is_package(tables: Mapping[str, Any], root: Path) -> bool:
    return "build-system" in tables or any((root / legacy).exists() for legacy in ("setup.py", "setup.cfg"))


def _version(table: Mapping[str, Any], dynamic: tuple[str, ...], file: str) -> str | None:
    text = _string(table, "version", file)
    if text is None:
        if "version" in dynamic:
            return None
        raise InvalidProject(
            f"{file}: [project] version is missing", hint='write version = "0.1.0", or name it in dynamic'
        )
    try:
        return str(Version(text))
    except InvalidVersion:
        raise InvalidProject(
            f"{file}: [project] version {text!r} is not a version", hint='write version = "0.1.0" (PEP 440)'
        ) from None


def _specifiers(table: Mapping[str, Any], file: str) -> str:
    text = _string(table, "requires-python", file) or ""
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        raise InvalidProject(
            f"{file}: [project] requires-python {text!r} is not a version specifier", hint='write ">=3.10"'
        ) from None


def _extras(
    table: Mapping[str, Any], file: str, places: Places, origins: Origins
) -> dict[str, tuple[RequirementLine, ...]]:
    found: dict[str, tuple[RequirementLine, ...]] = {}
    optional = _table(table, "optional-dependencies", file, "project.")
    for extra in optional:
        name = canonicalize_name(extra)
        if not _NAME.fullmatch(extra) or name in found:
            raise InvalidProject(f"{file}: extra {extra!r} is no valid name, or there twice", hint="rename it")
        texts = _strings(optional, extra, file, "project.optional-dependencies.")
        found[name] = origins.requirements(texts, places, "project", "optional-dependencies", extra)
    return found


def _scripts(table: Mapping[str, Any], key: str, file: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for name, value in _table(table, key, file, "project.").items():
        if not _SCRIPT.fullmatch(name):
            raise InvalidProject(
                f"{file}: [project.{key}] {name!r} is no name for a command",
                hint="use letters, digits, '_', '.' and '-', the first no '.' or '-'",
            )
        pairs.append((name, _object(value, f"{file}: [project.{key}] {name}", needs_attribute=True)))
    return tuple(sorted(pairs))


def _entry_points(table: Mapping[str, Any], file: str) -> tuple[tuple[str, str, str], ...]:
    found = []
    for group, names in _table(table, "entry-points", file, "project.").items():
        where = f"project.entry-points.{group}"
        if group in ("console_scripts", "gui_scripts"):
            key = group.removeprefix("console_").replace("_", "-")
            raise InvalidProject(f"{file}: [{where}] is not allowed (PEP 621)", hint=f"use [project.{key}]")
        if not re.fullmatch(r"\w+(\.\w+)*", group) or not isinstance(names, dict):
            raise _wrong(file, where, "a table, its name words joined by '.'")
        for name, value in names.items():
            if not name.strip() or re.search(r"[\r\n=\[\]]", name):
                raise InvalidProject(f"{file}: [{where}] {name!r} is no valid name", hint="rename it")
            found.append((group, name, _object(value, f"{file}: [{where}] {name}")))
    return tuple(sorted(found))


def _object(value: object, where: str, *, needs_attribute: bool = False) -> str:
    if isinstance(value, str) and _OBJECT.fullmatch(value) and (":" in value or not needs_attribute):
        return value
    raise InvalidProject(f"{where}: {value!r} is no object reference", hint='write "package.module:function"')


def _looked_up(
    known: Mapping[str, tuple[RequirementLine, ...]], name: str, what: str, file: str
) -> tuple[RequirementLine, ...]:
    try:
        return known[canonicalize_name(name)]
    except KeyError:
        raise InvalidProject(f"{file} has no {what} {name!r}", hint=nearest_hint(name, known)) from None


def _typed(table: Mapping[str, Any], key: str, fits: Callable[[Any], bool], what: str, where: str) -> Any:
    value = table.get(key)
    if value is None or fits(value):
        return value
    file, _, prefix = where.partition(" ")
    raise _wrong(file, prefix + key, what)


def _table(table: Mapping[str, Any], key: str, file: str, prefix: str = "") -> dict[str, Any]:
    return _typed(table, key, lambda v: isinstance(v, dict), "a table", f"{file} {prefix}") or {}


def _string(table: Mapping[str, Any], key: str, file: str) -> str | None:
    value: str | None = _typed(table, key, lambda v: isinstance(v, str), "a string", f"{file} project.")
    return value


def _strings(table: Mapping[str, Any], key: str, file: str, prefix: str = "project.") -> tuple[str, ...]:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)

    return tuple(_typed(table, key, fits, "a list of strings", f"{file} {prefix}") or ())


def _wrong(file: str, key: str, what: str) -> InputError:
    return InvalidProject(f"{file}: {key} is not {what}", hint=f"make it {what}")
