"""Work pools, deployments and workers are kept as they were told, and what would leave something behind is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import InputError
from imagekit.store.deployments import Deployments
from imagekit.store.ownership import machine, owner
from imagekit.store.pools import Pools, is_ready
from imagekit.store.queue import Queue
from imagekit.store.store import Store
from imagekit.store.values import new_run_id, now
from imagekit.store.work_values import Deployment, Submission, WorkerSeen, WorkPool

DEPLOYMENT = Deployment(
    name="etl/nightly",
    pool="docker",
    entrypoint="flow.py:etl",
    image="orders:v1",
    pinned="sha256:" + "a" * 64,
    parameters={"n": 3, "rows": [1, None]},
    job_variables={"env": {"STAGE": "test"}},
    schedules=({"cron": "0 9 * * *", "timezone": "Europe/Berlin"},),
    tags=("nightly",),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "state")


def test_pools(store: Store) -> None:
    pools = Pools(store.file)
    assert pools.all() == []
    pool = WorkPool(name="docker", template={"variables": {}, "job_configuration": {}}, concurrency_limit=4)
    assert pools.make(pool)
    assert not pools.make(replace(pool, description="another"))
    assert pools.all() == [pool] == [pools.get("docker")]
    pools.put(replace(pool, is_paused=True))
    assert pools.get("docker").is_paused
    with pytest.raises(InputError, match="there is no work pool 'dokcer'") as caught:
        pools.get("dokcer")
    assert "did you mean 'docker'?" in str(caught.value.hint)
    with pytest.raises(InputError) as caught:
        pools.get("other thing")
    assert caught.value.hint == "imagekit work-pool create --type docker 'other thing'"
    pools.delete("docker")
    assert pools.all() == []


def test_a_pool_with_deployments_stays(store: Store) -> None:
    pools, deployments = Pools(store.file), Deployments(store.file)
    pools.put(WorkPool(name="docker"))
    deployments.put(DEPLOYMENT)
    with pytest.raises(InputError, match="has the deployment 'etl/nightly'"):
        pools.delete("docker")
    submission = Submission(
        name="r-1", deployment="etl/nightly", pool="docker", entrypoint="f.py:f", reference="x", wanted={}
    )
    Queue(store).submit(submission)
    assert deployments.delete("etl/nightly") == 1
    assert (store.run(submission.id).state, store.run(submission.id).end.cause) == ("cancelled", "deleted")  # type: ignore[union-attr]
    pools.delete("docker")


def test_a_deployment_is_written_only_where_it_changed(store: Store) -> None:
    Pools(store.file).put(WorkPool(name="docker"))
    deployments = Deployments(store.file)
    first, outcome = deployments.put(DEPLOYMENT, ["2026-01-01T08:00:00.000+00:00"])
    assert outcome == "created"
    assert deployments.get("etl/nightly") == first
    before = store.path.read_bytes()
    again = replace(DEPLOYMENT, id=new_run_id(), created=now(), updated="2030-01-01T00:00:00.000+00:00")
    assert deployments.put(again, ["2026-01-02T08:00:00.000+00:00"]) == (first, "unchanged")
    assert store.path.read_bytes() == before
    other, outcome = deployments.put(replace(again, parameters={"n": 4}), ["2026-01-02T08:00:00.000+00:00"])
    assert (outcome, other.id, other.created) == ("updated", first.id, first.created)
    # What changed is not when it is due.
    assert deployments.next_times(other) == ["2026-01-01T08:00:00.000+00:00"]
    assert deployments.due("docker", "2026-01-01T08:00:00.000+00:00") == [
        ("etl/nightly", 0, "2026-01-01T08:00:00.000+00:00")
    ]
    assert deployments.due("docker", "2026-01-01T07:59:59.999+00:00") == []
    paused, _ = deployments.put(replace(other, is_paused=True), [None])
    assert deployments.next_times(paused) == [None]
    with pytest.raises(InputError) as caught:
        deployments.get("etl/nightyl")
    assert caught.value.hint == "did you mean 'etl/nightly'?"
    for of_the_flow in ("etl", "etl/other"):
        with pytest.raises(InputError) as caught:
            deployments.get(of_the_flow)
        assert caught.value.hint == "did you mean 'etl/nightly'?"


def test_a_worker_is_seen_until_its_process_is_gone(store: Store) -> None:
    pools = Pools(store.file)
    pools.put(WorkPool(name="docker"))
    here = {"pool": "docker", "machine": machine(), "slots": 4}
    worker = WorkerSeen(id="1", name="w", owner=owner(), started=now(), last_polled=now(), **here)  # type: ignore[arg-type]
    pools.seen(worker)
    assert [each.status for each in pools.workers("docker")] == ["online"]
    assert is_ready(pools.workers())
    pools.seen(replace(worker, state="stopped"))
    assert not is_ready(pools.workers())
    child = os.fork()
    if child == 0:
        os._exit(0)
    of_child = owner(child)
    os.waitpid(child, 0)
    pools.seen(replace(worker, id="2", owner=of_child, last_polled="2026-01-01T00:00:00.000+00:00"))
    assert [each.status for each in pools.workers("docker")] == ["stopped", "gone"]
    pools.forget_workers("docker", "2026-01-02T00:00:00.000+00:00")
    assert [each.id for each in pools.workers("docker")] == ["1"]


def test_what_a_schedule_made_ahead_is_withdrawn_where_its_deployment_changes(store: Store) -> None:
    Pools(store.file).put(WorkPool(name="docker"))
    deployments, queue = Deployments(store.file), Queue(store)
    due = now(ahead=1000)
    deployment, _ = deployments.put(DEPLOYMENT, [due])
    occurrence = f"{deployment.id}/0/{due}"

    def made(number: int, **more: str | None) -> str:
        run = Submission(
            name=f"r-{number}",
            deployment=deployment.name,
            pool="docker",
            entrypoint="f.py:f",
            reference="x",
            wanted={},
            **{"scheduled_for": due, "occurrence": occurrence, **more},  # type: ignore[arg-type]
        )
        assert queue.submit(run)
        return run.id

    assert queue.move_schedule(deployment.id, 0, due, "2099-01-01T08:00:00.000+00:00", None)
    waits, asked_for = made(1), made(2, occurrence=None)
    missed = made(3, scheduled_for="2026-01-01T08:00:00.000+00:00", occurrence="missed")
    changed, _ = deployments.put(replace(deployment, parameters={"n": 4}), [due])
    assert (store.run(waits).state, store.run(waits).end.cause) == ("cancelled", "unscheduled")  # type: ignore[union-attr]
    # What was missed stays accepted, and what is to come is due again, of the same occurrence.
    assert deployments.next_times(changed) == [due]
    again = made(4)
    wanted = (again, missed, asked_for)
    assert [store.run(each).state for each in wanted] == ["scheduled"] * 3
    assert [queue.claim("docker", ahead=1100) is None for _ in wanted] == [False] * 3
    deployments.put(replace(changed, is_paused=True), [None])
    assert queue.cancelled(dict.fromkeys(wanted, 1)) == {again}


def test_a_deployment_that_is_deleted_takes_with_it_what_is_ready_for_it(store: Store) -> None:
    Pools(store.file).put(WorkPool(name="docker"))
    deployments, queue = Deployments(store.file), Queue(store)
    deployments.put(DEPLOYMENT)
    times = {"due": now(), "later": now(ahead=1000)}
    runs = [
        Submission(
            name=name,
            deployment=DEPLOYMENT.name,
            pool="docker",
            entrypoint="f.py:f",
            reference="x",
            wanted={},
            scheduled_for=time,
        )
        for name, time in times.items()
    ]
    for run in runs:
        queue.submit(run)
        assert queue.claim("docker", ahead=1100) is not None
    assert deployments.delete(DEPLOYMENT.name) == 1
    assert queue.cancelled({run.id: 1 for run in runs}) == {runs[1].id}


def test_a_worker_that_has_not_polled_is_stale(store: Store) -> None:
    pools = Pools(store.file)
    pools.put(WorkPool(name="docker"))
    worker = WorkerSeen(
        id="1",
        name="w",
        owner=owner(),
        started=now(),
        last_polled=now(ahead=-31),
        pool="docker",
        machine=machine(),
        slots=4,
        prefetch=10,
    )
    pools.seen(worker)
    (found,) = pools.workers()
    assert (found.status, found.prefetch, is_ready([found])) == ("stale", 10, False)
    # A clock that was set back says nothing.
    assert replace(worker, last_polled=now(ahead=3600)).status == "online"
    assert replace(worker, state="stopped").status == "stopped"
