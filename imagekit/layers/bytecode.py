"""Bytecode for a wheel's modules, compiled by the interpreter that will run them.

The layers room asks; who runs that interpreter is decided above it (``stages.compile``).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol


class Compiler(Protocol):
    """An interpreter that compiles source to unchecked hash-based ``.pyc`` files (PEP 552).

    Unchecked ones are the same bytes on any day and need no look at the source when imported.
    """

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        """Compile each ``(absolute path in the image, source)`` to a ``.pyc``, or ``None`` for what is no module."""


def pyc_path(path: str, cache_tag: str) -> str:
    """``a/b.py`` → ``a/__pycache__/b.cpython-311.pyc`` (PEP 3147)."""
    directory, _, name = path.rpartition("/")
    return f"{directory}/__pycache__/{name.removesuffix('.py')}.{cache_tag}.pyc".lstrip("/")
