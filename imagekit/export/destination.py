"""Where files and directories may be written, before anything is written there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from imagekit.errors import InputError


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
