"""``pdm.lock`` (lock versions 4.x), read without PDM: pinned versions with hashes, dependencies and groups.

Whether it is stale is told as PDM tells it, by ``content_hash`` (``pdm/project/project_file.py``); a lock with
the canonical inputs of PDM 2.28 has none, and is held to the requirements that it must answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, StaleLock
from imagekit.lock.locked_set import LockedVersion, applies, edge_of, locked_metadata, read_each
from imagekit.lock.locked_source import git_line, inside_archive, path_line, pinned_line, url_line
from imagekit.lock.locked_table import LockedTable
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import read_toml

REMEDY = "make it anew: pdm lock"


def read_pdm_lock(path: Path, names: Iterable[str], *, pyproject: Path | None = None) -> dict[str, list[LockedVersion]]:
    """Every package of ``path`` by its normalized name; ``names`` are the extras and groups that are asked for.

    :class:`StaleLock` where one of ``names`` is not in the lock, or ``pyproject`` has changed since;
    :class:`InvalidProject` names what cannot be honoured, all at once, by file and line.
    """
    tables = read_toml(path, InvalidProject)
    metadata = locked_metadata(path, tables, REMEDY)
    version = metadata.text("lock_version")
    if not version.startswith("4."):
        raise metadata.wrong(f"lock_version is {version!r}, and 4.x is known")
    known = {canonicalize_name(group) for group in metadata.texts("groups")}
    if absent := sorted({canonicalize_name(name) for name in names} - known):
        raise StaleLock(f"{path.name} has no group {', '.join(absent)}", hint=f"lock it too: pdm lock -G {absent[0]}")
    packages = read_each(path, tables.get("package"), REMEDY, lambda package, name: _package(package, name, path))
    if pyproject is not None:
        _check_fresh(path, metadata, pyproject)
    return packages


def _check_fresh(path: Path, metadata: LockedTable, pyproject: Path) -> None:
    kind, _, locked = metadata.text("content_hash").partition(":")
    if not locked:
        return
    written = LockedTable.of(read_toml(pyproject, InvalidProject), "pyproject.toml", "mend it there")
    project = written.table("project").values
    settings = written.table("tool").table("pdm")
    groups: dict[str, list[Any]] = {}
    for table in (written.table("dependency-groups"), settings.table("dev-dependencies")):
        for name in table.values:
            groups.setdefault(canonicalize_name(name), []).extend(table.items(name))
    content = {
        "sources": settings.values.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": groups,
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": settings.values.get("resolution", {}),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    if kind not in hashlib.algorithms_guaranteed or hashlib.new(kind, text.encode()).hexdigest() != locked:
        raise StaleLock(f"{path.name} was made from another pyproject.toml than the one at hand", hint=REMEDY)


def _package(package: LockedTable, name: str, path: Path) -> LockedVersion:
    # What is named by its place may have none.
    version = package.version() if package.text("version") else ""
    python, marker = package.specifiers("requires_python"), package.marker("marker")
    needs = [edge_of(_requirement(package, text)) for text in package.texts("dependencies")]

    def fits(target: Target) -> bool:
        return python.contains(target.python, prereleases=True) and applies(marker, target)

    return LockedVersion(
        line=_line(name, version, package, path),
        version=version or "0",
        needs=tuple(needs),
        fits=fits,
        extras=frozenset(canonicalize_name(extra) for extra in package.texts("extras")),
    )


def _requirement(package: LockedTable, text: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except (NoRequirement, RecursionError) as problem:
        raise package.wrong(" ".join(str(problem).split())) from None
    if requirement.marker is not None:
        package.parsed_marker(str(requirement.marker))
    return requirement


def _line(name: str, version: str, package: LockedTable, path: Path) -> RequirementLine:
    hashes, origin = package.sha256s([file.text("hash") for file in package.tables("files")]), package.origin
    inside = package.text("subdirectory")
    if git := package.text("git"):
        return git_line(name, git, package.text("revision"), inside, path.parent, origin)
    if other := next((kind for kind in ("hg", "svn", "bzr") if kind in package.values), None):
        raise package.wrong(f"it comes from {other}, and only git is known")
    place, url = package.text("path"), package.text("url")
    if (place or url) and inside:
        raise inside_archive(name, origin)
    if place:
        return path_line(name, place, path.parent, path.parent, hashes, origin)
    if url:
        return url_line(name, url, hashes, origin)
    if not version or not hashes:
        raise package.wrong("it has no version with a sha256 hash")
    return pinned_line(name, version, hashes, origin)
