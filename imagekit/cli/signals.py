"""Signals that end the program."""

from __future__ import annotations

import signal
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM. A ``KeyboardInterrupt``, so that all that tidies up after Ctrl-C does so here too."""


def terminate_gracefully() -> None:
    """Make SIGTERM unwind the stack, so that ``finally`` blocks run."""

    def raise_terminated(number: int, frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, raise_terminated)
