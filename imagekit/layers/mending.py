"""Going on when a kept layer turns out to be damaged: it is dropped, and all that hangs on it done again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from imagekit.errors import DamagedLayer
from imagekit.layers.cache import drop
from imagekit.progress import Reporter

T = TypeVar("T")

_ATTEMPTS = 3


def mended(attempt: Callable[[], T], reporter: Reporter) -> T:
    """What ``attempt`` gives, which makes layers and sends them.

    It is called again after what it found damaged was dropped; a remade layer may have another
    digest, so it must begin with the making. Raises ``DamagedLayer`` where that does not end.
    """
    for last in (False,) * (_ATTEMPTS - 1) + (True,):
        try:
            return attempt()
        except DamagedLayer as error:
            for path in error.paths:
                drop(Path(path))
            if last:
                error.hint = "the disk may be failing: imagekit cache verify reads all that is kept"
                raise
            reporter.line(f"{error.message}; making it again")
    raise AssertionError("the last attempt returns or raises")
