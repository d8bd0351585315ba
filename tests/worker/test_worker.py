"""Workers with a real engine: what is submitted is run once and recorded, through kills, stops, and late wakings."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

import imagekit.worker.worker as worker_module
from imagekit.deploying.pool import new_pool
from imagekit.deploying.schedules import Interval
from imagekit.progress import SilentReporter
from imagekit.running import Machine
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.values import now
from imagekit.store.work_values import WorkerSeen
from imagekit.worker.told import Told
from imagekit.worker.worker import Worker

from .conftest import Works


def test_what_is_due_is_carried_out(works: Works) -> None:
    wanted = [works.submit("add", a=n) for n in range(3)]
    failing = works.submit("add", {"env": {"STAGE": "test"}, "labels": {"team": "data"}}, a="x")
    assert works.worker("--run-once", "--limit", "2").wait() == 0
    runs = [works.store.run(run_id) for run_id in wanted]
    assert [(run.state, run.end.result if run.end else None, run.attempt) for run in runs] == [
        ("completed", n + 1, 1) for n in range(3)
    ]
    assert runs[0].deployment == "add/test"
    assert runs[0].record.name.startswith("imagekit-run-add-")
    assert works.log(wanted[1]) == b"adding 1 1\n"
    failed = works.store.run(failing)
    assert (failed.state, failed.record.env_names) == ("failed", ("STAGE",))
    assert [works.containers(run_id) for run_id in (*wanted, failing)] == [[], [], [], []]
    assert f"{runs[0].record.name} | adding 0 1" in works.told()
    (worker,) = Pools(works.store.file).workers("docker")
    assert worker.status == "stopped"


@pytest.mark.soak
def test_a_run_that_cannot_begin_says_why(works: Works) -> None:
    works.deploy("gone", image="example.com/none:1", pinned="sha256:" + "0" * 64)
    works.deploy("add", image="x", pinned=works.engine.image(works_image(works)).id, entrypoint="flow.py:gone")  # type: ignore[union-attr]
    first, second = works.submit("gone"), works.submit("add", a=1)
    assert works.worker("--run-once").wait() == 0
    states = {run_id: works.store.run(run_id) for run_id in (first, second)}
    assert [(run.state, run.end.cause if run.end else None) for run in states.values()] == [
        ("failed", "refused"),
        ("failed", None),
    ]
    assert "is not in the engine" in str(states[first].end)


def works_image(works: Works) -> str:
    return str(Deployments(works.store.file).get("wait/test").pinned)


def test_the_first_signal_waits_for_the_last_run(works: Works) -> None:
    worker = works.worker()
    run_id = works.submit("wait")
    works.waiting(run_id)
    worker.send_signal(signal.SIGTERM)
    works.until(lambda: "no more runs are begun" in works.told())
    late = works.submit("add", a=1)
    works.let_end(run_id)
    assert worker.wait() == 0
    assert works.store.run(run_id).state == "completed"
    assert works.store.run(late).state == "scheduled"


def test_the_second_signal_leaves_runs_to_the_next_worker(works: Works) -> None:
    worker = works.worker()
    run_id = works.submit("wait")
    container = works.waiting(run_id).container_id
    worker.send_signal(signal.SIGINT)
    works.until(lambda: "no more runs are begun" in works.told())
    worker.send_signal(signal.SIGINT)
    assert worker.wait() == 130
    assert works.store.run(run_id).state == "running"
    assert [entry["Id"] for entry in works.containers(run_id)] == [container]
    next_one = works.worker("--run-once")
    works.until(lambda: works.store.run(run_id).attempt == 2)
    works.let_end(run_id)
    assert next_one.wait() == 0
    run = works.store.run(run_id)
    assert (run.state, run.attempt, run.container_id, run.end.result if run.end else None) == (
        "completed",
        2,
        container,
        "waited",
    )
    assert works.log(run_id).startswith(b"waiting \n")
    assert works.containers(run_id) == []


def test_cancelling_ends_the_container(works: Works) -> None:
    works.worker()
    polite, deaf = works.submit("wait"), works.submit("deaf", {"stop_grace": 1})
    for run_id in (polite, deaf):
        works.waiting(run_id)
        done = works.imagekit("flow-run", "cancel", run_id)
        assert "its worker ends it" in done.stdout, done.stderr
    assert [(run := works.ended(each)).state for each in (polite, deaf)] == ["cancelled", "cancelled"]
    assert run.end is not None
    assert run.end.cause == "cancel"
    works.until(lambda: not works.containers(polite) and not works.containers(deaf))


def test_cancelling_a_run_whose_worker_is_gone(works: Works) -> None:
    worker = works.worker()
    run_id = works.submit("wait")
    works.waiting(run_id)
    worker.kill()
    worker.wait()
    done = works.imagekit("flow-run", "cancel", run_id)
    assert done.stdout.endswith(": cancelled\n"), done.stderr
    assert works.containers(run_id) == []


def test_several_workers_run_each_once(works: Works) -> None:
    wanted = [works.submit("add", a=n) for n in range(8)]
    workers = [works.worker("--run-once", "--limit", "1") for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    runs = [works.ended(run_id) for run_id in wanted]
    assert [(run.state, run.attempt) for run in runs] == [("completed", 1)] * 8
    assert Counter(works.log(run_id) for run_id in wanted) == {f"adding {n} 1\n".encode(): 1 for n in range(8)}
    works.check()


def test_schedules_make_runs_and_missed_ones_make_one(works: Works) -> None:
    kept = Deployments(works.store.file)
    known = kept.get("add/test")
    # Many are missed, and the next one is an hour from now: none comes to be due meanwhile.
    schedule = Interval(3600, datetime.now(timezone.utc) - timedelta(days=30)).to_json()
    kept.put(replace(known, parameters={"a": 20}, schedules=(schedule,)), ["2026-01-01T00:00:00.000+00:00"])
    assert works.worker("--run-once").wait() == 0
    (run,) = works.store.runs(deployment="add/test")
    assert (run.state, run.end.result if run.end else None) == ("completed", 21)
    (due,) = kept.next_times(known)
    assert due is not None
    assert due > run.record.created
    assert works.worker("--run-once").wait() == 0
    assert len(works.store.runs(deployment="add/test")) == 1


@pytest.mark.parametrize("function", ["tries", "plainly"])
def test_what_with_options_changed_holds_in_the_container(works: Works, function: str) -> None:
    """The file's flow, which has none, or a function that its file makes no flow of."""
    image = works_image(works)
    works.deploy("patient", image="x", pinned=image, entrypoint=f"flow.py:{function}", flow_options={"retries": 2})
    works.deploy("hasty", image="x", pinned=image, entrypoint=f"flow.py:{function}")
    patient, hasty = works.submit("patient"), works.submit("hasty")
    assert works.worker("--run-once").wait() == 0
    runs = [works.store.run(run_id) for run_id in (patient, hasty)]
    assert [(run.state, run.end.result if run.end else None) for run in runs] == [("completed", 3), ("failed", None)]


@pytest.mark.parametrize("when", ["comes to be due", "is submitted while it looks"])
def test_a_worker_that_idles_begins_what(works: Works, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look by itself in an hour, and looks ahead for nothing; a schedule's run, or one of a moment."""
    monkeypatch.setenv("XDG_STATE_HOME", works.environ["XDG_STATE_HOME"])
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 3600.0)
    kept = Deployments(works.store.file)
    known = replace(kept.get("add/test"), parameters={"a": 1})
    if when == "comes to be due":
        kept.put(replace(known, schedules=(Interval(24 * 3600, datetime.now(timezone.utc)).to_json(),)), [now(ahead=1)])
    looked: list[int] = []

    class Submits(Worker):
        def _submit_due(self, ahead: float) -> int:
            found = super()._submit_due(ahead)
            if not looked and when == "is submitted while it looks":
                works.submit("add", a=1)
            looked.append(found)
            return found

    def say(line: str) -> None:
        if line.endswith(": completed"):
            os.kill(os.getpid(), signal.SIGTERM)

    with Machine.here(SilentReporter()) as machine:
        assert Submits(machine, works.store, "docker", Told(say)).run().ended == 1
    (run,) = works.store.runs(deployment="add/test")
    assert str(run.scheduled_for) <= str(run.started)


def test_a_heart_that_stumbles_beats_on(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever it stumbles: claims that nobody renews are another worker's after a while."""
    monkeypatch.setattr(worker_module, "HEARTBEAT", 0.05)
    beats: list[str] = []
    said: list[str] = []

    class Stumbling(Pools):
        def seen(self, worker: WorkerSeen) -> None:
            beats.append(worker.state)
            if len(beats) == 2:
                raise RuntimeError("stumbled")
            if len(beats) == 4:
                os.kill(os.getpid(), signal.SIGTERM)
            super().seen(worker)

    with Machine.here(SilentReporter()) as machine:
        worker = Worker(machine, works.store, "docker", Told(said.append))
        worker._pools = Stumbling(works.store.file)
        assert worker.run().ended == 0
    assert [line for line in said if line.endswith("a fault of imagekit's own: RuntimeError: stumbled")] != []
    assert len(beats) >= 5


def test_a_pool_that_is_deleted_ends_its_idle_worker(works: Works) -> None:
    Pools(works.store.file).put(new_pool("other"))
    worker = works.worker("--pool", "other")
    works.until(lambda: "polls other" in works.told())
    assert works.imagekit("work-pool", "delete", "other").returncode == 0
    assert worker.wait() == 2
    assert "there is no work pool 'other'" in works.told()
    assert "FOREIGN KEY" not in works.told()
