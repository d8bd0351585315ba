"""The worker: a loop that polls a pool, claims what is due while it has room, and holds on to what it claimed.

What is due within its ``prefetch`` seconds is claimed and made ready where a place is free.

It is woken by the database's file (one ``stat`` twenty times a second), by the end of a job, when something comes to be
due, and at least every two seconds. The first signal ends the claiming, and it ends with its last run; the second lets
go of the runs: their containers go on, and the next worker adopts them. What waits for its time is put back with the
first.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from imagekit.errors import DiskFull, EngineError, ImagekitError, StoreCorrupt, StoreError
from imagekit.mailbox import Empty, Mailbox
from imagekit.runs.reconcile import reconcile
from imagekit.runs.watch import LetGo, StopAsked
from imagekit.store.deployments import Deployments
from imagekit.store.ownership import machine as machine_id
from imagekit.store.ownership import owner
from imagekit.store.pools import Pools
from imagekit.store.queue import Queue
from imagekit.store.values import new_run_id, now, seconds_until
from imagekit.store.work_values import HEARTBEAT, ONLINE, STOPPED, STOPPING, WorkerSeen
from imagekit.worker.ahead import UntilDue
from imagekit.worker.jobs import Job, Jobs
from imagekit.worker.one_run import ENDED, HANDED_BACK, LET_GO, JobEnd, carry_out_job
from imagekit.worker.schedules import submit_due
from imagekit.worker.told import Told

if TYPE_CHECKING:
    from imagekit.running import Machine
    from imagekit.store.store import Store

POLL_SECONDS = 2.0
LOOK_SECONDS = 0.05
SWEEP_SECONDS = 30.0
# What could not be begun is tried again after two seconds, four, and so on up to so many.
LONGEST_PAUSE = 30.0
# Workers that were not seen for so many seconds are not listed any more.
REMEMBERED = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a worker ended: the runs that it carried out, and those that it let go of."""

    ended: int
    let_go: int
    was_kept: bool  # from some of what was due: it waits
    signal: int | None = None  # that ended it


class Worker:
    """Carries out the runs of ``pool``, ``limit`` at a time. With ``once``, those that are due, and ends then.

    ``prefetch``: how many seconds before its time a run is made ready.
    """

    def __init__(
        self,
        machine: Machine,
        store: Store,
        pool: str,
        told: Told,
        *,
        limit: int = 10,
        prefetch: float = 0,
        once: bool = False,
        name: str | None = None,
    ) -> None:
        self._machine = machine
        self._store = store
        self._queue = Queue(store)
        self._pools = Pools(store.file)
        self._deployments = Deployments(store.file)
        self._pool = pool
        self._told = told
        self._prefetch = prefetch
        self._once = once
        self._jobs = Jobs(limit)
        self._bell: Mailbox[tuple[Job, JobEnd] | None] = Mailbox()
        self._signals: list[int] = []
        self._over = threading.Event()
        self._ended = 0
        self._kept: set[str] = set()  # runs that it was kept from, and has not got again
        self._engine_away = False
        self._not_before = 0.0
        self._pause = 0.0
        self._seen = WorkerSeen(
            id=new_run_id(),
            name=name or f"{socket.gethostname()}-{os.getpid()}",
            pool=pool,
            owner=owner(),
            machine=machine_id(),
            slots=limit,
            prefetch=prefetch,
            started=now(),
            last_polled=now(),
        )

    def run(self) -> Stopped:
        """Until it is stopped, or with ``once`` until nothing is due. Raises ``InputError`` for a pool that is not
        there, ``EngineError`` where there is no engine, and what the store raises when it begins."""
        self._pools.get(self._pool)
        engine = self._machine.engine
        engine.ping()
        reconcile(self._store, engine)
        self._pools.forget_workers(self._pool, now(ahead=-REMEMBERED))
        self._pools.seen(self._seen)
        self._told.started(self._seen, once=self._once)
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        beating = threading.Thread(target=self._beat, name="imagekit-worker-heartbeat", daemon=True)
        beating.start()
        threading.Thread(target=self._sweep, name="imagekit-worker-sweep", daemon=True).start()
        try:
            self._loop()
        finally:
            let_go = self._let_go()
            self._over.set()
            beating.join()
            with suppress(ImagekitError):
                self._pools.seen(replace(self._seen, last_polled=now(), state=STOPPED))
            for number, handler in before.items():
                signal.signal(number, handler)
        was_kept = self._engine_away or bool(self._kept)
        self._told.stopped(self._ended, let_go, was_kept=was_kept)
        forced = self._signals[0] if len(self._signals) > 1 or let_go else None
        return Stopped(ended=self._ended, let_go=let_go, was_kept=was_kept, signal=forced)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _loop(self) -> None:
        said = False
        while len(self._signals) < 2:
            if self._signals and not said:
                said = True
                self._told.stopping(self._jobs.put_back())
            found = 0
            # Before it looks: what is written, or comes to be due, meanwhile is looked at next.
            mark, looked = self._mark(), time.monotonic()
            if not self._signals:
                try:
                    found = self._poll()
                except StoreCorrupt:
                    raise
                except (StoreError, DiskFull) as error:
                    # It waits with what it has: a store that is busy, or on a full disk, may be well again.
                    self._told.trouble(error)
            if not self._jobs and (self._signals or (self._once and not found)):
                return
            self._wait(mark, looked)

    def _poll(self) -> int:
        """Claim while there is room; how many runs there were. ``InputError`` where somebody deleted the pool."""
        self._pools.get(self._pool)
        if (self._engine_away and not self._engine_is_back()) or time.monotonic() < self._not_before:
            return 0
        found = 0
        while not self._signals and not self._engine_away:
            ahead = self._ahead()
            job = self._next(ahead)
            if job is not None:
                found += 1
                self._begin(job)
            elif not self._submit_due(ahead):
                break
        return found

    def _ahead(self) -> float:
        """For how many seconds: of what schedules will be due for, no more is made than there is room for."""
        return self._prefetch if self._jobs.has_room(ahead=True) else 0

    def _submit_due(self, ahead: float) -> int:
        return submit_due(self._store, self._deployments, self._pools, self._queue, self._pool, self._told, ahead=ahead)

    def _next(self, ahead: float) -> Job | None:
        if not self._jobs.has_room():
            return None
        for stale in self._queue.stale(self._pool, but_not=self._jobs.claims()):
            taken = self._queue.take_over(stale)
            if taken is not None:
                self._told.adopted(taken)
                return self._jobs.add(taken, was_restarted=stale.machine != taken.machine)
        run = self._queue.claim(self._pool, ahead=ahead)
        return None if run is None else self._jobs.add(run)

    def _begin(self, job: Job) -> None:
        run = job.run
        try:
            pool = self._pools.get(self._pool)
        except BaseException:
            # Its claim runs out: what nobody carries out must not be held on to.
            self._jobs.remove(job)
            raise
        hold: UntilDue | None = None
        if self._jobs.is_ahead(job):
            hold = UntilDue(job=job, queue=self._queue, on_ready=lambda: self._told.ready(run))
        self._told.began(run)

        def work() -> None:
            end = JobEnd(how=LET_GO, message="a fault of imagekit's own")
            output = self._told.output_of(run)
            try:
                end = carry_out_job(job, pool, self._machine, self._store, on_output=output, hold=hold)
            finally:
                output.close()
                self._bell.put((job, end))

        threading.Thread(target=work, name=f"imagekit-run-{run.id[:8]}", daemon=True).start()

    def _wait(self, mark: tuple[int, int], looked: float) -> None:
        """Until something may have to be done; ``mark`` is as it was at ``looked``."""
        signals = len(self._signals)
        until = time.monotonic() + self._idle_seconds(looked)
        while (left := until - time.monotonic()) > 0:
            try:
                rung = self._bell.get(timeout=min(left, LOOK_SECONDS))
            except Empty:
                if len(self._signals) != signals:
                    return
                if self._mark() != mark:
                    break
            else:
                if rung is not None:
                    self._done(*rung)
                return
        if self._jobs:
            self._ask_cancelled()

    def _idle_seconds(self, looked: float) -> float:
        """Until it looks again, whatever happens: at once when something comes to be due."""
        ahead = self._ahead()
        try:
            due = self._queue.next_time(self._pool, now(ahead=ahead + looked - time.monotonic()))
        except (StoreError, DiskFull):
            return POLL_SECONDS
        return POLL_SECONDS if due is None else min(max(seconds_until(due) - ahead, 0.001), POLL_SECONDS)

    def _done(self, job: Job, end: JobEnd) -> None:
        self._jobs.remove(job)
        self._engine_away = end.engine_away
        self._ended += end.how == ENDED
        self._kept.discard(job.run.id)
        if end.how in (HANDED_BACK, LET_GO):
            self._kept.add(job.run.id)
            # What kept it from its start is most likely still so.
            self._pause = min(self._pause * 2 or POLL_SECONDS, LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause
        else:
            self._pause = 0.0
        self._told.ended(job.run, end)

    def _mark(self) -> tuple[int, int]:
        try:
            found = self._store.path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)

    def _engine_is_back(self) -> bool:
        try:
            self._machine.engine.ping()
        except EngineError:
            return False
        self._engine_away = False
        self._not_before = 0.0
        return True

    def _ask_cancelled(self) -> None:
        with suppress(StoreError):
            self._jobs.tell(self._queue.cancelled(self._jobs.claims()), StopAsked(why="cancel"))

    def _beat(self) -> None:
        """Renew the claims. Where that fails they may run out, and be another worker's: then these are let go of."""
        while not self._over.wait(HEARTBEAT):
            try:
                claims = self._jobs.claims()
                if claims:
                    renewed = self._queue.renew(claims)
                    self._jobs.tell(renewed.lost, LetGo())
                    self._jobs.tell(renewed.cancelled, StopAsked(why="cancel"))
                state = STOPPING if self._signals else ONLINE
                self._pools.seen(replace(self._seen, last_polled=now(), state=state))
            except Exception as error:
                # Whatever it is: the loop claims on, and what it claims is to be renewed.
                self._told.trouble(error)

    def _sweep(self) -> None:
        """Take away what killed processes, or an engine that was away, left since."""
        while not self._over.wait(SWEEP_SECONDS):
            try:
                reconcile(self._store, self._machine.engine)
            except ImagekitError:
                continue  # whoever needs the engine, or the store, tells it
            except Exception as error:
                self._told.trouble(error)

    def _let_go(self) -> int:
        """Leave what still runs to the next worker; how many runs that are."""
        self._jobs.tell(self._jobs.claims(), LetGo())
        left = 0
        until = time.monotonic() + 5
        while self._jobs and time.monotonic() < until:
            with suppress(Empty):
                rung = self._bell.get(timeout=LOOK_SECONDS)
                if rung is not None:
                    left += rung[1].how != ENDED
                    self._done(*rung)
        return left + len(self._jobs)
