"""Advisory locks on files (flock(2)): the kernel lets go of them when their holder ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PAUSE = 0.02  # seconds between two looks at a lock that another holds


class LocksUnavailable(Exception):
    """The file system, or the platform, has no such locks, or nothing can be written there."""


def acquire(path: Path, *, shared: bool = False, seconds: float = 0.0) -> int | None:
    """A descriptor that holds the lock of the file ``path``, which is made where it is missing.

    ``None`` where others held it for all of ``seconds``. Closing the descriptor lets go.
    Raises ``LocksUnavailable``.
    """
    if sys.platform == "win32":
        raise LocksUnavailable(sys.platform)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise LocksUnavailable(str(error)) from error
    return _locked(descriptor, shared, seconds)


def acquire_directory(path: Path, *, shared: bool = False, seconds: float = 0.0) -> int | None:
    """As ``acquire``, of a directory: where a disk has no room for a file. Not on all network file systems."""
    if sys.platform == "win32":
        raise LocksUnavailable(sys.platform)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LocksUnavailable(str(error)) from error
    return _locked(descriptor, shared, seconds)


def _locked(descriptor: int, shared: bool, seconds: float) -> int | None:
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    end = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind)
                return descriptor
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    os.close(descriptor)
                    return None
                # Not a blocking call: its holder may be stopped, and would stop everyone.
                time.sleep(min(_PAUSE, left))
    except OSError as error:
        os.close(descriptor)
        raise LocksUnavailable(str(error)) from error
    except BaseException:
        os.close(descriptor)
        raise
