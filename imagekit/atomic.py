"""Files that are there whole or not at all: written beside their place, and renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import DiskFull

UNFINISHED = ".new-"


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file ``path`` when the block ends, and nothing if it raises.

    The directory is made where it is missing. Several processes may do this at once: the last one wins.
    Raises ``DiskFull`` naming the path.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(handle, "wb", buffering=1 << 18) as out:
                yield out
            if mode != 0o600:
                os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space left for {path}", hint=f"free some (df -h {path.parent}), or: imagekit cache prune"
            ) from error
        raise


def sweep_unfinished(directory: Path, *, hours: float = 1.0) -> None:
    """Remove what killed processes left half-written one level below ``directory``, if it is older than ``hours``."""
    limit = time.time() - hours * 3600
    for path in directory.glob(f"*/{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            # Another process may be writing for a while: only what has not grown for long is nobody's.
            if path.stat().st_mtime < limit:
                path.unlink()


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Make ``data`` the content of ``path``, in one step for whoever reads it."""
    with replacing(path, mode=mode) as out:
        out.write(data)
