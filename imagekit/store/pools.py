"""Work pools and workers, kept in the store."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from imagekit.engine.containers import is_abandoned
from imagekit.errors import InputError
from imagekit.nearest import nearest
from imagekit.store import work_sql as sql
from imagekit.store.file import StoreFile
from imagekit.store.rows import json_object, to_json
from imagekit.store.work_values import WorkerSeen, WorkPool

_OF_WORKER = ("id", "name", "pool", "owner", "machine", "slots", "prefetch", "started", "last_polled", "state")


class Pools:
    """The work pools of a store. Calls raise what ``Store``'s do."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def put(self, pool: WorkPool) -> None:
        """Keep it, in the place of the one of its name."""
        with self._file.writing() as connection:
            connection.execute(sql.PUT_POOL, _row(pool))

    def make(self, pool: WorkPool) -> bool:
        """Keep it unless there is one of its name: ``False`` then."""
        with self._file.writing() as connection:
            if connection.execute(sql.POOLS, {"name": pool.name}).fetchone() is not None:
                return False
            connection.execute(sql.PUT_POOL, _row(pool))
            return True

    def all(self) -> list[WorkPool]:
        return [_pool_of(row) for row in self._file.rows(sql.POOLS, {"name": None})]

    def find(self, name: str) -> WorkPool | None:
        found = self._file.rows(sql.POOLS, {"name": name})
        return _pool_of(found[0]) if found else None

    def get(self, name: str) -> WorkPool:
        """The pool of that name. ``InputError`` where there is none, with the nearest name or how one is made."""
        found = self.find(name)
        if found is None:
            near = nearest(name, [pool.name for pool in self.all()])
            made = f"imagekit work-pool create --type docker {shlex.quote(name)}"
            raise InputError(
                f"there is no work pool {name!r}", hint=f"did you mean {near!r}? Otherwise: {made}" if near else made
            )
        return found

    def delete(self, name: str) -> None:
        """Forget it. ``InputError`` where deployments or runs that have not ended are of it."""
        self.get(name)
        with self._file.writing() as connection:
            deployments = [found for (found,) in connection.execute(sql.DEPLOYMENTS_OF_POOL, (name,))]
            if deployments:
                more = f" and {len(deployments) - 1} more" if len(deployments) > 1 else ""
                raise InputError(
                    f"the work pool {name!r} has the deployment {deployments[0]!r}{more}",
                    hint=f"imagekit deployment delete {' '.join(deployments)}",
                )
            (waiting,) = connection.execute(sql.WAITING_IN_POOL, (name,)).fetchone()
            if waiting:
                raise InputError(
                    f"the work pool {name!r} has {waiting} run{'s' if waiting > 1 else ''} that did not end",
                    hint="imagekit flow-run ls shows them, imagekit flow-run cancel RUN ends one",
                )
            connection.execute(sql.DELETE_POOL, (name,))

    # Workers.

    def seen(self, worker: WorkerSeen) -> None:
        """Note that it is there, and in which state."""
        with self._file.writing() as connection:
            connection.execute(sql.PUT_WORKER, {name: getattr(worker, name) for name in _OF_WORKER})

    def forget_workers(self, pool: str, before: str) -> None:
        """Those of ``pool`` that polled last before that moment (ISO 8601, UTC)."""
        with self._file.writing() as connection:
            connection.execute(sql.FORGET_WORKERS, (pool, before))

    def workers(self, pool: str | None = None) -> list[WorkerSeen]:
        """The workers of one pool or all, who polled last first."""
        return [_worker_of(row) for row in self._file.rows(sql.WORKERS, {"pool": pool})]


def is_ready(workers: Sequence[WorkerSeen]) -> bool:
    """Whether a worker polls."""
    return any(worker.status == "online" for worker in workers)


def _row(pool: WorkPool) -> dict[str, Any]:
    names = ("name", "type", "description", "concurrency_limit", "created", "updated")
    return {
        **{name: getattr(pool, name) for name in names},
        "is_paused": int(pool.is_paused),
        "template": to_json(dict(pool.template)),
    }


def _pool_of(row: Sequence[Any]) -> WorkPool:
    name, kind, description, is_paused, limit, template, created, updated = row
    return WorkPool(
        name=name,
        type=kind,
        description=description,
        is_paused=bool(is_paused),
        concurrency_limit=limit,
        template=json_object(template),
        created=created,
        updated=updated,
    )


def _worker_of(row: Sequence[Any]) -> WorkerSeen:
    found = dict(zip(_OF_WORKER, row, strict=True))
    parts = found["owner"].split(":")
    return WorkerSeen(**found, is_gone=len(parts) == 3 and is_abandoned(*parts))
