"""Faults 11, 14, 15 and 17 through workers: killed at any point, standing still, many at a time, on another clock."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from imagekit.store.pools import Pools
from imagekit.worker.one_run import LET_GO

from .conftest import Works
from .gate import Gate

pytestmark = pytest.mark.faults
ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize("ends_meanwhile", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_worker_that_is_killed_leaves_what_the_next_one_adopts(works: Works, ends_meanwhile: bool) -> None:
    """The flow still runs when the next worker comes, or has ended meanwhile."""
    worker = works.worker()
    run_id = works.submit("wait")
    container = works.waiting(run_id).container_id
    worker.kill()
    worker.wait()
    if ends_meanwhile:
        works.let_end(run_id)
        works.until(lambda: works.containers(run_id)[0]["State"] == "exited")
    # A run started by hand reads what is left behind, and leaves it to the next worker.
    assert works.store.orphans() == []
    next_one = works.worker("--run-once")
    if not ends_meanwhile:
        works.until(lambda: works.store.run(run_id).attempt == 2)
        works.let_end(run_id)
    assert next_one.wait() == 0
    run = works.store.run(run_id)
    assert (run.state, run.attempt, run.container_id) == ("completed", 2, container)
    assert works.log(run_id) == b"waiting \nwaited\n"
    works.check((run_id, "completed", None))
    assert run.record.name in works.told(0)
    assert [w.status for w in Pools(works.store.file).workers()] == ["stopped", "stopped", "gone"]


@pytest.mark.parametrize(
    ("request_line", "answers", "attempts"),
    [
        pytest.param("POST .*/containers/create", False, 2, id="before its container is made", marks=pytest.mark.soak),
        pytest.param("POST .*/containers/create", True, 2, id="before it knows its container", marks=pytest.mark.soak),
        pytest.param("POST .*/start", False, 2, id="between create and start"),
        pytest.param("POST .*/start", True, 2, id="before it knows of the start", marks=pytest.mark.soak),
        pytest.param("POST .*/wait", True, 2, id="while it runs", marks=pytest.mark.soak),
        pytest.param("GET .*/archive", False, 2, id="after the exit, before the record"),
        pytest.param("DELETE .*/containers/", False, 1, id="after the record, before the removal"),
    ],
)
def test_a_worker_is_killed_at_a_point(
    works: Works, tmp_path: Path, request_line: str, answers: bool, attempts: int
) -> None:
    gate = Gate(tmp_path / "gate", works.engine.address, request_line, answers=answers)
    worker = works.worker(DOCKER_HOST=gate.address)
    run_id = works.submit("add", a=4)
    gate.held.wait()
    worker.kill()
    worker.wait()
    gate.close()
    works.check((run_id, "completed", None))
    run = works.store.run(run_id)
    assert (run.attempt, run.end.result if run.end else None) == (attempts, 5)
    # Once begun it was not begun anew.
    assert works.log(run_id) == b"adding 4 1\n"


def test_a_worker_that_stands_still_before_the_start_begins_nothing_when_it_wakes(works: Works, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate", works.engine.address, "POST .*/start")
    first = works.worker(DOCKER_HOST=gate.address)
    run_id = works.submit("wait")
    gate.held.wait()
    works.freeze(first)
    works.run_out()
    works.worker()
    container = works.waiting(run_id).container_id
    first.send_signal(signal.SIGCONT)
    gate.let_pass()
    works.let_end(run_id)
    works.check((run_id, "completed", None))
    run = works.store.run(run_id)
    assert (run.attempt, run.container_id) == (2, container)
    assert works.log(run_id) == b"waiting \nwaited\n"


@pytest.mark.parametrize("is_real", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_worker_that_wakes_late_changes_nothing(works: Works, is_real: bool) -> None:
    first = works.worker()
    run_id = works.submit("wait")
    container = works.waiting(run_id).container_id
    works.freeze(first)
    if not is_real:
        works.run_out()
    second = works.worker()
    works.until(lambda: works.store.run(run_id).attempt == 2)
    first.send_signal(signal.SIGCONT)
    if is_real:
        # By then it has renewed its claims in vain.
        works.until(lambda: f": {LET_GO}" in works.told(0))
    works.let_end(run_id)
    run = works.ended(run_id)
    assert (run.state, run.container_id, run.end.result if run.end else None) == ("completed", container, "waited")
    assert works.log(run_id) == b"waiting \nwaited\n"
    works.check()
    for worker in (first, second):
        worker.send_signal(signal.SIGTERM)
    assert [first.wait(), second.wait()] == [0, 0]
    name = run.record.name
    assert f"{name}: completed" in works.told(1)
    assert f"{name}: completed" not in works.told(0)


def test_what_is_written_while_no_worker_is_there_is_kept(works: Works) -> None:
    first = works.worker()
    run_id = works.submit("count", times=40)
    works.waiting(run_id)
    first.send_signal(signal.SIGSTOP)
    time.sleep(0.7)
    first.kill()
    first.wait()
    time.sleep(0.7)
    assert works.worker("--run-once").wait() == 0
    assert works.log(run_id) == b"".join(b"%d waiting\n" % n for n in range(40))
    works.check((run_id, "completed", None))


@pytest.mark.soak
def test_a_container_that_went_with_its_worker_is_a_crash(works: Works) -> None:
    worker = works.worker()
    run_id = works.submit("wait")
    container = works.waiting(run_id).container_id
    worker.kill()
    worker.wait()
    works.engine.api.remove_container(container, force=True)
    works.check((run_id, "crashed", "worker"))


@pytest.mark.soak
@pytest.mark.parametrize(("workers", "runs"), [(8, 48), (3, 8)], ids=["many", "few"])
def test_several_workers_run_each_once(works: Works, workers: int, runs: int) -> None:
    wanted = [works.submit("add", a=n) for n in range(runs)]
    started = [works.worker("--run-once", "--limit", "1") for _ in range(workers)]
    assert [worker.wait() for worker in started] == [0] * workers
    found = [works.ended(run_id) for run_id in wanted]
    assert [(run.state, run.attempt) for run in found] == [("completed", 1)] * runs
    assert Counter(works.log(run_id) for run_id in wanted) == {f"adding {n} 1\n".encode(): 1 for n in range(runs)}
    works.check()


@pytest.mark.parametrize("hours", [1, pytest.param(-1, marks=pytest.mark.soak)])
def test_a_change_of_the_clock_ends_nothing(works: Works, tmp_path: Path, hours: int) -> None:
    """No lease, no time limit of a run that is adopted; and what was accepted before is due."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    other = {"module": ("tests.worker.other_clock", str(clock)), "PYTHONPATH": ROOT}
    first = works.worker(**other)  # type: ignore[arg-type]
    run_id = works.submit("wait", {"timeout": 120})
    works.waiting(run_id)
    # In one step: it is read all the time.
    aside = tmp_path / "clock.new"
    aside.write_text(str(hours * 3600))
    aside.replace(clock)
    second = works.worker(**other)  # type: ignore[arg-type]
    assert works.ended(works.submit("add", a=1)).state == "completed"
    assert works.store.run(run_id).attempt == 1
    first.kill()
    first.wait()
    works.until(lambda: works.store.run(run_id).attempt == 2)
    works.let_end(run_id)
    works.check((run_id, "completed", None))
    second.send_signal(signal.SIGTERM)
    assert second.wait() == 0
