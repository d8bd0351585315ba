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

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, StaleLock
from imagekit.lock.locked_set import Edge, LockedIndex, LockedVersion, applies, locked_metadata, read_each
from imagekit.lock.locked_source import git_line, inside_archive, path_line, pinned_line, url_line
from imagekit.lock.locked_table import LockedTable
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.poetry_constraint import poetry_dependency
from imagekit.spec.toml import read_toml
from imagekit.spec.url import refuse_credentials

REMEDY = "make it anew: poetry lock"
_LEGACY = ("dependencies", "source", "extras", "dev-dependencies")
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")


def read_poetry_lock(
    path: Path, extras: Sequence[str] = (), *, pyproject: Path | None = None
) -> dict[str, list[LockedVersion]]:
    """Every package of ``path`` by its normalized name; ``extras`` are those of the project that are asked for.

    :class:`InvalidProject` names what cannot be honoured, all at once, by file and line; :class:`StaleLock` where
    ``pyproject`` has changed since the lock was made.
    """
    tables = read_toml(path, InvalidProject)
    metadata = locked_metadata(path, tables, REMEDY)
    version = metadata.text("lock-version")
    if version.split(".")[0] not in ("1", "2"):
        raise metadata.wrong(f"lock-version is {version!r}, and 1.0 to 2.1 are known")

    def read(package: LockedTable, name: str) -> LockedVersion:
        return _package(package, name, metadata, path, extras)

    packages = read_each(path, tables.get("package"), REMEDY, read)
    if pyproject is not None:
        _check_fresh(path, metadata, pyproject)
    return packages


def _check_fresh(path: Path, metadata: LockedTable, pyproject: Path) -> None:
    tables = read_toml(pyproject, InvalidProject)
    # Before 2.3 dependency groups were not part of it.
    hashes = {_content_hash(tables, groups=True), _content_hash(tables, groups=False)}
    if metadata.text("content-hash") not in hashes:
        raise StaleLock(f"{path.name} was made from another pyproject.toml than the one at hand", hint=REMEDY)


def _content_hash(tables: Mapping[str, Any], *, groups: bool) -> str:
    written = LockedTable.of(tables, "pyproject.toml", "mend it there")
    project = written.table("project").values
    poetry = written.table("tool").table("poetry").values
    dependency_groups = written.table("dependency-groups").values if groups else {}
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
    package: LockedTable, name: str, metadata: LockedTable, path: Path, extras: Sequence[str]
) -> LockedVersion:
    version = package.version()
    python = _python(package)
    markers = _markers(package)

    def fits(target: Target) -> bool:
        return python.contains(target.python, prereleases=True) and (
            not markers or any(applies(marker, target, extras) for marker in markers)
        )

    source = package.table("source")
    line, index = _line(name, version, source, _hashes(package, metadata, name, source), path)
    return LockedVersion(line=line, version=version, needs=tuple(_needs(package)), fits=fits, index=index)


def _python(package: LockedTable) -> SpecifierSet:
    """A Poetry constraint as PEP 440's; one that no specifier set can say is none, and the markers decide."""
    text = package.text("python-versions")
    if text in ("", "*"):
        return SpecifierSet()
    constraint = str(poetry_dependency("python", text, None, package.origin).constraint)
    if "||" in constraint or constraint == "*":
        return SpecifierSet()
    try:
        return SpecifierSet(f"=={constraint}" if constraint[:1].isdigit() else constraint)
    except InvalidSpecifier:
        raise package.wrong(f"python-versions is {text!r}, which is no constraint") from None


def _markers(package: LockedTable) -> list[Marker | None]:
    written = package.values.get("markers")
    # One for all groups, or one for each.
    texts = (
        [package.table("markers").text(group) for group in written]
        if isinstance(written, dict)
        else [text for text in (package.text("markers"),) if text]
    )
    return [None if text == "*" else package.parsed_marker(text) for text in texts]


def _hashes(package: LockedTable, metadata: LockedTable, name: str, source: LockedTable) -> tuple[str, ...]:
    # Three generations: in the package, then in metadata.files by name, and before that in metadata.hashes.
    if "files" in package.values:
        texts = [file.text("hash") for file in package.tables("files")]
    elif name in metadata.table("files").values:
        texts = [file.text("hash") for file in metadata.table("files").tables(name)]
    else:
        texts = [f"sha256:{digest}" for digest in metadata.table("hashes").texts(name)]
    hashes = package.sha256s(texts)
    if not hashes and source.text("type") not in ("git", "directory"):
        raise package.wrong("it has no sha256 hash")
    return hashes


def _line(
    name: str, version: str, source: LockedTable, hashes: Sequence[str], path: Path
) -> tuple[RequirementLine, LockedIndex | None]:
    """The requirement that the entry is, and the index that it names."""
    kind, url, inside, origin = source.text("type"), source.text("url"), source.text("subdirectory"), source.origin
    if kind in ("", "legacy"):
        index = None
        if url:
            refuse_credentials(url, origin)
            index = LockedIndex(name=source.text("reference"), url=url, origin=origin)
        return pinned_line(name, version, hashes, origin), index
    if kind == "git":
        return git_line(name, url, source.text("resolved_reference"), inside, path.parent, origin), None
    if kind in ("url", "file") and inside:
        raise inside_archive(name, origin)
    if kind == "url":
        return url_line(name, url, hashes, origin), None
    if kind in ("directory", "file"):
        return path_line(name, url, path.parent, path.parent, hashes if kind == "file" else (), origin), None
    raise source.wrong(f"it comes from {kind!r}, which is not supported; an index, git, a URL and a path are")


def _needs(package: LockedTable) -> list[Edge]:
    edges: list[Edge] = []
    extras = package.table("extras")
    bringing = {name: [_named(text) for text in extras.texts(name)] for name in extras.values}
    for name, constraints in package.table("dependencies").values.items():
        for constraint in constraints if isinstance(constraints, list) else [constraints]:
            dependency = poetry_dependency(name, constraint, None, package.origin)
            marker = "" if dependency.marker.is_any() else str(dependency.marker)
            if dependency.is_optional() and "extra" not in marker:
                # The extras that bring it are told apart from it.
                of = [extra for extra, names in bringing.items() if dependency.name in names]
                own = " or ".join(f'extra == "{canonicalize_name(extra)}"' for extra in of)
                if not own:
                    continue
                marker = f"({marker}) and ({own})" if marker else own
            edges.append(_edge(dependency, package.parsed_marker(marker)))
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
