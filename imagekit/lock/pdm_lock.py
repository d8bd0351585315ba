"""``pdm.lock`` (lock versions 4.x), read without PDM: pinned versions with hashes, dependencies and groups.

Whether it is stale is told as PDM tells it, by ``content_hash`` (``pdm/project/project_file.py``); a lock with
the canonical inputs of PDM 2.28 has none, and is held to the requirements that it must answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, StaleLock
from imagekit.lock.locked_set import Edge, LockedVersion, applies, edge_of, read_each
from imagekit.lock.locked_source import git_line, path_line, pinned_line, url_line
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import read_toml

REMEDY = "make it anew: pdm lock"


def read_pdm_lock(path: Path, names: Iterable[str]) -> dict[str, list[LockedVersion]]:
    """Every package of ``path`` by its normalized name; ``names`` are the extras and groups that are asked for.

    :class:`StaleLock` where one of ``names`` is not in the lock; :class:`InvalidProject` names what cannot be
    honoured, all at once, by file and line.
    """
    tables = read_toml(path, InvalidProject)
    metadata = tables.get("metadata")
    version = metadata.get("lock_version") if isinstance(metadata, dict) else None
    if not isinstance(version, str) or not version.startswith("4."):
        raise InvalidProject(f"{path.name}: lock_version is {version!r}, and 4.x is known", hint=REMEDY)
    assert isinstance(metadata, dict)
    known = {canonicalize_name(str(group)) for group in metadata.get("groups") or ()}
    if absent := sorted({canonicalize_name(name) for name in names} - known):
        raise StaleLock(f"{path.name} has no group {', '.join(absent)}", hint=f"lock it too: pdm lock -G {absent[0]}")
    return read_each(path, tables.get("package"), lambda package, origin: _package(package, path, origin))


def check_fresh(path: Path, pyproject: Path) -> None:
    """:class:`StaleLock` where ``pyproject`` has changed since the lock ``path`` was made."""
    metadata = read_toml(path, InvalidProject).get("metadata")
    kind, _, locked = str((metadata or {}).get("content_hash", "")).partition(":")
    if not locked:
        return
    tables = read_toml(pyproject, InvalidProject)
    project = tables.get("project") or {}
    settings = (tables.get("tool") or {}).get("pdm") or {}
    groups = {canonicalize_name(name): list(items) for name, items in (tables.get("dependency-groups") or {}).items()}
    for name, items in (settings.get("dev-dependencies") or {}).items():
        groups.setdefault(canonicalize_name(name), []).extend(items)
    content = {
        "sources": settings.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": groups,
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": settings.get("resolution", {}),
    }
    text = json.dumps(content, sort_keys=True, default=str)
    if kind not in hashlib.algorithms_guaranteed or hashlib.new(kind, text.encode()).hexdigest() != locked:
        raise StaleLock(f"{path.name} was made from another pyproject.toml than the one at hand", hint=REMEDY)


def _package(package: Any, path: Path, origin: str) -> LockedVersion:
    name = package.get("name") if isinstance(package, dict) else None
    if not isinstance(name, str):
        raise InvalidProject(f"{origin}: a package without a name", hint=REMEDY)
    version = str(package.get("version", ""))
    try:
        python = SpecifierSet(package.get("requires_python", ""))
        marker = Marker(package["marker"]) if package.get("marker") else None
        needs: list[Edge] = [edge_of(Requirement(text)) for text in package.get("dependencies") or ()]
    except (InvalidSpecifier, InvalidMarker, NoRequirement) as problem:
        raise InvalidProject(f"{origin}: {name}: {' '.join(str(problem).split())}", hint=REMEDY) from None

    def fits(target: Target) -> bool:
        return python.contains(target.python, prereleases=True) and applies(marker, target)

    return LockedVersion(
        line=_line(name, version, package, path, origin),
        version=version or "0",
        needs=tuple(needs),
        fits=fits,
        extras=frozenset(canonicalize_name(extra) for extra in package.get("extras") or ()),
    )


def _line(name: str, version: str, package: Mapping[str, Any], path: Path, origin: str) -> RequirementLine:
    files = package.get("files") or ()
    hashes = tuple(sorted({f["hash"] for f in files if str(f.get("hash", "")).startswith("sha256:")}))
    if isinstance(package.get("git"), str):
        return git_line(
            name, package["git"], str(package.get("revision")), package.get("subdirectory"), path.parent, origin
        )
    if isinstance(package.get("path"), str):
        held = hashes if (path.parent / package["path"]).is_file() else ()
        return path_line(name, package["path"], path.parent, path.parent, held, origin)
    if isinstance(package.get("url"), str) and not package.get("subdirectory"):
        return url_line(name, package["url"], hashes, origin)
    if not version or not hashes or package.get("url"):
        raise InvalidProject(f"{origin}: {name} has no version with a sha256 hash", hint=REMEDY)
    return pinned_line(name, version, hashes, origin)
