"""The jobs of a worker: those that have one of its places, and those that were claimed ahead of their time.

The latter take a place when their time comes, if there is one: what is due is not kept waiting by what will be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from imagekit.mailbox import Mailbox
from imagekit.runs.watch import Happening, LetGo
from imagekit.store.values import StoredRun


def _granted() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run that is this worker's. ``happenings`` takes what others want of it."""

    run: StoredRun
    happenings: Mailbox[Happening]
    was_restarted: bool = False  # the machine, since the claim before this one
    take_place: Callable[[], bool] = _granted  # when its time has come; False: there is none

    @property
    def id(self) -> str:
        return self.run.id


class Jobs:
    """At most ``limit`` of them have a place. Every thread of the worker's may ask."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._ahead: set[str] = set()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def has_room(self, *, ahead: bool = False) -> bool:
        """Whether there is a place for one that is due; with ``ahead``, also if all that are held had one."""
        with self._guard:
            return len(self._jobs) - (0 if ahead else len(self._ahead)) < self._limit

    def add(self, run: StoredRun, *, was_restarted: bool = False) -> Job:
        """Hold ``run``, with a place if it is due or was begun."""
        job = Job(
            run=run,
            happenings=Mailbox(),
            was_restarted=was_restarted,
            take_place=lambda: self._take_place(run.id),
        )
        with self._guard:
            self._jobs[run.id] = job
            if not run.is_due and run.started is None:
                self._ahead.add(run.id)
        return job

    def remove(self, job: Job) -> None:
        with self._guard:
            self._jobs.pop(job.id, None)
            self._ahead.discard(job.id)

    def is_ahead(self, job: Job) -> bool:
        """Whether it has no place yet."""
        with self._guard:
            return job.id in self._ahead

    def claims(self) -> dict[str, int]:
        """Their attempts, by the runs' IDs."""
        with self._guard:
            return {job.id: job.run.attempt for job in self._jobs.values()}

    def tell(self, run_ids: Collection[str], happening: Happening) -> None:
        with self._guard:
            for run_id in run_ids:
                if run_id in self._jobs:
                    self._jobs[run_id].happenings.put(happening)

    def put_back(self) -> int:
        """Let go of those that wait for their time, and give no more places; how many others there are."""
        with self._guard:
            self._is_closed = True
            for run_id in self._ahead:
                self._jobs[run_id].happenings.put(LetGo())
            return len(self._jobs) - len(self._ahead)

    def _take_place(self, run_id: str) -> bool:
        with self._guard:
            if run_id not in self._ahead:
                return True
            if self._is_closed or len(self._jobs) - len(self._ahead) >= self._limit:
                return False
            self._ahead.discard(run_id)
            return True
