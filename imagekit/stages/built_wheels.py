"""Wheels that were built here, kept by what they were built from."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import parse_wheel_filename

from imagekit.atomic import UNFINISHED, is_disk_full
from imagekit.errors import DiskFull
from imagekit.layers.values import digest_of_file
from imagekit.lock.values import Artifact, BuildTool, is_file_name
from imagekit.notes import from_note, to_note
from imagekit.oci.digest import Digest
from imagekit.sharing.leases import mark_used

# Begins with a dot: all other files here lie under their hash.
_NOTE = ".note.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWheel:
    """A wheel on this machine's disk."""

    path: Path
    sha256: str  # 64 hex digits
    filename: str
    tools: tuple[BuildTool, ...] = ()  # what its build had at hand

    @property
    def version(self) -> str:
        return str(parse_wheel_filename(self.filename)[1])

    @property
    def artifact(self) -> Artifact:
        """The wheel as a lock names one."""
        return Artifact(
            filename=self.filename, url=self.path.as_uri(), sha256=self.sha256, size=self.path.stat().st_size
        )


class BuiltWheels:
    """A directory of ``<key>/<sha256>/<filename>``; a key's directory appears whole, or not at all.

    Beside the wheel stands what is to be there: the key, the file's name and hash, and the tools that made it. Several
    processes may share the directory. Where two build the same, the first to finish is kept and used by both, so that
    an image never mixes two builds of one source.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: Digest) -> LocalWheel | None:
        """The wheel kept for ``key``; one that is not what was noted of it counts as none, and is dropped."""
        place = self._directory / key.removeprefix("sha256:")
        if not place.is_dir():
            return None
        known = _read_note(place / _NOTE, key)
        path = None if known is None else place / known.sha256 / known.filename
        if known is None or path is None or _sha256(path) != known.sha256:
            shutil.rmtree(place, ignore_errors=True)
            return None
        mark_used(path, self._directory.parent)
        return replace(known, path=path)

    def put(self, key: Digest, wheel: Path, tools: tuple[BuildTool, ...] = ()) -> LocalWheel:
        """Keep ``wheel`` for ``key``; what is kept is returned, which may be another process's."""
        place = self._directory / key.removeprefix("sha256:")
        made = LocalWheel(path=wheel, sha256=_sha256(wheel), filename=wheel.name, tools=tools)
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._directory))
            try:
                (temporary / made.sha256).mkdir()
                shutil.copyfile(wheel, temporary / made.sha256 / wheel.name)
                (temporary / _NOTE).write_bytes(_note(made, key))
                with contextlib.suppress(OSError):  # there already, and not empty: another was first
                    os.rename(temporary, place)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            if is_disk_full(error):
                raise DiskFull(f"no space left for {place}", hint="free some space") from error
            raise
        return self.get(key) or made


def _note(wheel: LocalWheel, key: Digest) -> bytes:
    return to_note(
        {
            "key": key,
            "filename": wheel.filename,
            "sha256": wheel.sha256,
            "tools": [[tool.name, tool.version, tool.filename, tool.sha256] for tool in wheel.tools],
        }
    )


def _read_note(path: Path, key: Digest) -> LocalWheel | None:
    """What was noted, its ``path`` that of the note; ``None`` where it is damaged, or of another key."""
    try:
        known = from_note(path.read_bytes())
        tools = tuple(BuildTool(name=n, version=v, filename=f, sha256=s) for n, v, f, s in known["tools"])
        wheel = LocalWheel(path=path, sha256=known["sha256"], filename=known["filename"], tools=tools)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wheel if known["key"] == key and is_file_name(wheel.filename) else None


def _sha256(path: Path) -> str:
    try:
        return digest_of_file(path).removeprefix("sha256:")
    except OSError:
        return ""
