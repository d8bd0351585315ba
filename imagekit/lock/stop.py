"""Ending downloads that are under way."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests


class Stop:
    """Says that downloads are to end: at once where one waits for its server's next piece, else with that."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._lock = threading.Lock()
        self._reading: set[requests.Response] = set()

    def set(self) -> None:
        self.event.set()
        with self._lock:
            for response in self._reading:
                # urllib3 has it from 2.3 on.
                with contextlib.suppress(AttributeError, OSError, ValueError, RuntimeError):
                    response.raw.shutdown()

    def check(self) -> None:
        """Raises ``CancelledError`` once it is set."""
        if self.event.is_set():
            raise CancelledError

    @contextlib.contextmanager
    def reading(self, response: requests.Response) -> Iterator[None]:
        with self._lock:
            self._reading.add(response)
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._reading.discard(response)
