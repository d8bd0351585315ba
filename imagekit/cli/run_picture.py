"""Pictures of runs that are recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from imagekit.cli.output import clipped, one_line, seconds, size
from imagekit.cli.periods import ago

if TYPE_CHECKING:
    from imagekit.store.values import StoredRun

_SHOWN_ID = 8


def run_row(run: StoredRun, orphaned: bool) -> list[str]:
    """A run's row in the list of them."""
    record = run.record
    began = datetime.fromisoformat(run.started or record.created)
    cells = [
        run.id[:_SHOWN_ID],
        clipped(record.name, 36),
        clipped(record.entrypoint, 30),
        clipped(record.reference, 40),
        _told(run.state, run.end.cause if run.end else None, orphaned) + _until(run),
        ago((datetime.now(timezone.utc) - began).total_seconds()),
        seconds(run.seconds) if run.seconds is not None else "",
    ]
    return [one_line(cell) for cell in cells]


def _until(run: StoredRun) -> str:
    return "" if run.end is not None or run.is_due else f", due {str(run.scheduled_for)[:19]}Z"


def _told(state: str, cause: str | None, orphaned: bool) -> str:
    if orphaned:
        return f"{state} (its process is gone)"
    return f"{state} ({cause})" if cause and cause != state and state != "timed-out" else state


def run_facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is recorded of a run, from its JSON, name by name."""
    yield "id", document["id"]
    yield "name", document["name"]
    yield "state", _told(document["state"], document["cause"], document["orphaned"])
    error = document["error"]
    if error:
        yield "error", one_line(": ".join(str(error[k]) for k in ("type", "message") if error.get(k)))
    yield "flow", one_line(document["entrypoint"])
    for label, name in (("deployment", "deployment"), ("work pool", "pool")):
        if document[name]:
            yield label, one_line(document[name])
    for name in ("parameters", "settings", "source", "extras"):
        if document[name]:
            yield name, json.dumps(document[name], ensure_ascii=True)
    for label, name in (
        ("image", "reference"),
        ("image id", "image_id"),
        ("digest", "repo_digest"),
        ("lock", "lock_digest"),
        ("python", "python"),
    ):
        if document[name]:
            yield label, one_line(document[name])
    if document["env_names"]:
        yield "variables", one_line(" ".join(document["env_names"]))
    for label, name in (("created", "created"), ("due", "scheduled_for"), ("started", "started"), ("ended", "ended")):
        if document[name]:
            yield label, document[name]
    if document["seconds"] is not None:
        yield "took", seconds(document["seconds"])
    if document["cpu_seconds"] is not None:
        yield "cpu", seconds(document["cpu_seconds"])
    if document["peak_memory"] is not None:
        yield "memory", f"{size(document['peak_memory'])} at most"
    if document["exit_code"] is not None:
        yield "exit code", str(document["exit_code"])
    if document["result_file"]:
        yield "result", document["result_file"]
    elif document["result"] is not None:
        yield "result", json.dumps(document["result"], ensure_ascii=True)
    for line in ((error or {}).get("traceback") or "").rstrip().splitlines():
        yield "", one_line(line)
