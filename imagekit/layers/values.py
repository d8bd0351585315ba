"""A finished layer: its digest, and where its bytes lie."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from imagekit.errors import DamagedLayer
from imagekit.oci.digest import Digest, digest_of_stream

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes ``start`` to ``end`` of a file of the layer cache."""

    path: Path
    start: int
    end: int
    whole: Digest | None = None  # of the file as it was written, where the range is a part of it

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from offset ``start`` of the range on. Raises ``DamagedLayer`` where they are not there."""
        try:
            with open_file(self.path) as source:
                source.seek(self.start + start)
                left = self.end - self.start - start
                while left > 0:
                    piece = source.read(min(_PIECE, left))
                    if not piece:
                        raise damaged(f"{self.path} ends {left} bytes early", [self.path])
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise damaged(f"{self.path} cannot be read: {error.strerror}", [self.path]) from error

    def is_intact(self) -> bool:
        """Whether the file, all of it, is what was written; ``False`` where that is not known."""
        if self.whole is None:
            return False
        try:
            return digest_of_file(self.path) == self.whole
        except OSError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An uncompressed layer (media type ``application/vnd.oci.image.layer.v1.tar``)."""

    diff_id: Digest
    size: int  # bytes
    pieces: tuple[bytes | FileRange, ...]
    cached: bool  # nothing had to be written for it
    noted: Path | None = None  # the file that ``diff_id`` was read from, for a layer of several files

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The archive's bytes from offset ``start`` on, verified as they pass.

        Raises ``DamagedLayer`` before the last of them where they are not those of ``diff_id``: whoever
        reads to the end has the right ones.
        """
        sha256 = hashlib.sha256()
        held = b""
        passed = 0
        for chunk in self.unverified():
            # What an upload that begins anew has sent is read again: a digest has no middle to begin in.
            if len(held) > (skip := max(0, start - passed)):
                yield held[skip:]
            passed += len(held)
            sha256.update(chunk)
            held = chunk
        if "sha256:" + sha256.hexdigest() != self.diff_id:
            raise self._damaged()
        if len(held) > (skip := max(0, start - passed)):
            yield held[skip:]

    def unverified(self) -> Iterator[bytes]:
        """The archive's bytes as they are on disk."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.chunks()

    def _damaged(self) -> DamagedLayer:
        ranges = [piece for piece in self.pieces if isinstance(piece, FileRange)]
        if len(ranges) == 1 and self.noted is None:
            return damaged(f"{ranges[0].path} is not what was written", [ranges[0].path])
        bad = [piece.path for piece in ranges if not piece.is_intact()]
        # All files right: then it is what was noted of them that is not.
        noted = [] if self.noted is None else [self.noted]
        return damaged(f"{(bad or noted or [Path('a layer')])[0]} is not what was written", [*bad, *noted])


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLayer:
    """What was written: the layer's digest and the part of it that a grouped layer reuses."""

    diff_id: Digest
    size: int  # bytes of the whole archive
    body: tuple[int, int]  # offsets of the members that are no directories
    directories: tuple[str, ...]
    paths: tuple[str, ...]  # of those members, sorted


def damaged(message: str, paths: Iterable[Path]) -> DamagedLayer:
    """The error for files of a layer that are not what they were."""
    error = DamagedLayer(message, hint="build again: what is damaged is made anew")
    error.paths = tuple(map(str, paths))
    return error


def open_file(path: Path | str) -> FileIO:
    """The regular file at ``path``, unbuffered; ``OSError`` for anything else: a fifo would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return FileIO(descriptor, "rb")


def read_file(path: Path) -> bytes:
    """The whole content of a small regular file."""
    with open_file(path) as source:
        return source.readall()


def digest_of_file(path: Path) -> Digest:
    """The digest of a regular file's content; ``OSError`` where it cannot be read."""
    with open_file(path) as source:
        return digest_of_stream(source)
