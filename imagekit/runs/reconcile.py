"""Runs whose process ended before they did: found by their label, and ended as what they left behind tells."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, labelled, sweep
from imagekit.errors import EngineError
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, StoredRun

if TYPE_CHECKING:
    from imagekit.runs.concealing import Holder

_LOST = {"kind": "crash", "message": "the process that saw to the run was killed"}


def reconcile(store: Store, engine: Engine) -> int:
    """End every open run of a process that is gone, and remove its container; how many there were.

    One that completed or failed is recorded so; what still runs is stopped, since nobody waits for it, and
    ``crashed`` by ``worker``. Containers of runs that have ended go, too: the engine was away when they did.
    """
    orphans = store.orphans()
    for run in orphans:
        end_orphan(store, engine, run)
    # One that is not known here is another user's, or of a record that is kept elsewhere.
    sweep(engine, store.has_ended)
    return len(orphans)


def end_orphan(store: Store, engine: Engine, run: StoredRun, *, cancels: bool = False) -> None:
    """End an open run that nobody sees to any more, by what is left of it. ``cancels``: as somebody wants."""
    # Not for those who find no such run, which is nearly everybody.
    from imagekit.runs.concealing import concealed_end, needles_of
    from imagekit.runs.following import facts_of, facts_of_found
    from imagekit.runs.outcome import judge
    from imagekit.runs.runner import LABEL_KEPT, LABEL_RUN
    from imagekit.runs.values import SerializedResult

    found = labelled(engine, f"{LABEL_RUN}={run.id}")
    if not found:
        # Its process would have removed it only after the end was written down, or it never was.
        state, cause = ("cancelled", "cancel") if cancels else ("crashed", "removed" if run.started else "worker")
        store.end(run.id, RunEnd(state=state, cause=cause, error=None if cancels else _LOST))
        return
    for entry in found:
        container = Container(engine, entry["Id"])
        was_running = entry.get("State") in ("running", "paused", "created")
        if was_running:
            with suppress(EngineError):
                container.stop(0)
        facts = facts_of(container, exit_code=None, stopped="cancel" if cancels and was_running else None)
        if not was_running:
            facts = facts_of_found(container, facts)
        verdict = judge(facts)
        needles = needles_of(*_environment(container))
        lost = (was_running and verdict.state not in ("completed", "failed")) or entry.get("State") == "created"
        lost = lost and not cancels
        end = RunEnd(
            state="crashed" if lost else verdict.state,
            cause="worker" if lost else verdict.cause,
            exit_code=verdict.exit_code,
            error=_LOST if lost else verdict.error.to_json() if verdict.error else None,
            result=verdict.result.to_json() if isinstance(verdict.result, SerializedResult) else verdict.result,
            python=verdict.python,
            cpu_seconds=verdict.cpu_seconds,
            peak_memory=verdict.peak_memory,
            container_id=container.id,
        )
        store.end(run.id, concealed_end(end, needles))
        if LABEL_KEPT not in entry["Labels"]:
            container.remove()


def _environment(container: Container) -> tuple[dict[str, str | Holder | None], list[str]]:
    """The variables of a container, and the names of those that were given in secret."""
    from imagekit.runs.runner import LABEL_HELD

    with suppress(EngineError):
        config = (container.inspect() or {}).get("Config") or {}
        env = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
        return env, ((config.get("Labels") or {}).get(LABEL_HELD) or "").split(",")
    return {}, []
