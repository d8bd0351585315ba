"""What processes hold in memory at most, all of them together, while something runs.

Anonymous and shared memory as the kernel counts it for each process (``RssAnon``, ``RssShmem`` in ``proc(5)``): what is
mapped from files can be dropped and read again, and what programs share of it would count for each of them. Pages that
a fork has not yet written count twice. They are looked at ten times a second, which takes a hundredth of one core.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

_SECONDS = 0.1
_FIELDS = ("RssAnon:", "RssShmem:")


class Resident:
    """From ``with`` to its end, the most bytes of processes and all that they start.

    ``own`` are those of :meth:`add`, ``engine`` those of ``beside``; ``together`` is the most of both at one time.
    """

    def __init__(self, beside: Sequence[int]) -> None:
        self._beside = tuple(beside)
        self._own: list[int] = []
        self.own = self.engine = self.together = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def add(self, pid: int) -> None:
        """A process that is measured."""
        self._own.append(pid)

    def __enter__(self) -> Resident:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        self._look()
        while not self._ended.wait(_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        own, engine = held(self._own), held(self._beside)
        self.own, self.engine = max(self.own, own), max(self.engine, engine)
        self.together = max(self.together, own + engine)


def held(roots: Iterable[int]) -> int:
    """Bytes that the processes ``roots`` and all below them hold now; those that have ended hold none."""
    return sum(_bytes(pid) for pid in set(_tree(roots)))


def _tree(roots: Iterable[int]) -> Iterator[int]:
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        yield pid
        try:
            # Children are of the thread that started them.
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue


def _bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_FIELDS))
