"""``[project]`` of a ``pyproject.toml`` (PEP 621, 639): the project itself, and what it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imagekit.spec.core_metadata import core_metadata
from imagekit.spec.image import Project, RequirementLine
from imagekit.spec.import_root import find_import_root
from imagekit.spec.local_source import Places
from imagekit.spec.typed_table import TypedTable

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\s*(:\s*[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?\s*(\[[^\]]*\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTable:
    """The table, read. Where something is wrong with it, that was noted, and this holds the rest."""

    project: Project
    dependencies: tuple[RequirementLine, ...]
    extras: Mapping[str, tuple[RequirementLine, ...]]  # by normalized name
    requires_python: str
    dynamic: tuple[str, ...]


def read_project_table(top: TypedTable, backend: str | None, places: Places) -> ProjectTable:
    """``[project]`` of the document ``top``, whose build backend is ``backend``; what is wrong is noted there."""
    table = top.table("project")
    dynamic = table.texts("dynamic")
    name = table.text("name")
    if name is None or not _NAME.fullmatch(name):
        if name is not None or "name" not in table:
            table.wrong("[project] name is missing or no valid name", 'write name = "my-project"', "name")
        name = ""
    version = _version(table, dynamic)
    requires_python = _specifiers(table)
    origins = table.origins
    written = table.texts("dependencies")
    none: tuple[RequirementLine, ...] = ()
    dependencies = table.tried(partial(origins.requirements, written, places, "project", "dependencies"), none)
    extras = _extras(table, places)
    entry_points = _entry_points(table)
    scripts, gui_scripts = _scripts(table, "scripts"), _scripts(table, "gui-scripts")
    import_root = None
    metadata = ""
    if name and version is not None and not dynamic:
        metadata = table.tried(partial(core_metadata, table, version, dependencies, extras, places.base), "")
        modules = {value.split(":")[0].split(".")[0].strip() for _, value in (*scripts, *gui_scripts)}
        tool = top.table("tool").values
        import_root = find_import_root(places.base, name=name, backend=backend, tool=tool, modules=modules)
    project = Project(
        name=name,
        version=version,
        import_root=import_root,
        scripts=scripts,
        gui_scripts=gui_scripts,
        entry_points=entry_points,
        metadata=metadata,
    )
    return ProjectTable(
        project=project, dependencies=dependencies, extras=extras, requires_python=requires_python, dynamic=dynamic
    )


def _version(table: TypedTable, dynamic: tuple[str, ...]) -> str | None:
    text = table.text("version")
    if text is None:
        if "version" not in dynamic and "version" not in table:
            table.wrong("[project] version is missing", 'write version = "0.1.0", or name it in dynamic')
        return None
    try:
        return str(Version(text))
    except InvalidVersion:
        table.wrong(f"[project] version {text!r} is not a version", 'write version = "0.1.0" (PEP 440)', "version")
        return None


def _specifiers(table: TypedTable) -> str:
    text = table.text("requires-python") or ""
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier:
        words = f"[project] requires-python {text!r} is not a version specifier"
        table.wrong(words, 'write ">=3.10"', "requires-python")
        return ""


def _extras(table: TypedTable, places: Places) -> dict[str, tuple[RequirementLine, ...]]:
    found: dict[str, tuple[RequirementLine, ...]] = {}
    optional = table.table("optional-dependencies")
    for extra in optional:
        name = canonicalize_name(extra)
        if not _NAME.fullmatch(extra) or name in found:
            optional.wrong(f"extra {extra!r} is no valid name, or there twice", "rename it", extra)
            continue
        found[name] = optional.tried(partial(_extra, optional, extra, places), ())
    return found


def _extra(optional: TypedTable, extra: str, places: Places) -> tuple[RequirementLine, ...]:
    texts = optional.texts(extra)
    return optional.origins.requirements(texts, places, "project", "optional-dependencies", extra)


def _scripts(table: TypedTable, key: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    scripts = table.table(key)
    for name, value in scripts.values.items():
        if not _SCRIPT.fullmatch(name):
            hint = "use letters, digits, '_', '.' and '-', the first no '.' or '-'"
            scripts.wrong(f"[project.{key}] {name!r} is no name for a command", hint, name)
        elif _is_object(scripts, name, value, f"project.{key}", needs_attribute=True):
            pairs.append((name, value))
    return tuple(sorted(pairs))


def _entry_points(table: TypedTable) -> tuple[tuple[str, str, str], ...]:
    found = []
    points = table.table("entry-points")
    for group in points:
        where = f"project.entry-points.{group}"
        if group in ("console_scripts", "gui_scripts"):
            key = group.removeprefix("console_").replace("_", "-")
            points.wrong(f"[{where}] is not allowed (PEP 621)", f"use [project.{key}]", group)
            continue
        if not re.fullmatch(r"\w+(\.\w+)*", group):
            points.wrong(f"[{where}] is no valid name for a group", "write words joined by '.'", group)
            continue
        names = points.table(group)
        for name, value in names.values.items():
            if not name.strip() or re.search(r"[\r\n=\[\]]", name):
                names.wrong(f"[{where}] {name!r} is no valid name", "rename it", name)
            elif _is_object(names, name, value, where):
                found.append((group, name, value))
    return tuple(sorted(found))


def _is_object(table: TypedTable, name: str, value: object, where: str, *, needs_attribute: bool = False) -> bool:
    if isinstance(value, str) and _OBJECT.fullmatch(value) and (":" in value or not needs_attribute):
        return True
    table.wrong(f"[{where}] {name}: {value!r} is no object reference", 'write "package.module:function"', name)
    return False
