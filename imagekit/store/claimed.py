"""A run as whoever claimed it writes it down: each write says which attempt it is of."""

from __future__ import annotations

import time
from typing import Protocol

from imagekit.store import work_sql as sql
from imagekit.store.logs import LogWriter
from imagekit.store.rows import begin_values
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord


class Record(Protocol):
    """Where a run that is carried out is written down: a ``Store``, or one ``ClaimedRun`` of it."""

    @property
    def may_wait(self) -> bool:
        """Whether a run that could not be begun is begun later."""
        ...

    def begin(self, record: RunRecord) -> None: ...

    def started(self, run_id: str, *, container_id: str | None = None, started: str | None = None) -> bool: ...

    def end(self, run_id: str, end: RunEnd) -> bool: ...

    def is_ours(self, run_id: str) -> bool: ...

    def log_writer(self, run_id: str) -> LogWriter: ...


class ClaimedRun:
    """The claim with the number ``attempt``. Where another one has been made since, nothing is written."""

    def __init__(self, store: Store, run_id: str, attempt: int) -> None:
        self._store = store
        self._run_id = run_id
        self.attempt = attempt
        self.may_wait = True

    def begin(self, record: RunRecord) -> None:
        """What came of what was wanted: the image, the commit of the source, the settings."""
        with self._store.file.writing() as connection:
            connection.execute(sql.BEGIN_CLAIMED, {**begin_values(record), "id": self._run_id, "attempt": self.attempt})

    def started(self, run_id: str, *, container_id: str | None = None, started: str | None = None) -> bool:
        from imagekit.store.values import now

        with self._store.file.writing() as connection:
            values = (started or now(), time.monotonic(), container_id, self._run_id, self.attempt)
            return connection.execute(sql.START_CLAIMED, values).rowcount == 1

    def end(self, run_id: str, end: RunEnd) -> bool:
        return self._store.end(self._run_id, end, attempt=self.attempt)

    def is_ours(self, run_id: str) -> bool:
        """Whether the claim holds: asked between the making of a container and its start."""
        return bool(self._store.file.rows(sql.IS_OURS, (self._run_id, self.attempt)))

    def log_writer(self, run_id: str) -> LogWriter:
        return self._store.log_writer(self._run_id)
