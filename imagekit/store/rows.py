"""Runs to rows of the database and back. A row that cannot be one is a damaged database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from imagekit.store.sql import COLUMNS
from imagekit.store.values import ENDED_STATES, OPEN_STATES, RunEnd, RunRecord, StoredRun

_NAMES = tuple(name.strip() for name in COLUMNS.split(","))


def begin_values(record: RunRecord) -> dict[str, Any]:
    """The columns of a run as it is accepted, by their names."""
    return {
        "id": record.id,
        "name": _text(record.name),
        "entrypoint": _text(record.entrypoint),
        "parameters": to_json(dict(record.parameters)),
        "reference": _text(record.reference),
        "image_id": record.image_id,
        "repo_digest": record.repo_digest,
        "lock_digest": record.lock_digest,
        "source": to_json(dict(record.source)),
        "env_names": to_json(list(record.env_names)),
        "settings": to_json(dict(record.settings)),
        "extras": None if record.extras is None else to_json(dict(record.extras)),
        "created": record.created,
    }


def end_row(run_id: str, end: RunEnd, result: str | None, result_file: str | None) -> dict[str, Any]:
    """The values of ``sql.END_RUN``; ``result`` is JSON."""
    as_they_are = ("state", "cause", "exit_code", "python", "cpu_seconds", "peak_memory", "started", "ended")
    return {
        **{name: getattr(end, name) for name in (*as_they_are, "container_id", "image_id")},
        "id": run_id,
        "error": None if end.error is None else to_json(dict(end.error)),
        "result": result,
        "result_file": result_file,
    }


def run_of(row: Sequence[Any]) -> StoredRun:
    """The run of a row of ``sql.COLUMNS``. Raises ``ValueError`` for one that we have not written."""
    found = dict(zip(_NAMES, row, strict=True))
    try:
        return _run_of(found)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _run_of(found: Mapping[str, Any]) -> StoredRun:
    state = found["state"]
    if state not in (ENDED_STATES if found["ended"] is not None else OPEN_STATES):
        raise ValueError(f"no state of a run: {state!r}")
    for name in ("created", "started", "ended", "scheduled_for"):
        if found[name] is not None:
            datetime.fromisoformat(found[name])
    record = RunRecord(
        id=found["id"],
        name=found["name"],
        entrypoint=found["entrypoint"],
        parameters=json_object(found["parameters"]),
        reference=found["reference"],
        image_id=found["image_id"],
        repo_digest=found["repo_digest"],
        lock_digest=found["lock_digest"],
        source=json_object(found["source"]),
        env_names=tuple(json.loads(found["env_names"])),
        settings=json_object(found["settings"]),
        extras=None if found["extras"] is None else json_object(found["extras"]),
        created=found["created"],
    )
    end = None
    if found["ended"] is not None:
        end = RunEnd(
            state=state,
            cause=found["cause"],
            exit_code=found["exit_code"],
            error=None if found["error"] is None else json_object(found["error"]),
            result=None if found["result"] is None else json.loads(found["result"]),
            result_file=found["result_file"],
            python=found["python"],
            cpu_seconds=found["cpu_seconds"],
            peak_memory=found["peak_memory"],
            started=found["started"],
            ended=found["ended"],
            container_id=found["container_id"],
            image_id=found["image_id"],
        )
    return StoredRun(
        record=record,
        state=state,
        started=found["started"],
        container_id=found["container_id"],
        owner=found["owner"],
        machine=found["machine"],
        end=end,
        deployment=found["deployment"],
        pool=found["pool"],
        scheduled_for=found["scheduled_for"],
        wanted={} if found["wanted"] is None else json_object(found["wanted"]),
        attempt=found["attempt"],
        lease=found["lease"],
        cancel_asked=bool(found["cancel_asked"]),
        started_clock=found["started_clock"],
    )


def to_json(value: Any) -> str:
    """As the database and result files have it: ASCII, no NaN."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def json_object(text: str) -> dict[str, Any]:
    """``ValueError`` for any other text."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _text(text: str) -> str:
    # A file's name may be no UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()
