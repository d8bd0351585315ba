"""No run that was accepted is lost or begun twice, whoever claims, stops, is killed or comes too late."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.store.claimed import ClaimedRun
from imagekit.store.pools import Pools
from imagekit.store.queue import Queue
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord, now
from imagekit.store.work_values import Deployment, Submission, WorkPool

DONE = RunEnd(state="completed")


def submission(name: str = "run", **fields: object) -> Submission:
    given = {"deployment": "etl/nightly", "pool": "docker", "entrypoint": "flow.py:etl", "reference": "orders:v1"}
    return Submission(**{"name": name, "wanted": {"image": "orders:v1"}, **given, **fields})  # type: ignore[arg-type]


def submitted(queue: Queue, count: int) -> set[str]:
    made = [submission(str(number)) for number in range(count)]
    assert all(queue.submit(each) for each in made)
    return {each.id for each in made}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "state")
    Pools(store.file).put(WorkPool(name="docker"))
    return store


def test_a_run_from_its_submission_to_its_end(store: Store) -> None:
    queue = Queue(store)
    assert queue.claim("docker") is None
    wanted = submission(parameters={"n": 3})
    assert queue.submit(wanted)
    waiting = store.run(wanted.id)
    assert (waiting.state, waiting.attempt, waiting.wanted) == ("scheduled", 0, {"image": "orders:v1"})
    assert store.live_runs() == store.orphans() == []
    run = queue.claim("docker")
    assert run is not None
    assert (run.id, run.state, run.attempt, run.record.parameters) == (wanted.id, "pending", 1, {"n": 3})
    assert queue.claim("docker") is None
    claimed = ClaimedRun(store, run.id, run.attempt)
    assert claimed.is_ours(run.id)
    claimed.begin(replace(run.record, image_id="sha256:" + "a" * 64, env_names=("TZ",), source={"kind": "git"}))
    assert store.run(run.id).record.image_id == "sha256:" + "a" * 64
    assert claimed.started(run.id, container_id="b" * 64)
    assert store.run(run.id).state == "running"
    assert claimed.end(run.id, RunEnd(state="completed", result=[1]))
    assert not claimed.is_ours(run.id)
    ended = store.run(run.id)
    assert (ended.state, ended.lease, ended.end.result if ended.end else None) == ("completed", None, [1])


def test_the_oldest_that_is_due_comes_first(store: Store) -> None:
    queue = Queue(store)
    times = ["2026-01-03", "2026-01-01", "2999-01-01", "2026-01-02"]
    for number, day in enumerate(times):
        queue.submit(submission(str(number), scheduled_for=f"{day}T00:00:00.000+00:00"))
    names = [run.record.name if (run := queue.claim("docker")) else None for _ in times]
    assert names == ["1", "3", "0", None]


def test_limits_of_pools_and_deployments(store: Store) -> None:
    from imagekit.store.deployments import Deployments

    queue, pools = Queue(store), Pools(store.file)
    Deployments(store.file).put(Deployment(name="etl/nightly", pool="docker", entrypoint="f.py:f", concurrency_limit=1))
    for number in range(3):
        queue.submit(submission(str(number)))
        queue.submit(submission(f"other-{number}", deployment="etl/other"))
    first = queue.claim("docker")
    assert first is not None
    assert first.record.name == "0"
    second = queue.claim("docker")
    assert second is not None
    assert second.record.name == "other-0"
    pools.put(WorkPool(name="docker", concurrency_limit=2))
    assert queue.claim("docker") is None
    ClaimedRun(store, first.id, 1).end(first.id, DONE)
    third = queue.claim("docker")
    assert third is not None
    assert third.record.name == "1"
    pools.put(WorkPool(name="docker", is_paused=True))
    assert queue.claim("docker") is None


def test_a_late_write_is_refused(store: Store) -> None:
    queue = Queue(store)
    queue.submit(submission())
    run = queue.claim("docker", lease=-1)
    assert run is not None
    first = ClaimedRun(store, run.id, run.attempt)
    (stale,) = queue.stale("docker")
    taken = queue.take_over(stale)
    assert taken is not None
    assert taken.attempt == 2
    # As it was seen before it is not any more.
    assert queue.take_over(stale) is None
    assert queue.stale("docker") == []
    assert not first.is_ours(run.id)
    assert not first.started(run.id)
    assert not first.end(run.id, RunEnd(state="failed", result=["x" * 200_000]))
    assert not (store.directory / "results").exists()
    assert queue.renew({run.id: 1}).lost == {run.id}
    assert not queue.hand_back(run.id, 1)
    first.begin(RunRecord(name="late", entrypoint="late.py:f", reference="late"))
    assert store.run(run.id).record.name == "run"
    assert ClaimedRun(store, run.id, 2).end(run.id, DONE)
    assert store.run(run.id).state == "completed"


def test_a_lease_holds_while_it_is_renewed_and_its_process_lives(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(store)
    queue.submit(submission())
    run = queue.claim("docker", lease=60)
    assert run is not None
    assert queue.stale("docker") == []
    moment = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: moment() + 61)
    (stale,) = queue.stale("docker")
    assert queue.stale("docker", but_not=[run.id]) == []
    assert queue.renew({run.id: 1}).lost == frozenset()
    assert queue.stale("docker") == []
    # Seen before it was renewed.
    assert queue.take_over(stale) is None
    assert queue.give_up(run.id, 1)
    assert [each.id for each in queue.stale("docker")] == [run.id]


def test_no_change_of_the_clock_ends_a_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(store)
    queue.submit(submission())
    queue.claim("docker")
    moment = time.time()
    for hours in (-1, 1, 24 * 365):
        monkeypatch.setattr(time, "time", lambda h=hours: moment + h * 3600)
        assert queue.stale("docker") == []
        assert store.orphans(of_pools=True) == []


def test_another_start_of_the_machine_ends_every_lease(store: Store) -> None:
    queue = Queue(store)
    queue.submit(submission())
    run = queue.claim("docker", lease=1e9)
    assert run is not None
    with store.file.writing() as connection:
        name = run.machine.partition("/")[0]
        connection.execute("UPDATE flow_run SET machine = ?", (f"{name}/00000000-0000-0000-0000-000000000000",))
    assert [each.id for each in queue.stale("docker")] == [run.id]
    assert [each.id for each in store.orphans(of_pools=True)] == [run.id]
    assert store.orphans() == []


def test_cancelling(store: Store) -> None:
    queue = Queue(store)
    waiting, running = submission("waiting"), submission("running")
    queue.submit(running)
    run = queue.claim("docker")
    queue.submit(waiting)
    assert run is not None
    assert queue.cancel(waiting.id) == "cancelled"
    assert store.run(waiting.id).state == "cancelled"
    assert queue.cancel(waiting.id) is None
    assert queue.cancelled({run.id: 1}) == frozenset()
    assert queue.cancel(running.id) == "asked"
    assert queue.cancelled({run.id: 1}) == {run.id} == queue.renew({run.id: 1}).cancelled
    assert queue.cancelled({run.id: 2}) == frozenset()
    direct = RunRecord(name="direct", entrypoint="f.py:f", reference="x")
    store.begin(direct)
    assert queue.cancel(direct.id) is None


def test_a_run_that_is_handed_back_and_was_cancelled_is_not_begun_again(store: Store) -> None:
    queue = Queue(store)
    queue.submit(submission())
    run = queue.claim("docker")
    assert run is not None
    assert queue.cancel(run.id) == "asked"
    assert queue.hand_back(run.id, run.attempt)
    ended = store.run(run.id)
    assert (ended.state, ended.end.cause if ended.end else None) == ("cancelled", "cancel")
    assert queue.claim("docker") is None


def test_what_was_due_stays_so_when_the_clock_is_set_back(store: Store) -> None:
    queue = Queue(store)
    queue.submit(
        submission("now", scheduled_for="2999-01-01T00:00:00.000+00:00", created="2999-01-01T00:00:00.000+00:00")
    )
    queue.submit(
        submission("later", scheduled_for="2999-01-01T00:00:00.001+00:00", created="2999-01-01T00:00:00.000+00:00")
    )
    run = queue.claim("docker")
    assert run is not None
    assert run.record.name == "now"
    assert queue.claim("docker") is None


def test_one_occurrence_is_one_run(store: Store) -> None:
    queue = Queue(store)
    assert queue.submit(submission(occurrence="d/0/2026-01-01"))
    assert not queue.submit(submission(occurrence="d/0/2026-01-01"))
    assert queue.submit(submission(occurrence="d/0/2026-01-02"))
    assert queue.submit(submission())
    assert queue.submit(submission())


STEPS = st.lists(st.tuples(st.sampled_from("claim end back give late take".split()), st.integers(0, 4)), max_size=40)


@settings(max_examples=40)
@given(steps=STEPS)
def test_any_order_of_steps_loses_and_doubles_nothing(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:  # type: ignore[type-arg]
    store = Store.open(tmp_path_factory.mktemp("state"))
    Pools(store.file).put(WorkPool(name="docker"))
    queue = Queue(store)
    accepted = submitted(queue, 4)
    held: list[tuple[str, int]] = []
    ends: Counter[str] = Counter()
    for step, which in steps:
        if step == "claim":
            run = queue.claim("docker")
            held += [(run.id, run.attempt)] if run else []
        elif step == "take":
            for stale in queue.stale("docker"):
                taken = queue.take_over(stale)
                held += [(taken.id, taken.attempt)] if taken else []
        elif held:
            run_id, attempt = held[which % len(held)]
            if step == "end":
                ends[run_id] += ClaimedRun(store, run_id, attempt).end(run_id, DONE)
            elif step == "back":
                queue.hand_back(run_id, attempt)
            elif step == "give":
                queue.give_up(run_id, attempt)
            else:
                ends[run_id] += ClaimedRun(store, run_id, attempt - 1).end(run_id, DONE)
    # Whatever came of it, each can still be brought to its one end.
    while (run := queue.claim("docker")) is not None:
        held.append((run.id, run.attempt))
    for run in store.live_runs():
        ends[run.id] += ClaimedRun(store, run.id, run.attempt).end(run.id, DONE)
    assert dict(ends) == dict.fromkeys(accepted, 1)
    assert {run.id for run in store.runs(states=["completed"])} == accepted
    store.close()


CLAIMER = """
import sys, time
from pathlib import Path
from imagekit.store.claimed import ClaimedRun
from imagekit.store.queue import Queue
from imagekit.store.store import Store
from imagekit.store.values import RunEnd

store = Store.open(Path(sys.argv[1]))
queue = Queue(store)
begun = open(sys.argv[2], "a", buffering=1)
while True:
    run = None
    for stale in queue.stale("docker"):
        run = queue.take_over(stale)
        if run is not None:
            break
    run = run or queue.claim("docker")
    if run is None:
        if not store.live_runs():
            break
        time.sleep(0.01)
        continue
    begun.write(f"{run.id} {run.attempt}\\n")
    time.sleep(0.002)
    if ClaimedRun(store, run.id, run.attempt).end(run.id, RunEnd(state="completed")):
        begun.write(f"{run.id} ended\\n")
"""


def test_claimers_that_are_killed_at_random_lose_and_double_nothing(store: Store, tmp_path: Path) -> None:
    queue = Queue(store)
    accepted = submitted(queue, 60)
    notes = tmp_path / "begun"

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CLAIMER, str(store.directory), str(notes)])

    chance = random.Random(7)
    claimers = [start(), start()]
    for _ in range(12):
        time.sleep(chance.uniform(0.1, 0.3))
        victim = chance.randrange(2)
        # Stopped ones hold no lock for ever: they are killed.
        os.kill(claimers[victim].pid, signal.SIGKILL)
        claimers[victim].wait()
        claimers[victim] = start()
    assert [claimer.wait() for claimer in claimers] == [0, 0]
    runs = store.runs()
    assert {run.id for run in runs} == accepted
    assert {run.state for run in runs} == {"completed"}
    told = [line.split() for line in notes.read_text().splitlines()]
    claims = Counter((run_id, attempt) for run_id, attempt in told if attempt != "ended")
    assert set(claims.values()) == {1}
    assert all(count <= 1 for count in Counter(run_id for run_id, what in told if what == "ended").values())
    store.verify()


def test_a_run_is_claimed_ahead_of_its_time_and_takes_a_place_when_that_comes(store: Store) -> None:
    queue, pools = Queue(store), Pools(store.file)
    later = submission("later", scheduled_for=now(ahead=1000))
    assert queue.submit(later)
    assert (queue.claim("docker"), queue.claim("docker", ahead=900)) == (None, None)
    run = queue.claim("docker", ahead=1100)
    assert run is not None
    assert (run.id, run.state, run.is_due) == (later.id, "pending", False)
    pools.put(WorkPool(name="docker", concurrency_limit=1))
    # It is none of those that the pool has until its time has come; and there is no room beside it then.
    queue.submit(submission("after it", scheduled_for=now(ahead=1001)))
    assert queue.claim("docker", ahead=1100) is None
    assert queue.submit(submission("due"))
    due = queue.claim("docker", ahead=1100)
    assert due is not None
    assert due.record.name == "due"
    assert queue.may_begin(later.id, 2) is None
    assert queue.may_begin(later.id, 1) is False
    assert (store.run(later.id).state, store.run(later.id).lease) == ("scheduled", None)
    ClaimedRun(store, due.id, 1).end(due.id, DONE)
    again = queue.claim("docker", ahead=1100)
    assert again is not None
    assert (again.id, again.attempt, queue.may_begin(again.id, 2)) == (later.id, 2, True)
    assert (queue.cancel(again.id), set(queue.cancelled({again.id: 2}))) == ("asked", {again.id})


@pytest.mark.parametrize("change", [{"is_paused": True}, {"concurrency_limit": 1}])
def test_a_pool_that_is_changed_meanwhile_keeps_it_waiting(store: Store, change: dict[str, object]) -> None:
    queue, pools = Queue(store), Pools(store.file)
    queue.submit(submission("due"))
    assert queue.claim("docker") is not None
    later = submission("later", scheduled_for=now(ahead=1000))
    queue.submit(later)
    assert queue.claim("docker", ahead=1100) is not None
    pools.put(WorkPool(name="docker", **change))  # type: ignore[arg-type]
    assert queue.may_begin(later.id, 1) is False
    assert store.run(later.id).state == "scheduled"


def test_a_deployments_limit_holds_when_its_time_comes(store: Store) -> None:
    from imagekit.store.deployments import Deployments

    queue = Queue(store)
    Deployments(store.file).put(Deployment(name="etl/nightly", pool="docker", entrypoint="f.py:f", concurrency_limit=1))
    later = submission("later", scheduled_for=now(ahead=1000))
    queue.submit(later)
    assert queue.claim("docker", ahead=1100) is not None
    queue.submit(submission("due"))
    assert queue.claim("docker") is not None
    assert queue.may_begin(later.id, 1) is False


def test_one_that_is_cancelled_before_it_is_put_back_has_ended(store: Store) -> None:
    queue, pools = Queue(store), Pools(store.file)
    later = submission("later", scheduled_for=now(ahead=1000))
    queue.submit(later)
    assert queue.claim("docker", ahead=1100) is not None
    assert queue.cancel(later.id) == "asked"
    pools.put(WorkPool(name="docker", is_paused=True))
    assert queue.may_begin(later.id, 1) is False
    run = store.run(later.id)
    assert (run.state, run.end.cause if run.end else None) == ("cancelled", "cancel")


def test_a_clock_that_is_set_back_keeps_nothing_that_was_due(store: Store) -> None:
    queue = Queue(store)
    queue.submit(submission("due", scheduled_for=now(ahead=3600), created=now(ahead=3600)))
    run = queue.claim("docker")
    assert run is not None
    assert run.is_due
    assert queue.may_begin(run.id, 1) is True


def test_when_something_is_due_next(store: Store) -> None:
    """Of schedules and of runs that wait; what was due before waits for something else than its time."""
    from imagekit.store.deployments import Deployments

    queue, kept = Queue(store), Deployments(store.file)
    assert queue.next_time("docker", now()) is None
    past, soon, later = now(ahead=-10), now(ahead=100), now(ahead=200)
    deployment = Deployment(name="etl/nightly", pool="docker", entrypoint="f.py:f", schedules=({"cron": "@daily"},))
    kept.put(deployment, [later])
    assert queue.next_time("docker", now()) == later
    queue.submit(submission("past", scheduled_for=past))
    queue.submit(submission("soon", scheduled_for=soon))
    queue.submit(submission("of another pool", scheduled_for=now(ahead=1), pool="other"))
    assert [queue.next_time("docker", after) for after in (now(), soon, later)] == [soon, later, None]
    assert [queue.claim("docker", ahead=150) is not None for _ in range(2)] == [True, True]
    assert queue.next_time("docker", now()) == later
    kept.put(replace(kept.get("etl/nightly"), is_paused=True), [later])
    assert queue.next_time("docker", now()) is None
