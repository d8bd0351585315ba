"""Faults 10, 16, 17 and 18 through workers: what befalls an engine, a container, a disk and a store."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container
from imagekit.store.sql import MIGRATIONS
from imagekit.store.store import Store

from ..own_engine import OwnEngine
from .conftest import Works

pytestmark = pytest.mark.faults


def loaded(own: OwnEngine, engine: Engine, image: str) -> Engine:
    """``own``, with the test image on it."""
    there = own.connect()
    if there.image(image) is None:
        there.load(engine.save(image))
    return there


@pytest.fixture
def on_own(
    own_engine: Callable[..., OwnEngine], engine: Engine, image: str, tmp_path: Path
) -> Iterator[tuple[Works, OwnEngine]]:
    """Workers on an engine of the tests' own, which may be killed: the next test finds it running."""
    own = own_engine()
    works = Works(loaded(own, engine, image), image, tmp_path)
    works.environ["DOCKER_HOST"] = own.address
    yield works, own
    own_engine()
    works.close()


@pytest.mark.xdist_group("own_engine")
def test_runs_wait_for_an_engine_that_is_away(on_own: tuple[Works, OwnEngine]) -> None:
    works, own = on_own
    works.worker()
    under_way = works.submit("wait")
    works.waiting(under_way)
    own.kill()
    waiting = works.submit("add", a=1)
    works.until(lambda: "handed back" in works.told())
    assert works.store.run(waiting).end is None
    own.start()
    works.check((under_way, "crashed", "engine"), (waiting, "completed", None))


@pytest.mark.xdist_group("own_engine")
def test_run_once_says_that_what_was_due_waits(on_own: tuple[Works, OwnEngine]) -> None:
    works, own = on_own
    under_way = works.submit("wait")
    worker = works.worker("--run-once", "--limit", "1")
    works.waiting(under_way)
    waiting = works.submit("add", a=1)
    own.kill()
    assert worker.wait() == 3
    assert "; what was due waits" in works.told()
    own.start()
    assert works.worker("--run-once").wait() == 0
    works.check((under_way, "crashed", "engine"), (waiting, "completed", None))


@pytest.mark.xdist_group("own_engine")
def test_the_machine_is_started_again(
    own_engine: Callable[..., OwnEngine], engine: Engine, image: str, tmp_path: Path
) -> None:
    """Worker, engine and containers are gone at once; claims are of another start of the machine, and none runs out."""
    own = own_engine()
    works = Works(loaded(own, engine, image), image, tmp_path)
    works.environ["DOCKER_HOST"] = own.address
    try:
        worker = works.worker("--limit", "1")
        under_way, waiting = works.submit("wait"), works.submit("add", a=1)
        works.waiting(under_way)
        worker.kill()
        worker.wait()
        own.kill()
        with works.store.file.writing() as connection:
            connection.execute(
                "UPDATE flow_run SET machine = substr(machine, 1, 13) || 'before', lease = 1e9 WHERE lease"
            )
        own.start()
        works.check((under_way, "crashed", "engine"), (waiting, "completed", None))
    finally:
        own_engine()
        works.close()


@pytest.mark.xdist_group("own_engine")
def test_an_engine_is_started_again_while_no_worker_is_there(
    own_engine: Callable[..., OwnEngine], engine: Engine, image: str, tmp_path: Path
) -> None:
    """It stops what it runs when it ends, or finds it running and stops it then, as ``docker stop`` does: but that was
    nobody's wish."""
    own = own_engine()
    works = Works(loaded(own, engine, image), image, tmp_path)
    works.environ["DOCKER_HOST"] = own.address
    ends: list[tuple[str, str, str]] = []
    try:
        for number, end in enumerate((own.end, own.kill, None)):
            worker = works.worker("--limit", "1")
            run_id = works.submit("wait")
            container = Container(works.engine, str(works.waiting(run_id).container_id))
            worker.kill()
            worker.wait()
            if end is None:
                container.stop(10)
            else:
                end()
                own.start()
            works.until(lambda each=container: (each.inspect() or {})["State"]["Status"] == "exited")  # type: ignore[misc]
            assert works.worker("--run-once").wait() == 0, works.told(2 * number + 1)
            found = works.store.run(run_id)
            assert found.end is not None
            ends.append((run_id, found.state, str(found.end.cause)))
        assert [end[1:] for end in ends] == [("crashed", "engine"), ("crashed", "engine"), ("cancelled", "signal")]
        works.check(*ends)
    finally:
        own_engine()
        works.close()


def test_memory_time_and_removal_are_the_causes_they_are(works: Works) -> None:
    works.worker()
    oom = works.submit("eat", {"mem_limit": "64m"})
    child = works.submit("child_eats", {"mem_limit": "64m"})
    late = works.submit("deaf", {"timeout": 1.0, "stop_grace": 1})
    removed = works.submit("wait")
    works.engine.api.remove_container(works.waiting(removed).container_id, force=True)
    works.check(
        (oom, "crashed", "oom"),
        (child, "failed", "oom"),
        (late, "timed-out", "timeout"),
        (removed, "crashed", "removed"),
    )


@pytest.mark.parametrize("seconds", [2, pytest.param(35, marks=pytest.mark.soak)])
def test_a_store_that_is_locked_only_delays(works: Works, seconds: int) -> None:
    """Also for longer than a writer waits for it, and than a lease holds."""
    works.worker()
    run_id = works.submit("wait")
    works.waiting(run_id)
    other = sqlite3.connect(works.store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    works.let_end(run_id)
    time.sleep(seconds)
    (container,) = works.containers(run_id)
    works.until(lambda: works.containers(run_id)[0]["State"] == "exited")
    if seconds > 10:
        works.until(lambda: "another process holds" in works.told())
    other.execute("ROLLBACK")
    other.close()
    works.check((run_id, "completed", None))
    assert works.store.run(run_id).container_id == container["Id"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> None:
    with (place / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_only_delays(engine: Engine, image: str, small: Path, tmp_path: Path) -> None:
    """The store's, and with it that of temporary files."""
    works = Works(engine, image, tmp_path)
    (small / "tmp").mkdir()
    try:
        works.worker(TMPDIR=str(small / "tmp"))
        run_id = works.submit("wait")
        works.waiting(run_id)
        late = works.submit("add", {"timeout": 60}, a=1)
        fill(small)
        works.let_end(run_id)
        works.until(lambda: "no space left" in works.told() or works.store.run(late).end)
        (small / "filling").unlink()
        works.run_out()
        works.check((run_id, "completed", None), (late, "completed", None))
    finally:
        works.close()


def test_a_full_disk_of_the_engine_only_delays(engine: Engine, image: str, tmp_path: Path) -> None:
    """What runs ends, and is recorded with its result; what is due waits."""
    own = OwnEngine(data_size="700m")
    try:
        works = Works(loaded(own.start(), engine, image), image, tmp_path)
        works.environ["DOCKER_HOST"] = own.address
        try:
            works.worker()
            under_way = works.submit("wait", seconds=600)
            works.waiting(under_way)
            fill(own.data)
            # Not when that one has ended: what its container had is free then.
            late = works.submit("add", a=1)
            works.until(lambda: "no space left where the Docker Engine keeps its data" in works.told())
            assert works.store.run(late).end is None
            works.let_end(under_way)
            assert (found := works.ended(under_way)).end is not None
            assert (found.state, found.end.result) == ("completed", "waited")
            (own.data / "filling").unlink()
            works.check((late, "completed", None))
        finally:
            works.close()
    finally:
        own.close()


def test_a_damaged_store_ends_the_worker_and_is_left_as_it_is(works: Works) -> None:
    worker = works.worker()
    works.until(lambda: "polls docker" in works.told())
    path = works.store.path
    whole = path.read_bytes()
    works.store.close()
    damaged = [b"\xff" * 100 + whole[100:], whole[:5000], b""]
    for number, content in enumerate(damaged):
        path.write_bytes(content)
        assert worker.wait() == 9
        assert "is damaged, and is left as it is" in works.told(number)
        assert path.read_bytes() == content
        if number + 1 < len(damaged):
            worker = works.worker()
    path.write_bytes(whole)
    works.store = Store.open(works.store.directory)
    works.check()


def test_a_store_of_another_schema_or_that_cannot_be_written(works: Works, tmp_path: Path) -> None:
    path, place = works.store.path, tmp_path / "state"
    works.store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    assert works.worker().wait() == 9
    assert "written by a newer imagekit" in works.told(0)
    assert path.read_bytes() == before
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.close()
    before = path.read_bytes()
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        assert works.worker().wait() == 9
        assert "cannot be used" in works.told(1)
        assert path.read_bytes() == before
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
    works.check()
