"""One claimed run: from what was submitted to a container, or to the container that it has already."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from imagekit.deploying.template import run_settings
from imagekit.engine.containers import Container, labelled
from imagekit.errors import DiskFull, EngineError, InputError, StoreError
from imagekit.extras.during import run_first
from imagekit.running import Asked, Machine, image_of_versions_in_use, prepare, sourced
from imagekit.runs.recording import AWAY, NotOurs, end_by
from imagekit.runs.runner import LABEL_RUN, Hold, run_flow, source_in_use
from imagekit.runs.watch import LetGone, Sink, Unstarted
from imagekit.spec.entrypoint import Entrypoint
from imagekit.store.claimed import ClaimedRun
from imagekit.store.queue import Queue
from imagekit.store.values import RunEnd, StoredRun

if TYPE_CHECKING:
    from imagekit.store.store import Store
    from imagekit.store.work_values import WorkPool
    from imagekit.worker.jobs import Job

_LOST = {"kind": "crash", "message": "the worker that saw to the run ended, and its container is gone"}
# How a run was left: it goes on elsewhere, waits again, or this worker knows how it ended.
ENDED, HANDED_BACK, LET_GO, TAKEN = "ended", "handed back", "let go", "taken over by another worker"
WAITS = "waits again"  # nothing kept it from its start but what goes before it


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job was left, and where it ended the state and cause."""

    how: str
    state: str | None = None
    cause: str | None = None
    message: str | None = None
    engine_away: bool = False


def carry_out_job(
    job: Job,
    pool: WorkPool,
    machine: Machine,
    store: Store,
    *,
    on_output: Sink | None = None,
    hold: Hold | None = None,
) -> JobEnd:
    """Prepare it and run it, or go on with the container that an earlier attempt left. Raises nothing on purpose.

    ``hold`` is waited for between the two.

    Where the store cannot be written, the claim is left to run out: whoever takes the run over finds what there is.
    """
    try:
        return _carried_out(job, pool, machine, store, on_output, hold)
    except (StoreError, DiskFull) as error:
        return JobEnd(how=LET_GO, message=error.message)


def _carried_out(
    job: Job, pool: WorkPool, machine: Machine, store: Store, on_output: Sink | None, hold: Hold | None
) -> JobEnd:
    run = job.run
    claimed = ClaimedRun(store, run.id, run.attempt)
    container = None
    try:
        if run.attempt > 1:
            container = _left_behind(machine, run)
            if container is None and run.started is not None:
                # It was begun, perhaps to its end: whether again is not for us to say.
                return _ended(store, claimed, run, RunEnd(state="crashed", cause="worker", error=_LOST))
        asked = asked_of(run, pool, machine, is_begun=container is not None)
        prepared = prepare(machine, asked)
        order = replace(
            prepared.order,
            container=container,
            engine_lost=job.was_restarted,
            labels={"imagekit.attempt": str(run.attempt)},
        )
        with source_in_use(order.checkout, prepared.cache):
            run_it = partial(
                run_flow,
                prepared.engine,
                order,
                store=claimed,
                on_output=on_output,
                happenings=job.happenings,
                hold=hold,
            )
            result = run_it() if container or prepared.first is None else run_first(prepared.first, run_it, store)
        message = result.error.message if result.error else next(iter(result.warnings), None)
        return JobEnd(how=ENDED, state=result.state, cause=result.cause, message=message)
    except LetGone:
        Queue(store).give_up(run.id, run.attempt)
        return JobEnd(how=LET_GO)
    except NotOurs:
        return JobEnd(how=TAKEN)
    except Unstarted:
        # Where there was no place for it, it waits already; where it was cancelled meanwhile, that is its end.
        Queue(store).hand_back(run.id, run.attempt)
        found = store.run(run.id)
        if found.end is not None:
            return JobEnd(how=ENDED, state=found.state, cause=found.end.cause)
        return JobEnd(how=WAITS if found.state == "scheduled" else TAKEN)
    except (*AWAY, StoreError) as error:
        # Nothing of it was started: it waits until an engine is there. What was started has been recorded.
        away = isinstance(error, EngineError)
        if Queue(store).hand_back(run.id, run.attempt):
            return JobEnd(how=HANDED_BACK, message=error.message, engine_away=away)
        # An earlier attempt's container may be there still.
        is_adopted = run.attempt > 1 and run.started is not None
        if (container is not None or is_adopted) and Queue(store).give_up(run.id, run.attempt):
            return JobEnd(how=LET_GO, message=error.message, engine_away=away)
        return _ended(store, claimed, run, end_by(error, is_started=True))
    except Exception as error:
        return _ended(store, claimed, run, end_by(error))


def asked_of(run: StoredRun, pool: WorkPool, machine: Machine, *, is_begun: bool = False) -> Asked:
    """What was submitted, as a run that is asked for; the pool's defaults are those of now. ``is_begun``: it has a
    container, and goes on under its name."""
    wanted = run.wanted
    settings = run_settings(pool.template, wanted.get("job_variables") or {})
    image = wanted.get("image") or settings.image or image_of_versions_in_use()
    if image is None:
        raise InputError(
            f"the deployment {run.deployment} has no image, and neither has its work pool {pool.name}",
            hint=f"imagekit work-pool update {pool.name} --set image=NAME:TAG",
        )
    name = run.record.name
    if run.attempt > 1 and not is_begun:
        name = f"{name.removesuffix(f'-{run.attempt - 1}')}-{run.attempt}"
    settings = settings.with_(image=image, name=name)
    if settings.timeout is not None and run.started_clock is not None:
        gone = time.monotonic() - run.started_clock
        settings = settings.with_(timeout=max(settings.timeout - max(gone, 0), 0.1))
    asked = Asked(
        entrypoint=Entrypoint.parse(run.record.entrypoint),
        settings=settings,
        parameters=dict(run.record.parameters),
        run_id=run.id,
        flow_options=wanted.get("flow_options") or {},
    )
    source = wanted.get("source")
    if source is None:
        return asked
    return sourced(asked, source, wanted.get("source_secret"), machine.settings, machine.reporter)


def _left_behind(machine: Machine, run: StoredRun) -> str | None:
    """The container of an earlier attempt that was started; one that was not is taken away, so that nobody does."""
    started = None
    for entry in labelled(machine.engine, f"{LABEL_RUN}={run.id}"):
        container = Container(machine.engine, entry["Id"])
        if entry.get("State") == "created":
            # Not by force: who stood still may start it at this very moment.
            container.remove(force=False)
            state = ((container.inspect() or {}).get("State") or {}).get("Status")
            if state not in ("running", "exited"):
                continue
        started = container.id
    return started


def _ended(store: Store, claimed: ClaimedRun, run: StoredRun, end: RunEnd) -> JobEnd:
    """Write ``end`` down, unless somebody did: that one stands."""
    noted = None if claimed.end(run.id, end) else store.run(run.id)
    if noted is not None and noted.end is None:
        return JobEnd(how=TAKEN)
    end = end if noted is None or noted.end is None else noted.end
    message = (end.error or {}).get("message")
    return JobEnd(how=ENDED, state=end.state, cause=end.cause, message=str(message) if message else None)
