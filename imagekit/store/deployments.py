"""Deployments and when their schedules are due, kept in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from imagekit.errors import InputError
from imagekit.nearest import nearest
from imagekit.store import work_sql as sql
from imagekit.store.file import StoreFile
from imagekit.store.rows import json_object
from imagekit.store.values import now
from imagekit.store.work_values import Deployment

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"


class Deployments:
    """The deployments of a store. Calls raise what ``Store``'s do."""

    def __init__(self, file: StoreFile) -> None:
        self._file = file

    def put(self, deployment: Deployment, next_times: Sequence[str | None] = ()) -> tuple[Deployment, str]:
        """Keep it, in the place of the one of its name; what is kept, and whether it was ``created``, ``updated`` or
        is ``unchanged``, in which case nothing is written.

        ``next_times``: when each schedule is due next. Of schedules that are as they were, what was missed stays due.
        Runs that they made ahead of their time are withdrawn, to be made of what is kept now.
        """
        with self._file.writing() as connection:
            row = connection.execute(sql.DEPLOYMENTS, {"name": deployment.name, "pool": None}).fetchone()
            known = None if row is None else _deployment_of(row)
            if known is not None:
                deployment = replace(deployment, id=known.id, created=known.created)
                if _text(replace(deployment, updated=known.updated)) == _text(known):
                    return known, UNCHANGED
            connection.execute(sql.PUT_DEPLOYMENT, _row(deployment))
            values = {"deployment": deployment.name, "now": now()}
            connection.execute(sql.WITHDRAW_WAITING, values)
            connection.execute(sql.WITHDRAW_CLAIMED, values)
            if known is None or known.schedules != deployment.schedules or known.is_paused != deployment.is_paused:
                connection.execute(sql.FORGET_SCHEDULES, (deployment.id,))
                for position, next_time in enumerate(next_times):
                    connection.execute(sql.PUT_SCHEDULE, (deployment.id, position, next_time))
            else:
                for position, next_time in enumerate(next_times):
                    kept = {"deployment_id": deployment.id, "position": position, "time": next_time}
                    connection.execute(sql.KEEP_SCHEDULE, kept)
        return deployment, CREATED if known is None else UPDATED

    def all(self, pool: str | None = None) -> list[Deployment]:
        return [_deployment_of(row) for row in self._file.rows(sql.DEPLOYMENTS, {"name": None, "pool": pool})]

    def get(self, name: str) -> Deployment:
        """The deployment ``FLOW/NAME``. ``InputError`` where there is none, with the nearest name."""
        found = self._file.rows(sql.DEPLOYMENTS, {"name": name, "pool": None})
        if not found:
            flow = name.partition("/")[0]
            known = [deployment.name for deployment in self.all()]
            near = nearest(name, known) or next((each for each in known if each.startswith(f"{flow}/")), None)
            hint = "imagekit deployment ls shows them"
            if not known:
                hint = "there are none yet: imagekit deployment create FILE makes those that FILE specifies"
            raise InputError(f"there is no deployment {name!r}", hint=f"did you mean {near!r}?" if near else hint)
        return _deployment_of(found[0])

    def is_paused(self, name: str) -> bool:
        """Whether there is a deployment of that name, and its schedules make no runs."""
        return any(
            _deployment_of(row).is_paused for row in self._file.rows(sql.DEPLOYMENTS, {"name": name, "pool": None})
        )

    def delete(self, name: str) -> int:
        """Forget it; its runs that wait are cancelled, how many is what comes back."""
        self.get(name)
        with self._file.writing() as connection:
            values = {"deployment": name, "now": now()}
            cancelled = connection.execute(sql.CANCEL_OF_DEPLOYMENT, values).rowcount
            cancelled += connection.execute(sql.CANCEL_CLAIMED_OF_DEPLOYMENT, values).rowcount
            connection.execute(sql.DELETE_DEPLOYMENT, (name,))
        return cancelled

    def next_times(self, deployment: Deployment) -> list[str | None]:
        """When each of its schedules is due."""
        return [time for _, time in self._file.rows(sql.NEXT_OF_DEPLOYMENT, (deployment.id,))]

    def due(self, pool: str, moment: str) -> list[tuple[str, int, str]]:
        """Name, schedule's position and time of what was due in ``pool`` at ``moment`` and made no run yet."""
        return [(name, position, time) for name, position, time in self._file.rows(sql.DUE_SCHEDULES, (pool, moment))]


def _row(deployment: Deployment) -> dict[str, Any]:
    names = ("id", "name", "pool", "concurrency_limit", "created", "updated")
    return {
        **{name: getattr(deployment, name) for name in names},
        "is_paused": int(deployment.is_paused),
        "definition": _text_of(deployment.definition),
    }


def _text(deployment: Deployment) -> str:
    return _text_of(deployment.to_json())


def _text_of(value: object) -> str:
    # Keys in order: what is equal is written equally.
    return json.dumps(value, allow_nan=False, separators=(",", ":"), sort_keys=True)


def _deployment_of(row: Sequence[Any]) -> Deployment:
    identity, name, pool, is_paused, limit, created, updated, definition = row
    found = json_object(definition)
    return Deployment(
        **{**found, "schedules": tuple(found["schedules"]), "tags": tuple(found["tags"])},
        id=identity,
        name=name,
        pool=pool,
        is_paused=bool(is_paused),
        concurrency_limit=limit,
        created=created,
        updated=updated,
    )
