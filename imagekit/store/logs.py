"""What a run wrote, kept beside the database: its beginning and its end, any bytes, in bounded room.

A run's log is a head, which is written until it is full, and pieces of a tail, of which the last two are kept: so at
most ``LIMIT`` bytes stay, and of a longer log the first half and at least the last quarter of that. Each frame is
16 bytes (``>BxxxLQ``: stream, length, nanoseconds since 1970) and its data, as an engine frames its streams, with a
time. A piece of the tail begins with a frame of stream 0, whose last number is how many bytes of data went before, so a
reader knows what was dropped. Frames are appended as they come: a killed process leaves all that it had handed over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = "logs"
LIMIT = 8 << 20
_FRAME = struct.Struct(">BxxxLQ")
_PART = 1 << 16  # a longer piece is several frames, so that a part of a log ends near its limit


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """Some bytes of a stream (1: standard output, 2: standard error), or the place where ``dropped`` are missing."""

    stream: int  # 0 where bytes were dropped
    data: bytes
    time: float  # seconds since 1970, when they came
    dropped: int = 0


class LogWriter:
    """Keeps what one run writes. Nothing is made before there is something to keep.

    A log is not worth a run: where it cannot be written any more (a full disk), ``failure`` says so, and the rest is
    not kept. Used by one thread at a time.
    """

    def __init__(self, directory: Path, limit: int = LIMIT) -> None:
        self._directory = directory
        self._head, self._tail = limit // 2, limit // 4
        self._file: int | None = None
        self._part = 0
        self._room = 0
        self._count = 0
        self.failure: OSError | None = None

    def write(self, stream: int, data: bytes) -> None:
        """Keep ``data`` of stream 1 or 2."""
        if self.failure is not None:
            return
        try:
            for start in range(0, len(data), _PART):
                self._write(stream, data[start : start + _PART])
        except OSError as error:
            self.failure = error
            self.close()

    def close(self) -> None:
        """All that was written is with the kernel already; it is not synced."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, stream: int, data: bytes) -> None:
        size = _FRAME.size + len(data)
        if self._file is None or size > self._room:
            self._next()
        assert self._file is not None
        _put(self._file, _FRAME.pack(stream, len(data), time.time_ns()) + data)
        self._room -= size
        self._count += len(data)

    def _next(self) -> None:
        first = self._file is None
        if first:
            # A mode is of the last directory alone.
            self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._directory.mkdir(exist_ok=True, mode=0o700)
            if parts := _parts(self._directory):
                # Somebody else saw to the run before: what they kept stays, and this goes on behind it.
                first, self._part = False, parts[-1] + 1
                self._count = sum(len(piece.data) + piece.dropped for piece in read_log(self._directory))
        else:
            self.close()
            self._part += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._directory / str(self._part), flags, 0o600)
        self._room = self._head if first else self._tail
        if not first:
            _put(self._file, _FRAME.pack(0, 0, self._count))
            self._room -= _FRAME.size
        if self._part > 2:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._directory / str(self._part - 2))


def read_log(directory: Path) -> Iterator[LogPiece]:
    """What is kept of a run's log, in order; nothing where there is none. Of a frame that is not whole, nothing."""
    count = 0
    for part in _parts(directory):
        try:
            file = (directory / str(part)).open("rb")
        except FileNotFoundError:
            continue  # its run goes on, and had no more room for it
        with file:
            while len(header := file.read(_FRAME.size)) == _FRAME.size:
                stream, length, number = _FRAME.unpack(header)
                if stream == 0:
                    if number > count:
                        yield LogPiece(stream=0, data=b"", time=0.0, dropped=number - count)
                    count = number
                    continue
                if stream not in (1, 2) or length > _PART or len(data := file.read(length)) < length:
                    break
                count += length
                yield LogPiece(stream=stream, data=data, time=number / 1e9)


def follow_log(directory: Path, is_over: Callable[[], bool], *, pause: float = 0.05) -> Iterator[LogPiece]:
    """What a run writes, as it comes, until ``is_over`` and all is read. What was dropped meanwhile is left out."""
    part, at = 0, 0
    while True:
        over = is_over()
        found = _parts(directory)
        if found and part not in found:
            part, at = min((each for each in found if each > part), default=part), 0
        while True:
            pieces, at = _frames_from(directory / str(part), at)
            yield from pieces
            # The next part is begun only when this one is full.
            if part + 1 not in found:
                break
            part, at = part + 1, 0
        if over:
            return
        time.sleep(pause)


def _frames_from(path: Path, at: int) -> tuple[list[LogPiece], int]:
    """The whole frames from the byte ``at`` on, and where the next one begins."""
    pieces = []
    try:
        with path.open("rb") as file:
            file.seek(at)
            while len(header := file.read(_FRAME.size)) == _FRAME.size:
                stream, length, number = _FRAME.unpack(header)
                data = file.read(0 if stream == 0 else length)
                if stream != 0 and len(data) < length:
                    break
                at = file.tell()
                if stream in (1, 2):
                    pieces.append(LogPiece(stream=stream, data=data, time=number / 1e9))
    except FileNotFoundError:
        pass
    return pieces, at


def remove_log(directory: Path) -> None:
    """Remove a run's log; no error where there is none."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def _parts(directory: Path) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(directory) if name.isascii() and name.isdigit())
    except FileNotFoundError:
        return []


def _put(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
