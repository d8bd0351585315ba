"""Sources on their way to a compiler, many at a time."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from imagekit.layers.bytecode import Compiler

# A batch is large enough that the way to the compiler costs little, and small enough to spread over cores.
_BATCH_FILES = 48
_BATCH_BYTES = 1 << 19
_IN_MEMORY = 16 << 20  # bytes of bytecode, for each layer under way


class Batches:
    """Sources on their way to the compiler, and its answers in the same order.

    What came before it can be written is held in memory up to a bound, and beyond that in a file
    without a name, in ``directory`` where that can be written: bytecode may be hundreds of megabytes.
    """

    def __init__(self, compiler: Compiler | None, directory: Path) -> None:
        self._compiler = compiler
        self._directory = str(directory) if os.access(directory, os.W_OK) else None
        self._batch: list[tuple[str, bytes]] = []
        self._held = 0
        self._pending: deque[tuple[list[str], Future[list[bytes | None]]]] = deque()
        self._ready: list[tuple[str, int | None]] = []
        self._spool: tempfile.SpooledTemporaryFile[bytes] | None = None

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._spool is not None:
            self._spool.close()

    @property
    def compiles(self) -> bool:
        return self._compiler is not None

    def add(self, path: str, source: bytes) -> None:
        self._batch.append((f"/{path}", source))
        self._held += len(source)
        if len(self._batch) >= _BATCH_FILES or self._held >= _BATCH_BYTES:
            self._submit()
        self.take_ready()

    def take_ready(self) -> None:
        """Put aside what the compiler has answered."""
        while self._pending and self._pending[0][1].done():
            paths, answer = self._pending.popleft()
            if self._spool is None:
                self._spool = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=self._directory)  # noqa: SIM115
            for path, pyc in zip(paths, answer.result(), strict=True):
                self._ready.append((path, None if pyc is None else len(pyc)))
                self._spool.write(pyc or b"")

    def answers(self) -> Iterator[tuple[str, bytes | None]]:
        """``(path, bytecode or None)`` of every source that was added."""
        self._submit()
        if self._spool is not None:
            self._spool.seek(0)
            for path, size in self._ready:
                yield path, None if size is None else self._spool.read(size)
        while self._pending:
            paths, answer = self._pending.popleft()
            yield from zip(paths, answer.result(), strict=True)

    def _submit(self) -> None:
        if self._batch and self._compiler is not None:
            paths = [path.lstrip("/") for path, _ in self._batch]
            self._pending.append((paths, self._compiler.submit(self._batch)))
        self._batch, self._held = [], 0
