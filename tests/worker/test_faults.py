"""What befalls a worker from outside: its engine, its store and its disk."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.store.store import Store

from ..own_engine import OwnEngine
from .conftest import Works


@pytest.mark.xdist_group("own_engine")
def test_runs_wait_for_an_engine_that_is_away(
    own_engine: Callable[..., OwnEngine], engine: Engine, image: str, tmp_path: Path
) -> None:
    own = own_engine()
    there = own.connect()
    if there.image(image) is None:
        there.load(engine.save(image))
    works = Works(there, image, tmp_path)
    works.environ["DOCKER_HOST"] = own.address
    try:
        works.worker()
        under_way = works.submit("wait")
        works.waiting(under_way)
        own.kill()
        waiting = works.submit("add", a=1)
        works.until(lambda: "handed back" in works.told())
        assert works.store.run(waiting).end is None
        own.start()
        assert [works.ended(each).state for each in (under_way, waiting)] == ["crashed", "completed"]
        end = works.store.run(under_way).end
        assert end is not None
        assert end.cause == "engine"
    finally:
        own.start()
        works.close()


@pytest.mark.soak
def test_a_store_that_is_locked_only_delays(works: Works) -> None:
    """For longer than a writer waits for it."""
    works.worker()
    run_id = works.submit("wait", seconds=1)
    works.waiting(run_id)
    other = sqlite3.connect(works.store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    container = works.engine.api.containers(filters={"label": f"imagekit.run={run_id}"})[0]["Id"]
    works.until(lambda: works.engine.api.inspect_container(container)["State"]["Status"] == "exited")
    works.until(lambda: "another process holds" in works.told())
    other.execute("ROLLBACK")
    other.close()
    # As the worker had it no more, its lease has to run out; here it has.
    works.until(lambda: "wait" in works.told() and "completed" in works.told())
    with works.store.file.writing() as connection:
        connection.execute("UPDATE flow_run SET lease = 1.0 WHERE ended IS NULL")
    run = works.ended(run_id)
    assert (run.state, run.end.result if run.end else None) == ("completed", "waited")
    assert works.ended(works.submit("add", a=1)).state == "completed"
    works.until(lambda: not works.containers(run_id))
    works.store.verify()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "state"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_a_full_disk_only_delays(engine: Engine, image: str, small: Path, tmp_path: Path) -> None:
    works = Works(engine, image, tmp_path)
    try:
        works.worker()
        run_id = works.submit("wait", seconds=1)
        works.waiting(run_id)
        late = works.submit("add", {"timeout": 60}, a=1)
        with (small / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        works.until(lambda: "no space left" in works.told() or works.store.run(late).end)
        (small / "filling").unlink()
        with works.store.file.writing() as connection:
            connection.execute("UPDATE flow_run SET lease = 1.0 WHERE ended IS NULL AND lease IS NOT NULL")
        assert [works.ended(each).state for each in (run_id, late)] == ["completed", "completed"]
        works.store.verify()
    finally:
        works.close()


def test_a_damaged_store_ends_the_worker_and_is_left_as_it_is(works: Works) -> None:
    worker = works.worker()
    works.until(lambda: "polls docker" in works.told())
    path = works.store.path
    damaged = bytearray(path.read_bytes())
    damaged[:100] = b"\xff" * 100
    works.store.close()
    path.write_bytes(damaged)
    assert worker.wait() == 9
    assert "is damaged, and is left as it is" in works.told()
    assert path.read_bytes() == bytes(damaged)
    path.unlink()
    works.store = Store.open(works.store.directory)
