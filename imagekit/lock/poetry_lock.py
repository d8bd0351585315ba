"""``poetry.lock``, all its versions (1.0 to 2.1), read without Poetry.

What is installed is found by following the dependencies from what is asked for, on the target: the
groups and markers of lock version 2.1 say the same, older versions have none. Whether the lock is stale is
told as Poetry tells it, by ``content-hash`` (``poetry/packages/locker.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, InvalidRequirement, StaleLock
from imagekit.lock.locked_set import Edge, LockedVersion, applies, read_each
from imagekit.lock.locked_source import git_line, path_line, pinned_line, url_line
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.poetry_constraint import poetry_dependency
from imagekit.spec.toml import read_toml
from imagekit.spec.url import refuse_login

REMEDY = "make it anew: poetry lock"
_LEGACY = ("dependencies", "source", "extras", "dev-dependencies")
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")


def read_poetry_lock(path: Path, extras: Sequence[str] = ()) -> dict[str, list[LockedVersion]]:
    """Every package of ``path`` by its normalized name; ``extras`` are those of the project that are asked for.

    :class:`InvalidProject` names what cannot be honoured, all at once, by file and line.
    """
    tables = read_toml(path, InvalidProject)
    metadata = tables.get("metadata")
    version = metadata.get("lock-version") if isinstance(metadata, dict) else None
    if not isinstance(version, str) or version.split(".")[0] not in ("1", "2"):
        raise InvalidProject(
            f"{path.name}: lock-version is {version!r}, and 1.0 to 2.1 are known", hint="make it anew: poetry lock"
        )
    assert isinstance(metadata, dict)

    def read(package: Any, origin: str) -> LockedVersion:
        return _package(package, metadata, path, origin, extras)

    return read_each(path, tables.get("package"), read)


def check_fresh(path: Path, pyproject: Path) -> None:
    """:class:`StaleLock` where ``pyproject`` has changed since the lock ``path`` was made."""
    metadata = read_toml(path, InvalidProject).get("metadata")
    locked = metadata.get("content-hash") if isinstance(metadata, dict) else None
    tables = read_toml(pyproject, InvalidProject)
    # Before 2.3 dependency groups were not part of it.
    if locked not in {_content_hash(tables, groups=True), _content_hash(tables, groups=False)}:
        raise StaleLock(f"{path.name} was made from another pyproject.toml than the one at hand", hint=REMEDY)


def _content_hash(tables: Mapping[str, Any], *, groups: bool) -> str:
    project = tables.get("project") or {}
    poetry = (tables.get("tool") or {}).get("poetry") or {}
    dependency_groups = (tables.get("dependency-groups") or {}) if groups else {}
    of_project = {key: project[key] for key in _PROJECT if project.get(key) is not None}
    of_poetry = {
        key: poetry.get(key)
        for key in (*_LEGACY, "group")
        if poetry.get(key) is not None or (key in _LEGACY and not of_project and not dependency_groups)
    }
    content: dict[str, Any] = {}
    if of_project:
        content["project"] = of_project
    if dependency_groups:
        content["dependency-groups"] = dependency_groups
    content = {**content, "tool": {"poetry": of_poetry}} if content else of_poetry
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _package(
    package: Any, metadata: Mapping[str, Any], path: Path, origin: str, extras: Sequence[str]
) -> LockedVersion:
    name, version = (package.get("name"), package.get("version")) if isinstance(package, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(version, str):
        raise InvalidProject(f"{origin}: a package without a name or version", hint=REMEDY)
    source = package.get("source") or {}
    try:
        python = SpecifierSet(_python(package.get("python-versions", "*"), origin))
        markers = _markers(package.get("markers"))
    except (InvalidSpecifier, InvalidMarker) as problem:
        raise InvalidProject(f"{origin}: {name}: {' '.join(str(problem).split())}", hint=REMEDY) from None

    def fits(target: Target) -> bool:
        return python.contains(target.python, prereleases=True) and (
            not markers or any(applies(marker, target, extras) for marker in markers)
        )

    line, index = _line(name, version, source, _hashes(package, metadata, name, source, origin), path, origin)
    return LockedVersion(
        line=line, version=version, needs=tuple(_needs(package, path, origin)), fits=fits, extra_index=index
    )


def _python(text: str, origin: str) -> str:
    """A Poetry constraint as PEP 440's; one that no specifier set can say is none, and the markers decide."""
    if text == "*":
        return ""
    constraint = str(poetry_dependency("python", text, None, origin).constraint)
    return (
        ""
        if "||" in constraint or constraint == "*"
        else (f"=={constraint}" if constraint[:1].isdigit() else constraint)
    )


def _markers(markers: Any) -> list[Marker | None]:
    texts = list(markers.values()) if isinstance(markers, dict) else [markers] if markers else []
    return [None if text == "*" else Marker(text) for text in texts]


def _hashes(
    package: Mapping[str, Any], metadata: Mapping[str, Any], name: str, source: Mapping[str, Any], origin: str
) -> tuple[str, ...]:
    # Three generations: in the package, then in metadata.files by name, and before that in metadata.hashes.
    files = package.get("files")
    if files is None:
        files = (metadata.get("files") or {}).get(name)
    if files is None:
        files = [{"hash": f"sha256:{digest}"} for digest in (metadata.get("hashes") or {}).get(name, ())]
    hashes = tuple(sorted({f["hash"] for f in files if str(f.get("hash", "")).startswith("sha256:")}))
    if not hashes and source.get("type") not in ("git", "directory"):
        raise InvalidProject(f"{origin}: {name} has no sha256 hash", hint=REMEDY)
    return hashes


def _line(
    name: str, version: str, source: Mapping[str, Any], hashes: Sequence[str], path: Path, origin: str
) -> tuple[RequirementLine, str | None]:
    """The requirement that the entry is, and the index that it names."""
    kind, url, inside = source.get("type"), str(source.get("url", "")), source.get("subdirectory")
    if kind in (None, "legacy"):
        if kind is not None:
            refuse_login(url, origin)
        return pinned_line(name, version, hashes, origin), url or None
    if kind == "git":
        return git_line(name, url, str(source.get("resolved_reference")), inside, path.parent, origin), None
    if kind == "url" and not inside:
        return url_line(name, url, hashes, origin), None
    if kind in ("directory", "file"):
        return path_line(name, url, path.parent, path.parent, hashes if kind == "file" else (), origin), None
    raise InvalidProject(
        f"{origin}: {name} comes from {kind!r}, which is not supported", hint="take it from an index, git, URL or path"
    )


def _needs(package: Mapping[str, Any], path: Path, origin: str) -> list[Edge]:
    edges: list[Edge] = []
    extras = package.get("extras") or {}
    for name, constraints in (package.get("dependencies") or {}).items():
        for constraint in constraints if isinstance(constraints, list) else [constraints]:
            dependency = poetry_dependency(name, constraint, None, origin)
            marker = None if dependency.marker.is_any() else str(dependency.marker)
            if dependency.is_optional() and "extra" not in (marker or ""):
                # The extras that bring it are told apart from it.
                of = [e for e, texts in extras.items() if any(_named(text) == dependency.name for text in texts)]
                own = " or ".join(f'extra == "{canonicalize_name(extra)}"' for extra in of)
                if not own:
                    continue
                marker = f"({marker}) and ({own})" if marker else own
            try:
                parsed = Marker(marker) if marker else None
            except InvalidMarker as problem:
                raise InvalidRequirement(f"{origin}: {name}: {' '.join(str(problem).split())}", hint=REMEDY) from None
            edges.append(_edge(dependency, parsed))
    return edges


def _edge(dependency: Any, marker: Marker | None) -> Edge:
    from poetry.core.constraints.version import Version

    direct = dependency.is_vcs() or dependency.is_url() or dependency.is_file() or dependency.is_directory()
    constraint = dependency.constraint

    def allows(version: str) -> bool:
        return direct or bool(constraint.allows(Version.parse(version)))

    return Edge(name=dependency.name, extras=frozenset(dependency.extras), marker=marker, allows=allows)


def _named(text: str) -> str:
    return canonicalize_name(
        text.split("(")[0].split("[")[0].split(";")[0].split("<")[0].split(">")[0].split("=")[0].strip()
    )
