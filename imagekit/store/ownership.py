"""Whose an open run is, and whether that process can still see to it."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from pathlib import Path

from imagekit.engine.containers import is_abandoned, owner
from imagekit.store.values import StoredRun

__all__ = ["has_lease", "is_orphan", "machine", "owner"]


def machine() -> str:
    """``MACHINE/BOOT`` of this process: the machine also after it was started again, and its start."""
    known = [socket.gethostname()]
    with contextlib.suppress(OSError):
        known.append(Path("/etc/machine-id").read_text().strip())
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{hashlib.sha256(chr(0).join(known).encode()).hexdigest()[:12]}/{boot}"


def is_orphan(run: StoredRun, *, here: str | None = None) -> bool:
    """Whether ``run`` is open and the process that saw to it has ended, or its machine was started again.

    A process of another machine, or of another PID namespace of this one, cannot be looked at: its runs are left
    to it. ``here`` is ``machine()``.
    """
    if run.end is not None:
        return False
    name, _, boot = (here or machine()).partition("/")
    of_name, _, of_boot = run.machine.partition("/")
    if name == of_name and of_boot and boot and of_boot != boot:
        return True
    parts = run.owner.split(":")
    return len(parts) == 3 and is_abandoned(*parts)


def has_lease(run: StoredRun, *, here: str | None = None) -> bool:
    """Whether the claim that a worker of this machine has on ``run`` still holds.

    A lease is of one start of a machine: it ends with it, and no change of the clock moves it.
    """
    same_boot = run.machine.partition("/")[2] == (here or machine()).partition("/")[2]
    return run.lease is not None and same_boot and time.monotonic() < run.lease
