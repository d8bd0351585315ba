"""A conda package as it is fetched, opened: its files and what it says of them. Nothing is unpacked to a path.

The two formats are conda's: ``.tar.bz2``, and ``.conda``, a zip archive of two zstd-compressed tar archives
(CEP 35). A tar archive is read into a file without a name, in which each member can be looked up.
"""

from __future__ import annotations

import bz2
import json
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from imagekit.errors import CondaRefused
from imagekit.layers.archive import is_safe_member, parents

_PIECE = 1 << 20
# A package may unpack to this much whatever its own size, and beyond it to this many times its size.
_ALWAYS_FINE = 4 << 30
_RATIO = 100
_INFO = "info/"
# What is read whole: metadata.
_MOST_INFO = 64 << 20
# What every reader of these archives may raise on a damaged one; zstd's own error is a ``Exception`` of its module.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, UnicodeError)


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a package, or a link."""

    path: str  # relative to the prefix, as the package has it
    executable: bool
    mtime: int  # seconds since the epoch: bytecode that comes along names its source's
    size: int
    link: str | None = None  # what a symbolic link says


class CondaFile:
    """An opened package; a context manager. Raises ``CondaRefused`` for one that is damaged or not safe to unpack."""

    def __init__(self, path: Path) -> None:
        self.filename = path.name
        self._ends = ExitStack()
        self._places: dict[str, tuple[tarfile.TarFile, tarfile.TarInfo]] = {}
        try:
            self._open(path)
        except _DAMAGED as error:
            self._ends.close()
            raise self._damaged(error) from error
        except BaseException:
            self._ends.close()
            raise

    def __enter__(self) -> CondaFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.close()

    @property
    def members(self) -> dict[str, Member]:
        """The files that are no metadata, by their paths."""
        return {path: _member(path, self._file(path)) for path in self._places if not path.startswith(_INFO)}

    def info(self, name: str) -> bytes | None:
        """A file of metadata, ``index.json``; ``None`` where the package has none of that name."""
        found = self._places.get(_INFO + name)
        if found is None or not (found[1].isreg() or found[1].islnk()):
            return None
        if self._target(_INFO + name)[1].size > _MOST_INFO:
            raise CondaRefused(f"{self.filename}: its info/{name} is too large")
        return b"".join(self.stream(_INFO + name))

    def json(self, name: str) -> Mapping[str, Any] | None:
        """The object in a file of metadata."""
        data = self.info(name)
        try:
            value = json.loads(data) if data is not None else None
        except ValueError as error:
            raise CondaRefused(f"{self.filename}: its info/{name} is no JSON ({error})") from error
        if value is not None and not isinstance(value, dict):
            raise CondaRefused(f"{self.filename}: its info/{name} is no object")
        return value

    def stream(self, path: str) -> Iterator[bytes]:
        """The content of a file in pieces."""
        archive, info = self._target(path)
        try:
            content = archive.extractfile(info)
            assert content is not None
            while piece := content.read(_PIECE):
                yield piece
        except _DAMAGED as error:
            raise self._damaged(error) from error

    def _file(self, path: str) -> tarfile.TarInfo:
        info = self._places[path][1]
        return self._target(path)[1] if info.islnk() else info

    def _target(self, path: str) -> tuple[tarfile.TarFile, tarfile.TarInfo]:
        """The file behind ``path``, which may be a hard link."""
        archive, info = self._places[path]
        if not info.islnk():
            return archive, info
        other = self._places.get(_normal(info.linkname))
        if other is None or not other[1].isreg():
            raise CondaRefused(
                f"{self.filename} holds {path!r}, a hard link to {info.linkname!r}, which is no file of it"
            )
        return other

    def _open(self, path: Path) -> None:
        most = max(_ALWAYS_FINE, _RATIO * path.stat().st_size)
        if path.name.endswith(".tar.bz2"):
            with path.open("rb") as packed:
                self._index(self._unpacked(bz2.BZ2File(packed), most))
        elif path.name.endswith(".conda"):
            with zipfile.ZipFile(path) as archive:
                parts = [name for name in archive.namelist() if name.endswith(".tar.zst")]
                if sorted(name.partition("-")[0] for name in parts) != ["info", "pkg"]:
                    raise CondaRefused(f"{self.filename} is no conda package: it holds {', '.join(archive.namelist())}")
                for name in sorted(parts):
                    with archive.open(name) as packed:
                        self._index(self._unpacked(_Unzstd(packed), most))
        else:
            raise CondaRefused(f"{self.filename} is no conda package", hint="they end in .conda or .tar.bz2")
        for directory in parents(self._places):
            if directory in self._places:
                raise CondaRefused(f"{self.filename} holds {directory!r} as a file and as a directory")

    def _unpacked(self, packed: _Readable, most: int) -> IO[bytes]:
        out = self._ends.enter_context(tempfile.TemporaryFile(prefix="imagekit-conda-"))  # noqa: SIM115
        size = 0
        while piece := packed.read(_PIECE):
            size += len(piece)
            if size > most:
                raise CondaRefused(f"{self.filename} would unpack to more than {most >> 20} MiB")
            out.write(piece)
        out.seek(0)
        return out

    def _index(self, stream: IO[bytes]) -> None:
        archive = self._ends.enter_context(tarfile.open(fileobj=stream, mode="r:", encoding="utf-8"))  # noqa: SIM115
        for info in archive:
            if info.isdir():
                continue
            path = _normal(info.name)
            if not is_safe_member(path) or info.name.startswith("/"):
                raise CondaRefused(
                    f"{self.filename} holds {info.name!r}, which would leave its place or hide another file"
                )
            if not (info.isreg() or info.islnk() or info.issym()):
                raise CondaRefused(f"{self.filename} holds {path!r}, which is neither a file nor a link")
            if path in self._places:
                raise CondaRefused(f"{self.filename} holds {path!r} twice")
            self._places[path] = (archive, info)

    def _damaged(self, error: BaseException) -> CondaRefused:
        return CondaRefused(f"{self.filename} is damaged ({error})")


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Unzstd:
    """A zstd-compressed stream, which may be of several frames, as it was before."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._decoder = _decoder()

    def read(self, size: int = _PIECE, /) -> bytes:
        while True:
            piece: bytes = b""
            if self._decoder.eof:
                rest = self._decoder.unused_data or self._packed.read(_PIECE)
                if not rest:
                    return b""
                self._decoder = _decoder()
                piece = self._step(rest, size)
            elif not self._decoder.needs_input:
                piece = self._step(b"", size)
            else:
                data = self._packed.read(_PIECE)
                if not data:
                    raise EOFError("it ends in the middle")
                piece = self._step(data, size)
            if piece:
                return piece

    def _step(self, data: bytes, size: int) -> bytes:
        try:
            found: bytes = self._decoder.decompress(data, size)
        except Exception as error:
            raise EOFError(str(error)) from error
        return found


def _decoder() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor()


def _normal(name: str) -> str:
    return name[2:] if name.startswith("./") else name


def _member(path: str, info: tarfile.TarInfo) -> Member:
    return Member(
        path=path,
        executable=bool(info.mode & 0o111),
        mtime=max(0, int(info.mtime)),
        size=info.size,
        link=info.linkname if info.issym() else None,
    )
