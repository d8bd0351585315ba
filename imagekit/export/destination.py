"""Where files and directories may be written, before anything is written there."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from imagekit.errors import InputError
from imagekit.sharing.flock import LocksUnavailable, acquire

_LOCK = "lock"


def file_destination(path: Path) -> Path:
    """``path`` with links followed, as a place where a file can be put or replaced; its directory is made.

    Raises ``InputError`` for what is no place for a file: a directory, a device, a pipe.
    """
    place = _resolved(path)
    try:
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _make_directory(place.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", hint="choose another path") from error
    else:
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a directory", hint=f"name a file in it: {path / 'image.tar'}")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path} is a device or a pipe, and no place for a file", hint="name a file")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written in {place.parent}", hint="choose another path")
    return place


def directory_destination(path: Path) -> Path:
    """``path`` with links followed, as a directory, made where it is missing. Raises ``InputError``."""
    place = _resolved(path)
    if place.exists() and not place.is_dir():
        raise InputError(f"{path} is not a directory", hint="name a directory, or an archive as the kind of output")
    _make_directory(place)
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"nothing can be written in {path}", hint="choose another path")
    return place


@contextlib.contextmanager
def beside(place: Path) -> Iterator[Path]:
    """A directory beside the file ``place`` for what becomes that file; it is removed at the end.

    What a killed process left of such a directory is removed at the beginning.
    """
    prefix = f".{place.name[:64]}.imagekit-"
    for rest in place.parent.glob(f"{glob.escape(prefix)}*"):
        with contextlib.suppress(LocksUnavailable, OSError):
            _remove_if_nobodys(rest)
    held = None
    while held is None:
        directory = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
        try:
            # Between the two, another process may have taken it for a rest.
            held = acquire(directory / _LOCK)
        except LocksUnavailable:
            break
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if held is not None:
            os.close(held)


def _remove_if_nobodys(directory: Path) -> None:
    if directory.is_dir() and not directory.is_symlink():
        held = acquire(directory / _LOCK)
        if held is not None:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(held)


def _resolved(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no usable path ({error})", hint="choose another path") from error


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}", hint="choose another path") from error
