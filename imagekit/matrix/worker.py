"""The program that a worker of ``matrix.workers`` is: it does jobs one after the other, and tells of them as it goes.

It ends when its pipe does, and so with whoever started it, however that ended.
"""

from __future__ import annotations

import select
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from imagekit.progress import Task

_PAUSE = 0.1  # seconds between two words on how far a task is


class _Ending:
    """Whether there is work that the end of the pipe is to interrupt."""

    def __init__(self) -> None:
        self.is_working = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.is_working:
            self.is_working = False
            raise KeyboardInterrupt


class _Pipe:
    """The way to whoever started this; usable from several threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, *message: object) -> None:
        # Nobody is there to be told: what watches the pipe ends the work.
        with self._lock, suppress(OSError):
            self._connection.send(message)


class _Told:
    """A task whose progress goes into the pipe, now and then."""

    def __init__(self, pipe: _Pipe, number: int) -> None:
        self._pipe = pipe
        self._number = number
        self._amount, self._text = 0, ""
        self._lock = threading.Lock()
        self._last = 0.0

    def advance(self, amount: int = 1) -> None:
        with self._lock:
            self._amount += amount
            self._tell()

    def note(self, text: str) -> None:
        with self._lock:
            self._text = text
            self._tell()

    def _tell(self) -> None:
        if time.monotonic() - self._last < _PAUSE:
            return
        self._pipe.send("progress", self._number, self._amount, self._text)
        self._amount, self._last = 0, time.monotonic()


class PipeReporter:
    """A ``progress.Reporter`` whose every word is repeated by the one of whoever started this process."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._numbers = count()

    @contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        number = next(self._numbers)
        self._pipe.send("begin", number, title, total, unit)
        try:
            yield _Told(self._pipe, number)
        finally:
            self._pipe.send("end", number)

    def line(self, text: str) -> None:
        self._pipe.send("line", text)

    def waiting(self, titles: Sequence[str]) -> None:
        pass  # who has the jobs says which of them wait


def main(handle: int) -> None:
    """Work on what comes through the socket ``handle`` until that ends."""
    ending = _Ending()
    # A terminal's Ctrl-C reaches whoever started this, too, and that closes the pipe. SIG_IGN would be inherited.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.signal(signal.SIGTERM, ending.interrupt)
    connection: Any = Connection(handle)
    threading.Thread(target=_watch, args=(handle,), name="imagekit-watch", daemon=True).start()
    pipe = _Pipe(connection)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        settings = connection.recv()
        while True:
            do, job = connection.recv()
            ending.is_working = True
            try:
                answer: tuple[object, ...] = ("done", do(settings, job, PipeReporter(pipe)))
            except Exception as error:  # one that fails stops no other, not even by a fault of ours
                answer = ("raised", f"{type(error).__name__}: {error}", traceback.format_exc())
            ending.is_working = False
            pipe.send(*answer)


def _watch(handle: int) -> None:
    poll = select.poll()
    poll.register(handle, 0)  # its end is told whether it is asked for or not
    poll.poll()
    # To the thread that works: what it waits in is interrupted by no other's signal.
    main_thread = threading.main_thread().ident
    if main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGTERM)
