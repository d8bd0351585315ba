"""``Pipfile.lock`` (pipfile-spec 6), read without pipenv: a flat set with versions, hashes and markers.

Whether it is stale is told by the Pipfile's hash in it (``plette/pipfiles.py``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject, StaleLock
from imagekit.lock.locked_set import LockedSet, applies, refuse
from imagekit.lock.locked_source import git_line, path_line, pinned_line, url_line
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import read_toml
from imagekit.spec.url import refuse_login

REMEDY = "make it anew: pipenv lock"
_SECTIONS = ("source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default", "develop")


def read_pipfile_lock(path: Path, target: Target, groups: Iterable[str]) -> LockedSet:
    """What the lock's ``default`` and the categories ``groups`` (``dev`` is ``develop``) have for ``target``.

    :class:`StaleLock` where the Pipfile beside it has changed, or a category is not there;
    :class:`InvalidProject` names what cannot be honoured, all at once, by file and line.
    """
    text, document = _document(path)
    _check_fresh(path, document)
    sections: dict[str, str] = {canonicalize_name(name): name for name in document if name != "_meta"}
    lines: dict[str, RequirementLine] = {}
    indexes: list[str] = []
    problems: list[InputError] = []
    sources = document["_meta"].get("sources") or ()
    of_index = {s["name"]: s["url"] for s in sources if isinstance(s, dict) and "name" in s and "url" in s}
    first = next(iter(of_index), None)
    for group in ("default", *groups):
        section = sections.get("develop" if group in ("dev", "develop", "dev-packages") else canonicalize_name(group))
        if section is None:
            raise StaleLock(f"{path.name} has no category {group!r}", hint=f"it has {', '.join(sorted(sections))}")
        for name, entry in document[section].items():
            origin = f"{path.name}:{_line_of(text, name)}"
            try:
                if not _applies(entry, target, name, origin):
                    continue
                lines[canonicalize_name(name)] = _line(name, entry, path, origin)
                if entry.get("index") in of_index and entry["index"] != first:
                    refuse_login(of_index[entry["index"]], origin)
                    indexes.append(of_index[entry["index"]])
            except InputError as problem:
                problems.append(problem)
    refuse(problems)
    return LockedSet(lines=tuple(lines[name] for name in sorted(lines)), extra_indexes=tuple(dict.fromkeys(indexes)))


def _document(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        document = json.loads(text)
    except (OSError, ValueError) as problem:
        line = f":{problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise InvalidProject(f"{path.name}{line}: cannot be read: {problem}", hint=REMEDY) from None
    meta = document.get("_meta") if isinstance(document, dict) else None
    if not isinstance(meta, dict) or meta.get("pipfile-spec") != 6:
        raise InvalidProject(f"{path.name}: its pipfile-spec is not 6, which is the one known", hint=REMEDY)
    return text, document


def _check_fresh(path: Path, document: Mapping[str, Any]) -> None:
    pipfile = path.with_name("Pipfile")
    locked = (document["_meta"].get("hash") or {}).get("sha256")
    if not pipfile.is_file():
        return
    tables = read_toml(pipfile, InvalidProject)
    content = {
        "_meta": {"sources": tables.get("source") or [], "requires": tables.get("requires") or {}},
        "default": tables.get("packages") or {},
        "develop": tables.get("dev-packages") or {},
    }
    # Categories came later, and into the hash later still.
    categories = {name: table for name, table in tables.items() if name not in _SECTIONS}
    # Where the Pipfile names no index, pipenv puts its own default into the hash, which is not known here.
    hashes = {_hash(each) for one in (content, {**content, **categories}) for each in (one, _canonical(one))}
    if tables.get("source") and locked not in hashes:
        raise StaleLock(f"{path.name} was made from another Pipfile than the one at hand", hint=REMEDY)


def _canonical(content: Mapping[str, Any]) -> dict[str, Any]:
    """``content`` with the names of packages normalized, as newer versions hash it."""
    return {
        key: {canonicalize_name(name): value for name, value in table.items()} if key != "_meta" else table
        for key, table in content.items()
        if isinstance(table, dict)
    }


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _applies(entry: Any, target: Target, name: str, origin: str) -> bool:
    if not isinstance(entry, dict):
        raise InvalidProject(f"{origin}: {name} is no table", hint=REMEDY)
    try:
        return applies(Marker(entry["markers"]) if entry.get("markers") else None, target)
    except InvalidMarker as problem:
        raise InvalidProject(f"{origin}: {name}: {' '.join(str(problem).split())}", hint=REMEDY) from None


def _line(name: str, entry: Mapping[str, Any], path: Path, origin: str) -> RequirementLine:
    hashes = tuple(h for h in entry.get("hashes") or () if str(h).startswith("sha256:"))
    if isinstance(entry.get("git"), str):
        return git_line(name, entry["git"], str(entry.get("ref")), entry.get("subdirectory"), path.parent, origin)
    for key in ("path", "file"):
        place = entry.get(key)
        if isinstance(place, str) and "://" in place:
            return url_line(name, place, hashes, origin)
        if isinstance(place, str):
            return path_line(name, place, path.parent, path.parent, (), origin)
    version = re.fullmatch(r"={2,3}\s*(\S+)", str(entry.get("version", "")))
    if version is None or not hashes:
        raise InvalidProject(f"{origin}: {name} has no version with a sha256 hash", hint=REMEDY)
    return pinned_line(name, version[1], hashes, origin)


def _line_of(text: str, name: str) -> int:
    found = re.search(rf'^\s*"{re.escape(name)}"\s*:', text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1
