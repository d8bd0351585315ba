"""What a commit's files are not: contents that Git LFS keeps elsewhere, and submodules.

Source: the Git LFS specification (pointer files); gitmodules(5).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

# The first line of a pointer, of which all are shorter than 1,024 bytes.
_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST = 1023  # bytes
_NAMED = 3


def lfs_pointers(directory: Path) -> list[str]:
    """The files below ``directory`` that are pointers, as posix paths in order."""
    found = []
    for above, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(names):
            path = Path(above, name)
            if path.is_symlink() or not len(_POINTER) < path.stat().st_size <= _LARGEST:
                continue
            with path.open("rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    found.append(path.relative_to(directory).as_posix())
    return found


def remarks(pointers: Sequence[str], submodules: Sequence[str]) -> tuple[str, ...]:
    """A line for each kind that there is."""
    found = []
    if pointers:
        found.append(f"Git LFS keeps the content of {_listed(pointers)}, which is not fetched: flows see the pointers")
    if submodules:
        found.append(f"{_listed(submodules)}: submodules are not fetched, and their directories are empty")
    return tuple(found)


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _NAMED
    # Names of files may hold anything, and these go to a terminal.
    named = [path if path.isprintable() else ascii(path) for path in paths[:_NAMED]]
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
