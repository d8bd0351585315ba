"""Runs that wait for a worker: submitted, claimed, kept, handed back, taken over, cancelled.

``scheduled`` → (claim) ``pending`` → ``running`` → its end. A claim has a number, the run's ``attempt``, and a lease,
which its holder renews. A claim whose lease is over, or whose process is gone, is taken over under the next number.
A run may be claimed some time before it is due; it takes a place of its pool's and its deployment's when it is.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from imagekit.store import sql as runs_sql
from imagekit.store import work_sql as sql
from imagekit.store.ownership import has_lease, is_orphan, machine, owner
from imagekit.store.rows import run_of, to_json
from imagekit.store.store import Store
from imagekit.store.values import StoredRun, now
from imagekit.store.work_values import GIVEN_UP, LEASE, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """Of the claims that were to be renewed: those that are somebody else's by now, and those to be cancelled."""

    lost: frozenset[str]
    cancelled: frozenset[str]


class Queue:
    """The waiting runs of a store. Each call is one transaction; it raises what ``Store``'s do.

    Any number of processes and threads may claim at once: SQLite lets one write at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._file = store.file

    def submit(self, submission: Submission) -> bool:
        """Accept a run; ``False`` where one of the same ``occurrence`` is there already."""
        with self._file.writing() as connection:
            return connection.execute(sql.SUBMIT, _row(submission)).rowcount == 1

    def move_schedule(
        self, deployment_id: str, position: int, due: str, next_time: str | None, submission: Submission | None
    ) -> bool:
        """Submit what was due and note when the schedule is due next, both or none; ``False`` where another did."""
        with self._file.writing() as connection:
            moved = connection.execute(sql.MOVE_SCHEDULE, (next_time, deployment_id, position, due)).rowcount == 1
            if moved and submission is not None:
                connection.execute(sql.SUBMIT, _row(submission))
        return moved

    def claim(self, pool: str, *, ahead: float = 0, lease: float = LEASE) -> StoredRun | None:
        """The run of ``pool`` that has waited longest, or else one that is due within ``ahead`` seconds, as this
        process's for ``lease`` seconds; ``None``: none. One that is not due is begun when ``may_begin`` says so."""
        # Looked at first: an idle worker writes nothing.
        if not self._file.rows(sql.NEXT_DUE, _until(pool, ahead)):
            return None
        with self._file.writing() as connection:
            row = connection.execute(sql.NEXT_DUE, _until(pool, ahead)).fetchone()
            if row is None:
                return None
            values = {"id": row[0], "owner": owner(), "machine": machine(), "lease": time.monotonic() + lease}
            connection.execute(sql.CLAIM, values)
            return run_of(connection.execute(runs_sql.RUN_BY_ID, row).fetchone())

    def next_time(self, pool: str, after: str) -> str | None:
        """When something is due in ``pool`` next, a schedule or a run that waits; ``None``: nothing that is known."""
        found = self._file.rows(sql.NEXT_TIME, {"pool": pool, "after": after})
        return found[0][0] if found else None

    def may_begin(self, run_id: str, attempt: int) -> bool | None:
        """Whether a run that was claimed ahead of its time may begin, now that it has come. ``False``: its pool or its
        deployment has as many as it may, or is paused, and it waits again. ``None``: it is not this claim's any more.
        """
        with self._file.writing() as connection:
            if connection.execute(sql.IS_OURS, (run_id, attempt)).fetchone() is None:
                return None
            if connection.execute(sql.MAY_BEGIN, {"id": run_id, "now": now()}).fetchone() is not None:
                return True
            return None if connection.execute(sql.HAND_BACK, (now(), run_id, attempt)).rowcount == 0 else False

    def renew(self, claims: Mapping[str, int], *, lease: float = LEASE) -> Renewed:
        """Hold on to ``claims`` (run IDs and their attempts) for ``lease`` seconds from now."""
        lost, cancelled = set(), set()
        with self._file.writing() as connection:
            until = time.monotonic() + lease
            for run_id, attempt in claims.items():
                if connection.execute(sql.RENEW, (until, run_id, attempt)).rowcount == 0:
                    lost.add(run_id)
                elif connection.execute(sql.IS_OURS, (run_id, attempt)).fetchone() == (1,):
                    cancelled.add(run_id)
        return Renewed(lost=frozenset(lost), cancelled=frozenset(cancelled))

    def cancelled(self, claims: Mapping[str, int]) -> frozenset[str]:
        """Those of ``claims`` that somebody wants cancelled."""
        return frozenset(
            run_id for run_id, attempt in claims.items() if self._file.rows(sql.IS_OURS, (run_id, attempt)) == [(1,)]
        )

    def hand_back(self, run_id: str, attempt: int) -> bool:
        """Let it wait again, where nothing of it has been started."""
        with self._file.writing() as connection:
            return connection.execute(sql.HAND_BACK, (now(), run_id, attempt)).rowcount == 1

    def give_up(self, run_id: str, attempt: int) -> bool:
        """End the lease: the next worker takes it over as it is."""
        with self._file.writing() as connection:
            return connection.execute(sql.RENEW, (GIVEN_UP, run_id, attempt)).rowcount == 1

    def stale(self, pool: str, *, but_not: Collection[str] = ()) -> list[StoredRun]:
        """Claimed runs of ``pool`` whose holder is gone, or has let the lease run out."""
        here = machine()
        return [
            run
            for run in self._store.live_runs()
            if run.pool == pool and run.id not in but_not and _is_stale(run, here)
        ]

    def take_over(self, run: StoredRun, *, lease: float = LEASE) -> StoredRun | None:
        """``run`` as this process's, under the next attempt; ``None`` where it is not as it was seen any more."""
        with self._file.writing() as connection:
            values = {"id": run.id, "attempt": run.attempt, "seen": run.lease}
            values |= {"owner": owner(), "machine": machine(), "lease": time.monotonic() + lease}
            if connection.execute(sql.TAKE_OVER, values).rowcount == 0:
                return None
            return run_of(connection.execute(runs_sql.RUN_BY_ID, (run.id,)).fetchone())

    def cancel(self, run_id: str) -> str | None:
        """``cancelled`` where it waited, ``asked`` where its worker is to end it, ``None`` where it is no worker's."""
        with self._file.writing() as connection:
            if connection.execute(sql.CANCEL_WAITING, (now(), run_id)).rowcount == 1:
                return "cancelled"
            return "asked" if connection.execute(sql.ASK_CANCEL, (run_id,)).rowcount == 1 else None


def _until(pool: str, ahead: float) -> dict[str, str]:
    return {"pool": pool, "now": now(), "ahead": now(ahead=ahead)}


def _row(submission: Submission) -> dict[str, Any]:
    as_json = ("parameters", "source", "wanted")
    values = {each.name: getattr(submission, each.name) for each in fields(submission)}
    return {**values, **{name: to_json(dict(values[name])) for name in as_json}}


def _is_stale(run: StoredRun, here: str) -> bool:
    if is_orphan(run, here=here):
        return True
    # A lease says nothing to a machine that has been started another time, or is another one.
    return run.machine.partition("/")[2] == here.partition("/")[2] and not has_lease(run, here=here)
