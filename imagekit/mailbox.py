"""What threads and signal handlers put, for one thread that waits for it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Empty", "Mailbox"]

_T = TypeVar("_T")


class Mailbox(Generic[_T]):
    """A queue of which one thread takes. ``put`` may be called in a signal handler, whatever it interrupts.

    ``SimpleQueue.get(timeout=…)`` of Python before 3.13 waits for ever where a signal's handler ends after the timeout:
    what is left of it is negative by then, and a lock takes that for no timeout (``Modules/_queuemodule.c``).
    ``queue.Queue`` ends in time, and hangs where a handler puts while its thread holds the queue's lock.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[_T] = SimpleQueue()
        # Held but for the moment between a put and the wait that it ends.
        self._nothing = threading.Lock()
        self._nothing.acquire()

    def put(self, value: _T) -> None:
        self._queue.put(value)
        with suppress(RuntimeError):  # let go of already: several were put
            self._nothing.release()

    def get(self, timeout: float | None = None) -> _T:
        """The next value; ``Empty`` where none comes within ``timeout`` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with suppress(Empty):
                return self._queue.get_nowait()
            # It may have been let go of for a value that was taken without waiting: then there is nothing once more.
            left = -1.0 if until is None else max(until - time.monotonic(), 0.0)
            if not self._nothing.acquire(timeout=left) and left == 0.0:
                raise Empty

    def get_nowait(self) -> _T:
        """The next value; ``Empty`` where there is none."""
        return self._queue.get_nowait()

    def empty(self) -> bool:
        return self._queue.empty()
