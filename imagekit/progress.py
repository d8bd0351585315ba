"""How long work tells of itself: a seam between those who work and those who draw.

Rooms below the command line report *tasks*; who listens decides what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO


class Task(Protocol):
    """One piece of work under way."""

    def advance(self, amount: int = 1) -> None:
        """``amount`` more units are done (the units of the task's ``total``)."""

    def note(self, text: str) -> None:
        """Say what it is busy with (a file, a build step)."""


class Reporter(Protocol):
    """Where progress goes. Implementations must be usable from several threads."""

    def task(self, title: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        """Begin a piece of work; ``total`` is ``None`` where it cannot be known. ``unit`` may be ``"B"`` for bytes."""

    def line(self, text: str) -> None:
        """A line worth keeping (a build step's output, a decision)."""

    def waiting(self, titles: Sequence[str]) -> None:
        """What is to begin once there is room for it, the next first; in place of what was said before."""


class _Silent:
    def advance(self, amount: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class SilentReporter:
    """Draws nothing."""

    @contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        yield _Silent()

    def line(self, text: str) -> None:
        pass

    def waiting(self, titles: Sequence[str]) -> None:
        pass


class PlainReporter(SilentReporter):
    """A line for each task that begins and each line worth keeping; for logs, pipes and ``stream_progress_to``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.line(title)
        yield _Silent()

    def line(self, text: str) -> None:
        # One write a line: several threads and processes may share the stream.
        self._stream.write(text + "\n")
        self._stream.flush()
