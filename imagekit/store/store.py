"""The store: runs as they are accepted, started and ended, found again, and forgotten when that is asked."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imagekit.atomic import write_whole
from imagekit.errors import UnknownRun
from imagekit.nearest import nearest
from imagekit.store import sql
from imagekit.store.file import PATIENCE, StoreFile
from imagekit.store.logs import DIRECTORY as LOGS
from imagekit.store.logs import LogPiece, LogWriter, follow_log, read_log, remove_log
from imagekit.store.ownership import is_orphan, machine, owner
from imagekit.store.rows import begin_values, end_row, run_of, to_json
from imagekit.store.values import ENDED_STATES, RunEnd, RunRecord, StoredRun

# What a flow returns is kept in the database up to this size, and in a file of its own above.
LARGEST_RESULT = 100_000
RESULTS = "results"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Store:
    """The runs of one user on one machine: a database, logs and large results in one directory (0700).

    ``Store.open`` touches nothing. The database is made when the first run begins; a store that is not there has no
    runs. Any number of processes and threads may use it at once. Every call may raise ``StoreBusy`` (another
    process holds it for longer than ``patience`` seconds), ``StoreCorrupt``, ``StoreError`` and ``DiskFull``; what
    is there is left as it is then.
    """

    may_wait = False  # what a person starts is begun now, or never

    def __init__(self, directory: Path, patience: float) -> None:
        self.directory = directory
        self.file = StoreFile(directory, patience)

    @classmethod
    def open(cls, directory: Path, *, patience: float = PATIENCE) -> Store:
        """The store in ``directory`` (``Settings.state_dir``)."""
        return cls(directory, patience)

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The database's file."""
        return self.file.path

    # Writing: each call is one transaction, on the disk when it returns; some 1 ms.

    def begin(self, record: RunRecord) -> None:
        """Accept a run, in the state ``pending``, before its container is made. This process is its owner."""
        with self.file.writing() as connection:
            values = {**begin_values(record), "owner": owner(), "machine": machine()}
            connection.execute(sql.BEGIN_RUN, values)

    def started(
        self,
        run_id: str,
        *,
        container_id: str | None = None,
        started: str | None = None,
        image_id: str | None = None,
        repo_digest: str | None = None,
    ) -> bool:
        """Note that it runs, while it does. ``False`` where it has ended, or is not there: nothing is noted then."""
        from imagekit.store.values import now

        with self.file.writing() as connection:
            values = (started or now(), container_id, image_id, repo_digest, run_id)
            return connection.execute(sql.START_RUN, values).rowcount == 1

    def end(self, run_id: str, end: RunEnd, *, attempt: int | None = None) -> bool:
        """Note how it ended. A run ends once: ``False`` where it has ended already, and that stands.

        ``attempt``: whose claim says so; where another one has been made, that is ``False``, too.

        A result of more than ``LARGEST_RESULT`` bytes of JSON goes to a file, ``results/ID.json``.
        """
        if end.state not in ENDED_STATES:
            raise ValueError(f"no state that a run ends in: {end.state!r}")
        result = None if end.result is None else to_json(end.result)
        result_file = end.result_file
        # Looked at, written and noted under one lock: nobody else ends it in between, and has its result replaced.
        with self.file.writing() as connection:
            if result is not None and len(result) > LARGEST_RESULT:
                if not connection.execute(sql.MAY_END, {"id": run_id, "attempt": attempt}).fetchall():
                    return False
                path = self._result_path(run_id)
                write_whole(path, result.encode("ascii"))
                result, result_file = None, str(path.relative_to(self.directory))
            values = {**end_row(run_id, end, result, result_file), "attempt": attempt}
            return connection.execute(sql.END_RUN, values).rowcount == 1

    def is_ours(self, run_id: str) -> bool:
        """Whether whoever accepted ``run_id`` sees to it: nobody takes over what no worker claimed."""
        return True

    def image_became(self, run_id: str, image_id: str) -> bool:
        """Note that the image which the run had goes on as ``image_id``: with the same files, and bytecode of them."""
        with self.file.writing() as connection:
            return bool(connection.execute(sql.IMAGE_BECAME, (image_id, run_id)).rowcount == 1)

    def delete(self, run_id: str) -> bool:
        """Forget a run that has ended, with its log and result. ``False`` where it is open, or not there."""
        if not _ID.fullmatch(run_id):
            return False
        with self.file.writing() as connection:
            gone = connection.execute(sql.DELETE_RUN, (run_id,)).rowcount == 1
        if gone:
            remove_log(self._log_directory(run_id))
            with contextlib.suppress(FileNotFoundError):
                self._result_path(run_id).unlink()
        return gone

    # Reading.

    def run(self, wanted: str) -> StoredRun:
        """The run of that ID, else the last of that name (of those that were not refused, if there are any), else the
        one whose ID begins so. Raises ``UnknownRun``."""
        found = self._rows(sql.RUN_BY_ID, (wanted,)) or self._rows(sql.RUN_BY_NAME, (wanted,))
        if not found and re.fullmatch(r"[0-9a-f][0-9a-f-]*", wanted):
            found = self._rows(sql.RUNS_BY_PREFIX, (wanted, wanted))
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownRun(
                f"{wanted!r} begins the IDs of {len(found)} runs",
                hint="write more of it",
                details="\n".join(f"{run.id}  {run.record.name}" for run in found),
            )
        raise UnknownRun(f"no run {wanted!r} is recorded", hint=self._hint(wanted))

    def runs(
        self,
        *,
        states: Sequence[str] | None = None,
        since: str | None = None,
        limit: int | None = None,
        deployment: str | None = None,
    ) -> list[StoredRun]:
        """Runs, the last accepted first: those in one of ``states``, accepted at ``since`` (ISO 8601, UTC) or later,
        of ``deployment`` (``FLOW/NAME``)."""
        values = {
            "states": None if states is None else json.dumps(list(states)),
            "since": since,
            "deployment": deployment,
            "limit": -1 if limit is None else limit,
        }
        return self._rows(sql.RUNS, values)

    def live_runs(self) -> list[StoredRun]:
        """Runs that somebody sees to, in the order in which they were accepted."""
        return self._rows(sql.LIVE_RUNS, ())

    def orphans(self, *, of_pools: bool = False) -> list[StoredRun]:
        """Live runs whose process is gone: whoever finds them says how they ended (``runs.reconcile``).

        Those of work pools, which are left to their next worker, are among them with ``of_pools``.
        """
        here = machine()
        return [run for run in self.live_runs() if (of_pools or run.pool is None) and is_orphan(run, here=here)]

    def has_ended(self, run_id: str) -> bool:
        """Whether it is known here how the run of exactly that ID ended."""
        return any(run.end is not None for run in self._rows(sql.RUN_BY_ID, (run_id,)))

    def result(self, run: StoredRun) -> Any:
        """What the flow returned, read from its file where it is there. ``None`` also for one that is no JSON."""
        if run.end is None or run.end.result_file != str(self._result_path(run.id).relative_to(self.directory)):
            return run.end.result if run.end else None
        with contextlib.suppress(OSError, ValueError):
            return json.loads(self._result_path(run.id).read_bytes())
        return None

    def verify(self) -> None:
        """Read the whole structure of the database. Raises ``StoreCorrupt``."""
        self.file.verify()

    # Logs.

    def log_writer(self, run_id: str) -> LogWriter:
        """Keeps what the run writes; one writer for each run."""
        return LogWriter(self._log_directory(run_id))

    def log(self, run_id: str) -> Iterator[LogPiece]:
        """What is kept of what the run wrote, from the beginning."""
        return read_log(self._log_directory(run_id))

    def follow(self, run_id: str) -> Iterator[LogPiece]:
        """What the run writes, from the beginning and as it comes, until its end is recorded."""
        return follow_log(self._log_directory(run_id), lambda: self.has_ended(run_id))

    def _log_directory(self, run_id: str) -> Path:
        return self.directory / LOGS / _checked(run_id)

    def _result_path(self, run_id: str) -> Path:
        return self.directory / RESULTS / f"{_checked(run_id)}.json"

    def _rows(self, statement: str, values: Any) -> list[StoredRun]:
        rows = self.file.rows(statement, values)
        try:
            return [run_of(row) for row in rows]
        except ValueError as error:
            from imagekit.store.database import corrupt

            raise corrupt(self.path, f"a run in it cannot be read ({error})") from error

    def _hint(self, wanted: str) -> str:
        names = [name for (name,) in self.file.rows(sql.NAMES)]
        near = nearest(wanted, names)
        return f"did you mean {near!r}?" if near else "imagekit flow-run ls shows them"


def _checked(run_id: str) -> str:
    if not _ID.fullmatch(run_id):
        raise ValueError(f"no run's ID: {run_id!r}")
    return run_id
