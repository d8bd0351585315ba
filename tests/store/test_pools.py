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
    assert caught.value.hint == "imagekit work-pool create --type docker other thing"
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
