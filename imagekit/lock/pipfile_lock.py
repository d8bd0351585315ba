"""``Pipfile.lock`` (pipfile-spec 6), read without pipenv: a flat set with versions, hashes and markers.

Whether it is stale is told by the Pipfile's hash in it (``plette/pipfiles.py``). A package comes from the index that
its entry names, and all others from the first of the lock (``pipenv/routines/install.py``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import InvalidName, canonicalize_name

from imagekit.errors import InputError, InvalidProject, StaleLock
from imagekit.lock.locked_set import LockedIndex, LockedSet, applies, refuse
from imagekit.lock.locked_source import git_line, inside_archive, path_line, pinned_line, url_line
from imagekit.lock.locked_table import LockedTable
from imagekit.lock.target import Target
from imagekit.spec.image import RequirementLine
from imagekit.spec.toml import read_toml

REMEDY = "make it anew: pipenv lock"
_SECTIONS = ("source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default", "develop")
_TABLE = re.compile(r'("(?:[^"\\]|\\.)*")\s*:\s*\{')
# Short forms of markers, each a key of its own with "OPERATOR 'VALUE'" (``pipenv/utils/dependencies.py``).
_MARKERS = (
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
)


_DEVELOP = ("dev", "develop", "dev-packages")  # names of one category


def read_pipfile_lock(path: Path, target: Target | None, groups: Iterable[str]) -> LockedSet:
    """What the lock's ``default`` and the categories ``groups`` (``dev`` is ``develop``) have for ``target``.

    ``None``: what they have for any.

    :class:`StaleLock` where the Pipfile beside it has changed, or a category is not there;
    :class:`InvalidProject` names what cannot be honoured, all at once, by file and line.
    """
    text, document = _document(path)
    meta = document.table("_meta")
    _check_fresh(path, meta)
    sources = _sources(text, meta, path)
    places = _Lines(text)
    sections: dict[str, str] = {canonicalize_name(name): name for name in document.values if name != "_meta"}
    lines: dict[str, RequirementLine] = {}
    indexes: dict[str, LockedIndex] = {}
    problems: list[InputError] = []
    # As pipenv has it: which category's entries are installed is told by where they stand alone.
    categories = ("dev", *sections.values())
    for group in ("default", *groups):
        section = sections.get("develop" if group in _DEVELOP else canonicalize_name(group))
        if section is None:
            raise StaleLock(f"{path.name} has no category {group!r}", hint=f"it has {', '.join(sorted(sections))}")
        for name, value in document.table(section).values.items():
            try:
                entry = LockedTable.of(value, f"{path.name}:{places.of(section, name)}", REMEDY, name)
                normalized = _normalized(entry, name)
                if not _applies(entry, target, categories):
                    continue
                lines[normalized] = _line(name, entry, path)
                if index := entry.text("index"):
                    if index not in sources:
                        raise entry.wrong(f"it comes from the source {index!r}, which the lock does not have")
                    indexes[normalized] = sources[index]
            except InputError as problem:
                problems.append(problem)
    refuse(problems)
    return LockedSet(
        lines=tuple(lines[name] for name in sorted(lines)),
        default=next(iter(sources.values()), None),
        indexes=tuple(sorted((name, index) for name, index in indexes.items() if name in lines)),
    )


def _document(path: Path) -> tuple[str, LockedTable]:
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as problem:
        raise InvalidProject(f"{path.name} cannot be read: {problem.strerror}", hint=f"see: ls -l {path}") from None
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise InvalidProject(f"{path.name}:{line}: not UTF-8", hint="JSON is UTF-8: save the file as that") from None
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, text, path))
    except json.JSONDecodeError as problem:
        raise InvalidProject(f"{path.name}:{problem.lineno}: not JSON: {problem.msg}", hint=REMEDY) from None
    except RecursionError:
        raise InvalidProject(f"{path.name}: nested too deeply", hint=REMEDY) from None
    except InputError:
        raise
    except ValueError as problem:  # an integer of more digits than Python reads
        raise InvalidProject(f"{path.name}: not JSON: {problem}", hint=REMEDY) from None
    document = LockedTable.of(content, path.name, REMEDY)
    if document.table("_meta").values.get("pipfile-spec") != 6:
        raise document.wrong("its pipfile-spec is not 6, which is the one known")
    return text, document


def _once(pairs: list[tuple[str, Any]], text: str, path: Path) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        line = text.count("\n", 0, text.rfind(json.dumps(twice, ensure_ascii=False))) + 1
        raise InvalidProject(f"{path.name}:{line}: {twice!r} is there twice", hint=REMEDY)
    return found


def _check_fresh(path: Path, meta: LockedTable) -> None:
    pipfile = path.with_name("Pipfile")
    locked = meta.table("hash").text("sha256")
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


def _sources(text: str, meta: LockedTable, path: Path) -> dict[str, LockedIndex]:
    found: dict[str, LockedIndex] = {}
    for source in meta.tables("sources"):
        name, url = source.text("name"), source.text("url")
        at = text.find(json.dumps(url))
        origin = f"{path.name}:{text.count(chr(10), 0, max(at, 0)) + 1}"
        if not url:
            raise source.wrong("a source without a url")
        found.setdefault(name, LockedIndex(name=name, url=url, origin=origin))
    return found


def _normalized(entry: LockedTable, name: str) -> str:
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName:
        raise entry.wrong("no name of a package") from None


def _applies(entry: LockedTable, target: Target | None, groups: Iterable[str]) -> bool:
    short = (f"{key} {entry.text(key)}" for key in _MARKERS if entry.text(key))
    markers = [entry.parsed_marker(marker) for marker in (entry.text("markers"), *short)]
    if target is None:
        return not any(markers)
    # pipenv writes the markers of PEP 751, where it writes a pylock.toml, too: 'dev' in dependency_groups.
    return all(applies(marker, target, groups=groups) for marker in markers)


def _line(name: str, entry: LockedTable, path: Path) -> RequirementLine:
    hashes, origin = entry.sha256s(entry.texts("hashes")), entry.origin
    inside = entry.text("subdirectory")
    if git := entry.text("git"):
        return git_line(name, git, entry.text("ref"), inside, path.parent, origin)
    if other := next((kind for kind in ("hg", "svn", "bzr") if kind in entry.values), None):
        raise entry.wrong(f"it comes from {other}, and only git is known")
    if place := entry.text("path") or entry.text("file"):
        if inside:
            raise inside_archive(name, origin)
        if "://" in place and not place.startswith("file:"):
            return url_line(name, place, hashes, origin)
        return path_line(name, place, path.parent, path.parent, hashes, origin)
    version = re.fullmatch(r"={2,3}\s*(\S+)", entry.text("version"))
    if version is None or not hashes:
        raise entry.wrong("it has no version with a sha256 hash")
    pinned = LockedTable(values={"version": version[1]}, origin=origin, remedy=REMEDY, title=name)
    return pinned_line(name, pinned.version(), hashes, origin)


class _Lines:
    """On which lines the entries stand: there a name is the key of a table, and in a list of extras it is none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tables: dict[str, list[tuple[int, int]]] = {}  # a key as it is written → (position, line)
        line, counted = 1, 0
        for found in _TABLE.finditer(text):
            line += text.count("\n", counted, found.start())
            counted = found.start()
            self._tables.setdefault(found[1], []).append((counted, line))

    def of(self, section: str, name: str) -> int:
        """The line of the entry ``name`` of ``section``."""
        start = next(iter(self._tables.get(json.dumps(section), ())), (0, 1))
        written = (json.dumps(name), json.dumps(name, ensure_ascii=False))
        places = (place for key in written for place in self._tables.get(key, ()) if place > start)
        return next(places, start)[1]
