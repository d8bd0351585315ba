"""What a run wrote, kept beside the database: its beginning and its end, any bytes, in bounded room.

A run's log is a head, which is written until it is full, and pieces of a tail, of which the last two are kept: so at
most ``LIMIT`` bytes stay, and of a longer log the first half and at least the last quarter of that. Each frame is
16 bytes (``>BxxxLQ``: stream, length, nanoseconds since 1970) and its data, as an engine frames its streams, with a
time. A piece of the tail begins with two frames of stream 0, which say of stream 1 and 2 (in the place of the length)
how many bytes of data went before (in that of the time), so a reader knows what was dropped. Frames are appended as
they come: a killed process leaves all that it had handed over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull

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
    dropped_of: Mapping[int, int] = field(default_factory=dict)  # by stream

    @property
    def dropped(self) -> int:
        return sum(self.dropped_of.values())


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
        self.counts = {1: 0, 2: 0}  # bytes of data of both streams, also of what was dropped
        self.lines = 0  # of what is kept of another writer's
        self.failure: Exception | None = None

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

    def take_over(self) -> None:
        """Go on behind what another writer has kept, if one has, who adds nothing to it from now on."""
        try:
            self._take_over()
        except (OSError, DiskFull) as error:
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
        self.counts[stream] += len(data)

    def _next(self) -> None:
        if self._file is not None:
            self.close()
            self._part += 1
            self._open()
            self._begin_piece()
            return
        # A mode is of the last directory alone.
        self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory.mkdir(exist_ok=True, mode=0o700)
        self._take_over()
        if self._file is None:
            self._open()
            self._room = self._head

    def _take_over(self) -> None:
        while parts := _parts(self._directory):
            self._part = parts[-1] + 1
            try:
                self._open()
            except FileExistsError:
                continue  # the other one begins it at this moment
            # Who has the last one open may write to what is nobody's any more.
            last = self._directory / str(parts[-1])
            write_whole(last, last.read_bytes())
            for piece in read_log(self._directory):
                for stream, dropped in piece.dropped_of.items():
                    self.counts[stream] += dropped
                if piece.stream:
                    self.counts[piece.stream] += len(piece.data)
                    self.lines += piece.data.count(b"\n")
            self._begin_piece()
            return

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._directory / str(self._part), flags, 0o600)

    def _begin_piece(self) -> None:
        assert self._file is not None
        for stream, count in self.counts.items():
            _put(self._file, _FRAME.pack(0, stream, count))
        self._room = self._tail - 2 * _FRAME.size
        if self._part > 2:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._directory / str(self._part - 2))


def read_log(directory: Path) -> Iterator[LogPiece]:
    """What is kept of a run's log, in order; nothing where there is none. Of a frame that is not whole, nothing."""
    counts = {1: 0, 2: 0}
    missing: dict[int, int] = {}
    for part in _parts(directory):
        try:
            file = (directory / str(part)).open("rb")
        except FileNotFoundError:
            continue  # its run goes on, and had no more room for it
        with file:
            while len(header := file.read(_FRAME.size)) == _FRAME.size:
                stream, length, number = _FRAME.unpack(header)
                if stream == 0 and length in counts:
                    if number > counts[length]:
                        missing[length] = number - counts[length]
                    counts[length] = number
                    continue
                if stream not in counts or length > _PART or len(data := file.read(length)) < length:
                    break
                if missing:
                    yield LogPiece(stream=0, data=b"", time=0.0, dropped_of=missing)
                    missing = {}
                counts[stream] += length
                yield LogPiece(stream=stream, data=data, time=number / 1e9)
    if missing:
        yield LogPiece(stream=0, data=b"", time=0.0, dropped_of=missing)


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
