"""Ctrl-C and SIGTERM while a run is under way: the first is a wish, the second an order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts(on_first: Callable[[int], None]) -> Iterator[None]:
    """Within the block the first SIGINT or SIGTERM calls ``on_first``, and each later one raises ``KeyboardInterrupt``.

    ``on_first`` runs in a signal handler. Signals reach Python's main thread only: in any other the
    block changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            raise KeyboardInterrupt
        on_first(number)

    # A shell starts background jobs with SIGINT ignored: leave it so.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
