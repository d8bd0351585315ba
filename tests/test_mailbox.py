"""What threads and signal handlers put, for one thread that waits for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imagekit.mailbox import Empty, Mailbox


@contextmanager
def alarm(handler, after: float = 0.02) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, lambda *_: handler())
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_values_come_in_their_order() -> None:
    box: Mailbox[int] = Mailbox()
    assert box.empty()
    for value in (1, 2, 3):
        box.put(value)
    assert not box.empty()
    assert [box.get(), box.get(timeout=0), box.get_nowait()] == [1, 2, 3]
    for take in (box.get_nowait, lambda: box.get(timeout=0), lambda: box.get(timeout=0.01)):
        with pytest.raises(Empty):
            take()


def test_a_handler_that_outlasts_the_wait_ends_it() -> None:
    """Where the queue of the standard library waits for ever (Python before 3.13)."""
    box: Mailbox[int] = Mailbox()
    with alarm(lambda: time.sleep(0.3)), pytest.raises(Empty):
        box.get(timeout=0.1)


@pytest.mark.parametrize("timeout", [None, 600])
def test_a_handler_puts_what_the_interrupted_thread_waits_for(timeout: float | None) -> None:
    box: Mailbox[str] = Mailbox()
    with alarm(lambda: box.put("from the handler")):
        assert box.get(timeout=timeout) == "from the handler"


def test_nothing_is_lost_or_waited_for_in_vain() -> None:
    box: Mailbox[tuple[int, int]] = Mailbox()
    threads = [
        threading.Thread(target=lambda number=number: [box.put((number, n)) for n in range(500)]) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    found = [box.get(timeout=600) for _ in range(2000)]
    for thread in threads:
        thread.join()
    assert box.empty()
    assert sorted(found) == [(number, n) for number in range(4) for n in range(500)]
    for number in range(4):
        assert [n for each, n in found if each == number] == list(range(500))
