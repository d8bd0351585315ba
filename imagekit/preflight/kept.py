"""The compiled files of wheels, kept by the wheel's hash: read once on a machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.layers.values import read_file
from imagekit.notes import from_note, to_note
from imagekit.preflight.values import CompiledFile
from imagekit.sharing.leases import mark_used

# Part of what is kept: raised when more is read of a file than before.
FORMAT = 1
_DIRECTORY = "needs"


class KeptNeeds:
    """What wheels' compiled files ask for, kept in ``cache`` (the cache directory) by the wheel's SHA-256."""

    def __init__(self, cache: Path) -> None:
        self._root = cache

    def get(self, sha256: str) -> tuple[CompiledFile, ...] | None:
        """The files of that wheel; ``None`` where it was not looked at, or the note is not whole."""
        path = self._path(sha256)
        try:
            known = from_note(read_file(path))
            if known["format"] != FORMAT:
                return None
            found = tuple(_file(value) for value in known["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        mark_used(path, self._root)
        return found

    def keep(self, sha256: str, files: Sequence[CompiledFile]) -> None:
        note = to_note({"format": FORMAT, "files": [_value(file) for file in files]})
        # What is only remembered must not end what is under way.
        with suppress(OSError, DiskFull):
            write_whole(self._path(sha256), note)

    def _path(self, sha256: str) -> Path:
        return self._root / _DIRECTORY / f"{sha256}.json"


def _value(file: CompiledFile) -> dict[str, object]:
    """What differs from nothing, as most of it does not."""
    return {name: value for name, value in asdict(file).items() if value}


def _file(value: dict[str, object]) -> CompiledFile:
    fields = {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
    return CompiledFile(**fields)  # type: ignore[arg-type]
