"""A run that was claimed ahead of its time: made ready at once, and begun when its time comes, never before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imagekit.mailbox import Empty, Mailbox
from imagekit.runs.recording import NotOurs
from imagekit.runs.watch import Happening, StopAsked, Unstarted
from imagekit.store.queue import Queue
from imagekit.store.values import seconds_until

if TYPE_CHECKING:
    from imagekit.worker.jobs import Job

# The clock may be set while it is waited for.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilDue:
    """Waits for the time of ``job`` when all of it is ready (``runs.runner.Hold``)."""

    job: Job
    queue: Queue
    on_ready: Callable[[], object]

    def __call__(self, happenings: Mailbox[Happening]) -> str | None:
        """Comes back when it is to begin, or with why it is not. ``Unstarted`` where it is put back, ``NotOurs`` where
        it is another worker's by now."""
        run = self.job.run
        self.on_ready()
        while not run.is_due:
            try:
                happening = happenings.get(timeout=min(seconds_until(str(run.scheduled_for)), LOOK_SECONDS))
            except Empty:
                continue
            if isinstance(happening, StopAsked):
                return happening.why
            raise Unstarted
        if not self.job.take_place():
            raise Unstarted
        may_begin = self.queue.may_begin(run.id, run.attempt)
        if may_begin is None:
            raise NotOurs
        if not may_begin:
            raise Unstarted
        return None
