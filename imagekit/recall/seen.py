"""Files and directories as they were, by what the file system says of them.

A change of content, mode or owner moves a file's ctime, whatever is done to its mtime; so a
file that has the same one is not read again. The one gap is a change within the clock's own
tick: ``Sights.settled`` says whether all that was seen is older than that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Kernels stamp files by a clock that ticks every few milliseconds.
TICK = 10_000_000  # ns

Mark = list[int]  # mtime and ctime in ns, size, inode, mode
Listing = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """What was seen. ``files`` maps a path to its mark, ``None`` for one that was not there."""

    files: Mapping[str, Mark | None]  # what decides what is built, but for the source
    source: Mapping[str, Mark | None]  # files that were read as the project's source alone
    directories: Mapping[str, tuple[Mark, Listing] | None]

    @classmethod
    def of(cls, files: Iterable[str], source: Iterable[str], directories: Iterable[str]) -> Sights:
        """Look at all of these now."""
        decisive = {path: mark(path) for path in sorted(files)}
        return cls(
            files=decisive,
            source={path: mark(path) for path in sorted(source) if path not in decisive},
            directories={path: _directory(path) for path in sorted(directories)},
        )

    def again(self) -> Sights:
        """The same files and directories, as they are now."""
        return Sights.of(self.files, self.source, self.directories)

    def settled(self, since: int) -> bool:
        """Whether nothing of it changed after ``since`` (ns of the epoch), so that a later change will be seen."""
        marks = [*self.files.values(), *self.source.values(), *(d[0] for d in self.directories.values() if d)]
        return all(found is None or max(found[0], found[1]) < since - TICK for found in marks)

    def changed(self) -> list[str] | None:
        """Source files that changed; ``None`` where anything else did, or where files came or went."""
        if any(mark(path) != known for path, known in self.files.items()):
            return None
        for path, known_directory in self.directories.items():
            found = mark(path)
            if known_directory is None or found is None:
                if found is not None or known_directory is not None:
                    return None
            elif found != known_directory[0] and _listing(path) != known_directory[1]:
                return None
        moved = [path for path, known in self.source.items() if mark(path) != known]
        return moved if all(os.path.isfile(path) for path in moved) else None

    def to_json(self) -> dict[str, object]:
        return {"files": self.files, "source": self.source, "directories": self.directories}

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, object]]) -> Sights:
        return cls(
            files=dict(value["files"]),  # type: ignore[arg-type]
            source=dict(value["source"]),  # type: ignore[arg-type]
            directories={path: (d[0], d[1]) if d else None for path, d in value["directories"].items()},  # type: ignore[index]
        )


def mark(path: str) -> Mark | None:
    """What tells one state of a file from another; ``None`` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode]


def _directory(path: str) -> tuple[Mark, Listing] | None:
    # The mark first: what comes in between is a change then.
    found = mark(path)
    listing = _listing(path)
    return (found, listing) if found is not None and listing is not None else None


def _listing(path: str) -> Listing | None:
    """The names in a directory, each link with what it points at: a link that is turned moves no file's mark."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.name if not e.is_symlink() else f"{e.name} -> {os.readlink(e.path)}" for e in entries)
    except OSError:
        return None
