"""Processes that do jobs, one job at a time each: one interpreter makes layers on one core.

They are programs of their own and no ``multiprocessing``: that would run a caller's script again in each of them, and
leave them behind where the caller is killed. One that ends before its time costs its own job alone.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from imagekit.progress import Reporter, Task

if TYPE_CHECKING:
    from imagekit.settings import Settings

# The same modules as here are found there, whatever lies in the working directory.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from imagekit.matrix.worker import main; main(int(sys.argv[2]))"
)
_GRACE = 30.0  # seconds in which an interrupted job takes away its containers


class _Named(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def base(self) -> str: ...


_Job = TypeVar("_Job", bound=_Named)
_Done = TypeVar("_Done")


class Workers:
    """At most ``count`` processes; what they tell goes to ``reporter``, with the job's label before it.

    A context manager: they are gone at its end, and what they were at is interrupted.
    """

    def __init__(self, count: int, settings: Settings, reporter: Reporter) -> None:
        self._count = count
        self._settings = settings
        self._reporter = reporter
        self._all: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in self._all:
            worker.pipe.close()
        for worker in self._all:
            worker.wait()
        self._all.clear()
        self._reporter.waiting(())

    def each(
        self,
        do: Callable[[Settings, _Job, Reporter], _Done],
        jobs: Sequence[_Job],
        lost: Callable[[_Job, str, str | None], _Done],
    ) -> Iterator[_Done]:
        """What ``do``, a function of a module, makes of each of ``jobs``, as they end.

        Which is begun next, ``following`` says.

        ``lost(job, message, details)`` stands for one whose process ended, or in which something unforeseen was raised.
        """
        waiting, busy = list(jobs), dict[_Worker, _Job]()
        while waiting or busy:
            while waiting and len(busy) < self._count:
                worker, job = self._free(busy), following(waiting, busy.values())
                waiting.remove(job)
                busy[worker] = job
                worker.begin(do, job)
                self._reporter.waiting([job.label for job in waiting])
            for worker in _with_news(busy):
                try:
                    kind, *rest = worker.pipe.recv()
                except (EOFError, OSError):
                    self._all.remove(worker)
                    yield lost(busy.pop(worker), worker.last_words(), None)
                    continue
                if kind == "done":
                    del busy[worker]
                    yield rest[0]
                elif kind == "raised":
                    yield lost(busy.pop(worker), *rest)
                else:
                    worker.tell(kind, *rest)

    def _free(self, busy: dict[_Worker, Any]) -> _Worker:
        worker = next((worker for worker in self._all if worker not in busy), None)
        if worker is None:
            worker = _Worker(self._settings, self._reporter)
            self._all.append(worker)
        return worker


class _Worker:
    """One process, and what is drawn of its tasks."""

    def __init__(self, settings: Settings, reporter: Reporter) -> None:
        self._reporter = reporter
        self._label = ""
        self._tasks: dict[int, tuple[AbstractContextManager[Task], Task]] = {}
        ours, theirs = socket.socketpair()
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(handle)],
                pass_fds=[handle],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self.pipe: Any = Connection(ours.detach())
        self.pipe.send(settings)

    def begin(self, do: Callable[..., object], job: _Named) -> None:
        self._label = job.label
        # One that has ended is seen to be when its answer is asked for.
        with suppress(OSError):
            self.pipe.send((do, job))

    def tell(self, kind: str, *rest: Any) -> None:
        """Repeat one of its words to the reporter here."""
        if kind == "line":
            self._reporter.line(f"{self._label}: {rest[0]}")
        elif kind == "begin":
            number, title, total, unit = rest
            context = self._reporter.task(f"{self._label}: {title}", total, unit)
            self._tasks[number] = (context, context.__enter__())
        elif kind == "progress":
            number, amount, text = rest
            _, task = self._tasks[number]
            task.advance(amount)
            if text:
                task.note(text)
        elif kind == "end":
            context, _ = self._tasks.pop(rest[0])
            context.__exit__(None, None, None)

    def last_words(self) -> str:
        """Why it ended, once it has."""
        self._forget()
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "its process was killed: by someone, or for want of memory (then --jobs 1 helps)"
        return f"its process ended with {code}" if code >= 0 else f"its process was ended by signal {-code}"

    def wait(self) -> None:
        """Until it has ended; its pipe is closed by now."""
        self._forget()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _forget(self) -> None:
        for context, _ in self._tasks.values():
            context.__exit__(None, None, None)
        self._tasks.clear()


def following(waiting: Sequence[_Job], busy: Collection[_Job]) -> _Job:
    """Which of ``waiting`` is to be begun beside ``busy``.

    Two on the same base would each read it, and send the engine the layers that they have in common, at the same time;
    one after the other the second finds them. So another base's is taken where there is one, of that with most to do.
    """
    taken = {job.base for job in busy}
    left = Counter(job.base for job in waiting)
    return max(waiting, key=lambda job: (job.base not in taken, left[job.base]))


def _with_news(busy: dict[_Worker, Any]) -> list[_Worker]:
    """Those of ``busy`` that have something to say, once one has."""
    ready = wait([worker.pipe for worker in busy])
    return [worker for worker in busy if worker.pipe in ready]
