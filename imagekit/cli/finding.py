"""What one of doctor's checks found, and how room on a disk is judged."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import ImagekitError

OK, WARN, FAIL = "ok", "warn", "fail"
_ROOM_WARN = 5_000_000_000
_ROOM_FAIL = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; ``mend`` is the command, or the deed, that helps."""

    name: str
    status: str  # ok, warn or fail
    message: str
    mend: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "status": self.status, "message": self.message, "mend": self.mend}


def room(name: str, path: Path, *, mend: str) -> Finding:
    """Room on the filesystem that ``path`` is, or would be, on."""
    from imagekit.cli.output import size

    there = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(there).free
    status = FAIL if free < _ROOM_FAIL else WARN if free < _ROOM_WARN else OK
    return Finding(
        name=name, status=status, message=f"{size(free)} free at {path}", mend=mend if status != OK else None
    )


def writable(name: str, path: Path, *, mend: str) -> Finding | None:
    """A finding where ``path`` cannot be written to."""
    there = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
    if there.is_dir() and os.access(there, os.W_OK):
        return None
    return Finding(name=name, status=FAIL, message=f"{path} cannot be written to", mend=mend)


def told(error: ImagekitError) -> str:
    """An error on one line; of several that were told at once, each."""
    several = re.match(r"\d+ problems: ", error.message) is not None
    return "; ".join((error.details or "").splitlines()) if several else error.message


def guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """What ``look`` finds; an error of ours is a finding too."""
    try:
        return look()
    except ImagekitError as error:
        return Finding(name=name, status=FAIL, message=error.message, mend=error.hint)
