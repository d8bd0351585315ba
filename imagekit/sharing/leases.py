"""Who uses a cache directory, so that nobody takes away what another is about to use.

Whoever uses entries holds a *lease*: a locked file of its own below ``leases/``, whose time is
when it began. Each entry has a *mark*, the modification time of a file of it: when it was last
used, to the hour. So what a lease's holder uses was marked at most an hour before its lease
began, and whoever prunes leaves alone what was marked since then.

Leases are taken, marks are renewed and entries are taken away under one lock, the *gate*:
shared for the first two, exclusive for the last. A lease ends with its process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagekit.atomic import is_disk_full
from imagekit.sharing.flock import LocksUnavailable, acquire, acquire_directory

LEASES = "leases"
GATE = ".gate"
MARKED_EVERY = 3600.0  # seconds
# Marks may be older than a lease by that much, and clocks are set by an hour.
GRACE = 2 * MARKED_EVERY
# A pruner that holds the gate renames files, which is quick; one that is stopped must not stop others.
_GATE_SECONDS = 5.0


class Busy(Exception):
    """Another process is pruning."""


@contextlib.contextmanager
def in_use(root: Path) -> Iterator[None]:
    """While it lasts, no process prunes what is used of the cache directory ``root`` from now on.

    Where there are no locks (a read-only or a foreign file system) it does nothing.
    """
    path = root / LEASES / f"{os.getpid()}-{secrets.token_hex(4)}"
    held: int | None = None
    with contextlib.suppress(LocksUnavailable), _gate(root):
        held = acquire(path)
    try:
        yield
    finally:
        if held is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(held)


def mark_used(path: Path, root: Path) -> None:
    """Note that the entry of which ``path`` is a file is used; next to nothing when that was done of late."""
    with contextlib.suppress(OSError, LocksUnavailable):
        if time.time() - path.stat().st_mtime >= MARKED_EVERY:
            with _gate(root):
                os.utime(path)


@dataclass(frozen=True, slots=True)
class Gate:
    """What holds while entries are taken away."""

    used_since: float | None  # what was marked at this time or later is in use; ``None``: nothing is

    def is_free(self, marked: float) -> bool:
        """Whether an entry that was marked last at ``marked`` is in nobody's use."""
        return self.used_since is None or marked < self.used_since


@contextlib.contextmanager
def closed_gate(root: Path) -> Iterator[Gate]:
    """While it lasts, nobody begins to use what is old. Raises ``Busy`` and ``LocksUnavailable``."""
    descriptor = _gate_lock(root, shared=False)
    if descriptor is None:
        raise Busy
    try:
        begun = _oldest_lease(root)
        yield Gate(used_since=None if begun is None else begun - GRACE)
    finally:
        os.close(descriptor)


def _oldest_lease(root: Path) -> float | None:
    began: float | None = None
    with contextlib.suppress(FileNotFoundError):
        for path in (root / LEASES).iterdir():
            with contextlib.suppress(OSError):
                since = path.stat().st_mtime
                held = acquire(path)
                if held is not None:
                    # Its process was killed.
                    path.unlink()
                    os.close(held)
                else:
                    began = since if began is None else min(began, since)
    return began


@contextlib.contextmanager
def _gate(root: Path) -> Iterator[None]:
    descriptor = _gate_lock(root, shared=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _gate_lock(root: Path, *, shared: bool) -> int | None:
    try:
        return acquire(root / GATE, shared=shared, seconds=_GATE_SECONDS)
    except LocksUnavailable as error:
        cause = error.__cause__
        if is_disk_full(cause) or (isinstance(cause, OSError) and cause.errno == errno.EROFS):
            # When a disk is full there is most need to prune.
            return acquire_directory(root, shared=shared, seconds=_GATE_SECONDS)
        raise
