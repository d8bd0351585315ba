"""One process makes a thing, and the others take it.

The maker holds the lock of a file beside the thing and touches that file while it works. It is
let go of by the kernel when the maker is killed; one that stands still is not waited for.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from imagekit.sharing.flock import LocksUnavailable, acquire

T = TypeVar("T")

SUFFIX = ".lock"
_BEAT = 1.0  # seconds between two touches
_STANDS_STILL = 10.0  # seconds without one
_PAUSE = 0.05


class BeingMade(Exception):
    """Another process is making it."""


def make_once(
    lock: Path,
    find: Callable[[], T | None],
    make: Callable[[], T],
    *,
    wait: bool = True,
    stop: threading.Event | None = None,
    patience: float = _STANDS_STILL,
) -> T:
    """What ``find`` finds once another process has made it, else what ``make`` makes.

    ``lock`` is the path of the lock file, which is there only while something is made. Without
    ``wait``, or when ``stop`` is set, it raises ``BeingMade`` instead of waiting. After ``patience``
    seconds in which the other showed no life it is made here as well: ``make`` must bear that.
    """
    seen, since = 0.0, time.monotonic()
    while True:
        try:
            held = acquire(lock)
        except LocksUnavailable:
            return make()
        if held is not None:
            if not _is_at(held, lock):
                # Its last holder took the file away between our opening and our locking it.
                os.close(held)
                continue
            _beating.add(held)
            try:
                found = find()
                return make() if found is None else found
            finally:
                _beating.remove(held)
                with contextlib.suppress(OSError):
                    lock.unlink()
                os.close(held)
        if not wait or (stop is not None and stop.is_set()):
            raise BeingMade
        with contextlib.suppress(OSError):
            beat = lock.stat().st_mtime
            if beat != seen:
                seen, since = beat, time.monotonic()
        if time.monotonic() - since > patience:
            return make()
        time.sleep(_PAUSE)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


class _Beating:
    """Lock files that this process holds, touched by one thread as long as there are any."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: set[int] = set()
        self._thread: threading.Thread | None = None

    def add(self, descriptor: int) -> None:
        with self._guard:
            self._held.add(descriptor)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="imagekit-beat", daemon=True)
                self._thread.start()

    def remove(self, descriptor: int) -> None:
        with self._guard:
            self._held.discard(descriptor)

    def _run(self) -> None:
        while True:
            time.sleep(_BEAT)
            with self._guard:
                if not self._held:
                    self._thread = None
                    return
                for descriptor in self._held:
                    with contextlib.suppress(OSError):
                        os.utime(descriptor)


_beating = _Beating()
