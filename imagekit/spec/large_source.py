"""A source that is large by accident: what makes it so, and the lines that leave it out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from imagekit.spec.source_tree import SKIPPED, SourceFile, SourceTree

# Source is text: what is larger than this, or more than this, holds something else.
LARGE_BYTES = 100_000_000
LARGE_COUNT = 10_000
_MOST_PARTS = 3
_SMALLEST_SHARE = 0.05  # of the whole: what is less is not worth a line
_ALL_BUT = 0.9  # of a directory: then it is this one of its parts that is meant
_IN_PATTERNS = "\\*?[!#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file or a directory that makes a source large."""

    path: str  # posix, relative to the context
    size: int  # bytes
    count: int  # files


def large_source(tree: SourceTree, what: str = "the source") -> str | None:
    """One line that names the largest parts of ``tree`` and what to write; ``None`` where it is of a usual size."""
    files = [file for file in tree.files if file.kind == "file"]
    size = sum(file.size for file in files)
    if size <= LARGE_BYTES and len(files) <= LARGE_COUNT:
        return None
    parts = largest_parts(files, by_size=size > LARGE_BYTES)
    named = ", ".join(f"{part.path} ({_bytes(part.size)} in {_files(part.count)})" for part in parts)
    lines = " ".join(_pattern(part.path) for part in parts)
    write = f"add to {tree.rules}, a line each: {lines}"
    if tree.rules is None:
        # A new one replaces imagekit's own rules.
        write = f"write a .dockerignore, a line each: {' '.join(f'**/{name}' for name in SKIPPED)} {lines}"
    return f"{what} is large: {_bytes(size)} in {_files(len(files))}; {named}. To leave them out, {write}"


def largest_parts(files: Iterable[SourceFile], *, by_size: bool = True) -> list[Part]:
    """At most three parts of ``files``, the largest first; by number of files where not by size."""
    files = list(files)
    found = [
        _narrowed(name, below, by_size=by_size)
        for name, below in _by_name(files, 0).items()
        if below and name is not None
    ]
    whole = _weight(files, by_size=by_size)
    found.sort(key=lambda part: (-(part.size if by_size else part.count), part.path))
    worth = [part for part in found if (part.size if by_size else part.count) >= _SMALLEST_SHARE * whole]
    return worth[:_MOST_PARTS] or found[:_MOST_PARTS]


def _narrowed(path: str, files: list[SourceFile], *, by_size: bool) -> Part:
    """The part at ``path``, or the one below it that is nearly all of it."""
    while path.rpartition("/")[2] not in SKIPPED:
        inside = _by_name(files, path.count("/") + 1)
        largest = max(inside, key=lambda name: _weight(inside[name], by_size=by_size))
        if largest == path or _weight(inside[largest], by_size=by_size) < _ALL_BUT * _weight(files, by_size=by_size):
            break
        path, files = largest, inside[largest]
    return Part(path=path, size=sum(file.size for file in files), count=len(files))


def _by_name(files: Iterable[SourceFile], depth: int) -> dict[str, list[SourceFile]]:
    """``files`` by the first ``depth + 1`` parts of their paths."""
    found: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        found["/".join(file.path.split("/")[: depth + 1])].append(file)
    return found


def _weight(files: list[SourceFile], *, by_size: bool) -> int:
    return sum(file.size for file in files) if by_size else len(files)


def _pattern(path: str) -> str:
    return "".join(f"\\{c}" if c in _IN_PATTERNS else c for c in path)


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}" if size < 10 * factor else f"{size // factor} {unit}"
    return f"{size} B"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
