"""Trying again what may work the next time: bounded, with growing pauses, and never past a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from imagekit.errors import RegistryError
from imagekit.network.passing import pause_after

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a registry is waited for. All times are seconds."""

    attempts: int = 5  # of one step without progress
    first_pause: float = 0.5  # doubled each time
    longest_pause: float = 8.0
    longest_asked: float = 60.0  # a registry that asks for a longer pause (Retry-After) is not waited for
    connect: float = 10.0
    answer: float = 60.0  # for each answer to begin and go on, and for each piece that is sent to be taken
    commit: float = 180.0  # the same, where a registry puts together what it was sent
    step: float = 300.0  # no attempt of a step begins later than this


class Passing(Exception):
    """A failure that may be gone the next time; ``pause`` is what the registry asked for, in seconds."""

    def __init__(self, words: str, *, pause: float | None = None, is_first_contact: bool = False) -> None:
        super().__init__(words)
        self.pause = pause
        self.is_first_contact = is_first_contact  # nothing has ever answered there


class Stopped(Exception):
    """The work was called off elsewhere; the reason is raised there."""


class Retries:
    """The pauses of all that talks to one registry. Safe to use from several threads."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._stop = threading.Event()
        self._not_before = 0.0

    def stop(self) -> None:
        """Let every waiting step end now, with ``Stopped``."""
        self._stop.set()

    def begin(self, step: str) -> Tries:
        """The tries of ``step``, as a person would name it: ``"the manifest of NAME"``."""
        return Tries(self, step)

    def run(self, step: str, attempt: Callable[[], _Value]) -> _Value:
        """What ``attempt`` gives, tried again while it raises ``Passing``. Raises ``RegistryError`` naming ``step``."""
        tries = self.begin(step)
        while True:
            try:
                return attempt()
            except Passing as fault:
                tries.again(fault)

    def wait_turn(self) -> None:
        """Wait for what a registry asked of everybody (Retry-After of a 429)."""
        self.pause(self._not_before - time.monotonic())

    def hold_all(self, seconds: float) -> None:
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def pause(self, seconds: float) -> None:
        if self._stop.is_set() or (seconds > 0 and self._stop.wait(seconds)):
            raise Stopped


class Tries:
    """The tries of one step."""

    def __init__(self, retries: Retries, step: str) -> None:
        self._retries = retries
        self._step = step
        self._count = 0
        self._began = time.monotonic()

    def progress(self) -> None:
        """Something got through: what failed before does not count."""
        self._count = 0
        self._began = time.monotonic()

    def again(self, fault: Passing) -> None:
        """Pause after ``fault``; ``RegistryError`` where it was the last try."""
        # What was called off fails for that alone.
        self._retries.pause(0)
        patience = self._retries.patience
        self._count += 1
        pause = pause_after(self._count, first=patience.first_pause, longest=patience.longest_pause)
        if fault.pause is not None:
            if fault.pause > patience.longest_asked:
                raise self._end(fault, f"it asks to wait {fault.pause:.0f} s") from None
            pause = max(fault.pause, pause)
            self._retries.hold_all(fault.pause)
        most = 2 if fault.is_first_contact else patience.attempts
        if self._count >= most or time.monotonic() + pause - self._began > patience.step:
            raise self._end(fault, f"tried {self._count} time{'s' * (self._count != 1)}") from None
        self._retries.pause(pause)

    def _end(self, fault: Passing, why: str) -> RegistryError:
        return RegistryError(
            f"{self._step}: {fault} ({why})",
            hint="check the network, the proxy and the registry; the same command goes on where this one ended",
        )
