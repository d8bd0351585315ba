"""Runs that are claimed ahead of their time: ready before, begun then, and whoever ends meanwhile loses none.

The worker's clock is moved on to a run's time, so nothing here depends on how long anything takes.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from imagekit.deploying.schedules import Cron, Interval
from imagekit.deploying.submit import run_deployment
from imagekit.engine.containers import Container
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.values import now

from .conftest import Works

ROOT = str(Path(__file__).parents[2])
HOUR = 3600


class Ahead:
    """Workers that look an hour ahead, on a clock that the test sets."""

    def __init__(self, works: Works) -> None:
        self.works = works
        self._clock = works.directory / "clock"
        self.set(0)

    def set(self, seconds: int) -> None:
        aside = self._clock.with_suffix(".new")
        aside.write_text(str(seconds))
        aside.replace(self._clock)

    def worker(self, *options: str, prefetch: int = HOUR, **env: str) -> subprocess.Popen[bytes]:
        module = ("tests.worker.other_clock", str(self._clock))
        wanted = ("--prefetch-seconds", str(prefetch), *options)
        return self.works.worker(*wanted, module=module, PYTHONPATH=ROOT, **env)

    def submit(self, name: str, seconds: float, **parameters: Any) -> str:
        """Due in ``seconds``."""
        wanted = run_deployment(self.works.store, f"{name}/test", parameters=parameters, scheduled_for=at(seconds))
        return wanted.id

    def ready(self, run_id: str) -> str:
        """The ID of its container, which is made and not started."""
        run = self.works.until(lambda: found if (found := self.works.store.run(run_id)).attempt else None)
        self.works.until(lambda: f"{run.record.name}: ready, and begins at" in self._told())
        (entry,) = self.works.containers(run_id)
        assert entry["State"] == "created"
        run = self.works.store.run(run_id)
        assert (run.state, run.started, run.end) == ("pending", None, None)
        return str(entry["Id"])

    def _told(self) -> str:
        return "".join(self.works.told(number) for number in range(len(self.works.workers)))


def at(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


@pytest.fixture
def ahead(works: Works) -> Ahead:
    return Ahead(works)


def begun(works: Works, run_id: str) -> datetime:
    started = works.store.run(run_id).started
    assert started is not None
    return datetime.fromisoformat(started)


def test_a_run_is_ready_before_its_time_and_never_begins_before(works: Works, ahead: Ahead) -> None:
    ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=1)
    container = ahead.ready(run_id)
    ahead.set(HOUR // 2)
    works.check((run_id, "completed", None))
    run = works.store.run(run_id)
    assert (run.attempt, run.container_id, run.end.result if run.end else None) == (1, container, 2)
    assert str(run.scheduled_for) <= str(run.started)
    (worker,) = Pools(works.store.file).workers("docker")
    assert (worker.prefetch, worker.to_json()["prefetch_seconds"]) == (HOUR, HOUR)


def test_by_the_clock_of_the_wall(works: Works) -> None:
    """Five seconds ahead, by a worker that is told nothing of how far it is to look."""
    works.worker()
    run_id = run_deployment(works.store, "add/test", parameters={"a": 1}, scheduled_for=at(5)).id
    run = works.ended(run_id)
    assert (run.state, run.attempt) == ("completed", 1)
    assert str(run.scheduled_for) <= str(run.started)
    (piece, *_) = works.store.log(run_id)
    assert datetime.fromisoformat(str(run.scheduled_for)).timestamp() <= piece.time


@pytest.mark.faults
def test_a_worker_that_is_killed_meanwhile(works: Works, ahead: Ahead) -> None:
    first = ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=4)
    container = ahead.ready(run_id)
    first.kill()
    first.wait()
    ahead.worker()
    works.until(lambda: works.store.run(run_id).attempt == 2)
    works.until(lambda: "ready, and begins" in works.told(1))
    (entry,) = works.containers(run_id)
    assert (entry["State"], entry["Id"] != container) == ("created", True)
    ahead.set(HOUR // 2)
    works.check((run_id, "completed", None))
    assert works.log(run_id) == b"adding 4 1\n"


@pytest.mark.faults
def test_a_worker_that_stands_still_meanwhile_begins_nothing_when_it_wakes(works: Works, ahead: Ahead) -> None:
    first = ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=4)
    ahead.ready(run_id)
    works.freeze(first)
    works.run_out()
    ahead.worker()
    works.until(lambda: "ready, and begins" in works.told(1))
    ahead.set(HOUR // 2)
    first.send_signal(signal.SIGCONT)
    works.check((run_id, "completed", None))
    assert works.store.run(run_id).attempt == 2
    assert works.log(run_id) == b"adding 4 1\n"


def test_cancelled_meanwhile(works: Works, ahead: Ahead) -> None:
    ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=1)
    ahead.ready(run_id)
    done = works.imagekit("flow-run", "cancel", run_id)
    assert "its worker ends it" in done.stdout, done.stderr
    works.check((run_id, "cancelled", "cancel"))
    assert (works.log(run_id), run_id in works.most_alive) == (b"", False)
    # What was never started has no start, and took no time.
    run = works.store.run(run_id)
    assert (run.started, run.seconds) == (None, None)
    told = works.imagekit("flow-run", "inspect", run_id).stdout
    assert "  ended " in told
    assert "  started " not in told
    assert "  took " not in told


@pytest.mark.faults
@pytest.mark.soak
def test_cancelled_while_its_worker_is_gone(works: Works, ahead: Ahead) -> None:
    worker = ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=1)
    ahead.ready(run_id)
    worker.kill()
    worker.wait()
    done = works.imagekit("flow-run", "cancel", run_id)
    assert done.stdout.endswith(": cancelled\n"), done.stderr
    works.check((run_id, "cancelled", "cancel"))
    assert works.log(run_id) == b""


def test_the_first_signal_puts_it_back(works: Works, ahead: Ahead) -> None:
    worker = ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=1)
    ahead.ready(run_id)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait() == 0
    run = works.store.run(run_id)
    assert (run.state, run.attempt, run.lease) == ("scheduled", 1, None)
    assert works.containers(run_id) == []
    assert f"{run.record.name}: waits again" in works.told()
    ahead.set(HOUR // 2)
    assert ahead.worker("--run-once").wait() == 0
    works.check((run_id, "completed", None))


def test_what_is_due_goes_before_it(works: Works, ahead: Ahead) -> None:
    """Neither of the worker's places is taken before its time has come, nor one of the pool's."""
    pools = Pools(works.store.file)
    pools.put(replace(pools.get("docker"), concurrency_limit=1))
    ahead.worker("--limit", "1")
    later = ahead.submit("add", HOUR / 2, a=1)
    ahead.ready(later)
    assert works.ended(works.submit("add", a=2)).state == "completed"
    # At its time there is no place for it: it waits as any other.
    longer = works.submit("wait")
    works.waiting(longer)
    ahead.set(HOUR // 2)
    works.until(lambda: works.store.run(later).state == "scheduled")
    assert works.imagekit("flow-run", "cancel", longer).returncode == 0
    works.check((later, "completed", None), (longer, "cancelled", "cancel"))
    assert works.store.run(later).attempt == 2


@pytest.mark.soak
def test_a_container_that_is_pruned_meanwhile_is_made_anew(works: Works, ahead: Ahead) -> None:
    ahead.worker()
    run_id = ahead.submit("add", HOUR / 2, a=1)
    Container(works.engine, ahead.ready(run_id)).remove()
    ahead.set(HOUR // 2)
    works.check((run_id, "completed", None))
    run = works.store.run(run_id)
    assert (run.attempt, run.record.name.endswith("-2")) == (2, True)


def test_schedules_are_looked_ahead_for_and_what_is_changed_meanwhile_is_withdrawn(works: Works, ahead: Ahead) -> None:
    kept = Deployments(works.store.file)
    due = (datetime.now(timezone.utc) + timedelta(seconds=HOUR / 2)).replace(microsecond=0)
    schedule = Interval(24 * HOUR, due)
    wanted = replace(kept.get("add/test"), parameters={"a": 20}, schedules=(schedule.to_json(),))
    kept.put(wanted, [due.isoformat(timespec="milliseconds")])
    ahead.worker()
    (first,) = works.until(lambda: works.store.runs(deployment="add/test"))
    ahead.ready(first.id)
    # The same schedule, of another run.
    kept.put(replace(wanted, parameters={"a": 30}), [due.isoformat(timespec="milliseconds")])
    assert (withdrawn := works.ended(first.id)).end is not None
    assert (withdrawn.state, withdrawn.end.cause) == ("cancelled", "cancel")
    second = works.until(lambda: [r for r in works.store.runs(deployment="add/test") if r.end is None])[0]
    ahead.ready(second.id)
    kept.put(replace(kept.get("add/test"), is_paused=True), [None])
    assert works.ended(second.id).state == "cancelled"
    kept.put(replace(kept.get("add/test"), is_paused=False), [due.isoformat(timespec="milliseconds")])
    third = works.until(lambda: [r for r in works.store.runs(deployment="add/test") if r.end is None])[0]
    ahead.ready(third.id)
    ahead.set(HOUR // 2)
    run = works.ended(third.id)
    assert (run.state, run.scheduled_for, run.end.result if run.end else None) == (
        "completed",
        due.isoformat(timespec="milliseconds"),
        31,
    )


def test_run_once_carries_out_what_is_due(works: Works) -> None:
    later = run_deployment(works.store, "add/test", parameters={"a": 1}, scheduled_for=at(HOUR)).id
    due = works.submit("add", a=2)
    assert works.worker("--run-once").wait() == 0
    assert [works.store.run(each).state for each in (due, later)] == ["completed", "scheduled"]


def test_a_setting_says_how_far(works: Works) -> None:
    works.worker(IMAGEKIT_WORKER_PREFETCH_SECONDS="42")
    (worker,) = works.until(lambda: Pools(works.store.file).workers("docker"))
    assert worker.prefetch == 42
    row = works.imagekit("worker", "ls").stdout.splitlines()
    assert "PREFETCH" in row[0]
    assert "42 s" in row[1]


def test_a_worker_that_stands_still_is_shown_as_stale(works: Works) -> None:
    worker = works.worker()
    pools = Pools(works.store.file)
    works.until(lambda: pools.workers("docker"))
    works.freeze(worker)
    with works.store.file.writing() as connection:
        connection.execute("UPDATE worker SET last_polled = ?", (now(ahead=-60),))
    assert [each.status for each in pools.workers("docker")] == ["stale"]
    assert "not ready" in works.imagekit("work-pool", "ls").stdout
    assert "no worker polls it" in works.imagekit("deployment", "run", "add/test", "-p", "a=1").stderr
    worker.send_signal(signal.SIGCONT)
    works.until(lambda: [each.status for each in pools.workers("docker")] == ["online"])


def test_cron_is_looked_ahead_for_once(works: Works) -> None:
    """Of an occurrence there is one run, whoever looks ahead, and however often."""
    from imagekit.store.queue import Queue
    from imagekit.worker.schedules import submit_due
    from imagekit.worker.told import Told

    store: Store = works.store
    kept = Deployments(store.file)
    schedule = Cron("* * * * *")
    kept.put(replace(kept.get("add/test"), parameters={"a": 1}, schedules=(schedule.to_json(),)), [at(-30)])
    counts = [submit_due(store, kept, Pools(store.file), Queue(store), "docker", Told(), ahead=150) for _ in range(5)]
    times = [run.scheduled_for for run in store.runs(deployment="add/test")]
    # The missed one, and the two or three that come; no minute twice.
    assert sum(counts) == len(times) == len(set(times))
    assert 3 <= len(times) <= 4
