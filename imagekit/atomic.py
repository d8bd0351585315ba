"""Files that are there whole or not at all: written beside their place, and renamed into it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from imagekit.errors import DiskFull, InputError

UNFINISHED = ".new-"  # how the name of whatever is not whole yet begins, file or directory
# A quota that is used up is a full disk to whoever has it.
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether ``error`` is of a disk that has no room left, or of which its user has no more."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file ``path`` when the block ends, and nothing if it raises.

    The directory is made where it is missing. Several processes may do this at once: the last one wins. Raises
    ``DiskFull`` naming the path.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(handle, "wb", buffering=1 << 18) as out:
                _lock(out.fileno())
                yield out
            if mode != 0o600:
                os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        if is_disk_full(error):
            raise DiskFull(
                f"no space left for {path}", hint=f"free some (df -h {path.parent}), or: imagekit cache prune"
            ) from error
        raise


def sweep_unfinished(directory: Path, *, seconds: float = 60.0) -> None:
    """Remove what killed processes left half-written one level below ``directory``.

    Whoever writes holds a lock on the file, which the kernel lets go of with the process. One that is younger
    than ``seconds`` may be about to be locked.
    """
    limit = time.time() - seconds
    for path in directory.glob(f"*/{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit and _is_nobodys(path):
                path.unlink()


def _lock(descriptor: int) -> bool:
    """Lock an open file for this process; ``False`` where another has it, or where there are no locks."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_nobodys(path: Path) -> bool:
    with path.open("rb") as file:
        return _lock(file.fileno())


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Make ``data`` the content of ``path``, in one step for whoever reads it."""
    with replacing(path, mode=mode) as out:
        out.write(data)


def followed(path: Path) -> Path:
    """Where a file that somebody named is written: behind links, but for those to a device or a pipe."""
    path = path.expanduser()
    return path if path.exists() and not path.is_file() else path.resolve()


def write_as_named(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """``write_whole`` where somebody named ``path``: a device or a pipe (``/dev/null``) is written to as it is."""
    place = followed(path)
    if place.exists() and not (place.is_file() or place.is_dir()):
        place.write_bytes(data)
    else:
        write_whole(place, data, mode=mode)


def rewrite(
    path: Path, data: bytes, error: type[InputError], *, hint: str, details: str | None = None, mode: int = 0o644
) -> None:
    """Put ``data`` into a file that is its user's own: links are followed, and the file keeps its mode.

    ``mode`` is that of one that is not there yet. What the file system refuses is raised as ``error``.
    """
    place = followed(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(place.stat().st_mode)
        write_as_named(place, data, mode=mode)
    except OSError as problem:
        raise error(
            f"{place} cannot be written: {problem.strerror or problem}", hint=hint, details=details
        ) from problem
