"""A store that is held, damaged, foreign or closed to us: said in one error, and left as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.errors import DiskFull, StoreBusy, StoreCorrupt, StoreError
from imagekit.store.database import connect
from imagekit.store.sql import APPLICATION_ID, MIGRATIONS
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord


def record() -> RunRecord:
    return RunRecord(name="etl", entrypoint="flow.py:etl", reference="x", settings={"fill": "x" * 300})


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("store") / "state"
    with Store.open(directory) as store:
        for n in range(100):
            run = record()
            store.begin(run)
            store.end(run.id, RunEnd(state="completed", result=n))
    return directory


def test_a_link_that_leads_nowhere_is_told_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").symlink_to("nowhere/store.sqlite")
    with Store.open(tmp_path) as store:
        assert store.runs() == []
        with pytest.raises(StoreError, match="cannot be used: it cannot be made"):
            store.begin(record())


@pytest.fixture
def filled(tmp_path: Path, hundred: Path) -> Path:
    """The directory of a store of a hundred runs."""
    return Path(shutil.copytree(hundred, tmp_path / "state"))


def state_of(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda p: cut(p, 0), id="emptied"),
        pytest.param(lambda p: cut(p, 60), id="cut in its header"),
        pytest.param(lambda p: cut(p, 4096 * 3 + 100), id="cut in a page"),
        pytest.param(lambda p: put(p, 0, b"\0" * 16), id="header flipped"),
        pytest.param(lambda p: put(p, 100, b"\xff" * 40), id="schema page flipped"),
        pytest.param(lambda p: put(p, 4096, b"\xff" * 4096), id="table's page flipped"),
        pytest.param(lambda p: p.write_text("[runs]\n" * 1000), id="another file"),
        pytest.param(lambda p: sql(p, "ALTER TABLE flow_run RENAME COLUMN state TO condition"), id="wrong column"),
        pytest.param(lambda p: sql(p, "DROP TABLE flow_run"), id="no table"),
        pytest.param(lambda p: sql(p, "PRAGMA application_id = 1"), id="another program's"),
        pytest.param(lambda p: sql(p, "PRAGMA user_version = 0"), id="no schema"),
        pytest.param(lambda p: sql(p, "UPDATE flow_run SET state = 'complete!'"), id="no state"),
        pytest.param(lambda p: sql(p, "UPDATE flow_run SET parameters = '{'"), id="no JSON"),
        pytest.param(lambda p: sql(p, "UPDATE flow_run SET ended = 'yesterday'"), id="no time"),
        pytest.param(lambda p: sql(p, "UPDATE flow_run SET env_names = 7"), id="another type"),
    ],
)
def test_damage_is_said_and_left(filled: Path, damage: Callable[[Path], object]) -> None:
    path = filled / "store.sqlite"
    damage(path)
    before = state_of(filled)
    store = Store.open(filled)
    with pytest.raises(StoreCorrupt) as caught:
        store.runs()
    assert str(path) in caught.value.message
    assert "mv " in (caught.value.hint or "")
    assert state_of(filled) == before


@pytest.mark.parametrize("size", [0, 60, 4096 * 3 + 100])
def test_nothing_is_begun_in_a_store_that_was_cut_short(filled: Path, size: int) -> None:
    cut(filled / "store.sqlite", size)
    before = state_of(filled)
    with pytest.raises(StoreCorrupt):
        Store.open(filled).begin(record())
    assert state_of(filled) == before


def test_flipped_bytes_anywhere_are_no_fault_of_ours(filled: Path) -> None:
    """Whatever bytes are flipped: runs are read, or one of our errors says why not; verify finds a broken structure."""
    path = filled / "store.sqlite"
    good, found = path.read_bytes(), 0
    for page in range(len(good) // 4096):
        put(path, page * 4096, bytes(b ^ 0xFF for b in good[page * 4096 : page * 4096 + 8]))
        before = path.read_bytes()
        try:
            with Store.open(filled) as store:
                store.verify()
                store.runs()
        except StoreError:
            found += 1
        assert path.read_bytes() == before
        path.write_bytes(good)
    assert found == len(good) // 4096


def test_a_store_that_another_holds_is_busy(filled: Path) -> None:
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()\n"
    )
    path = filled / "store.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        store = Store.open(filled, patience=0.2)
        run = record()
        for call in (store.runs, lambda: store.begin(run), lambda: store.end(run.id, RunEnd(state="completed"))):
            with pytest.raises(StoreBusy, match="another process holds"):
                call()
        holder.communicate()
    store.begin(run)
    assert len(store.runs()) == 101


def test_a_store_that_cannot_be_written_can_be_read(filled: Path) -> None:
    # Root may write anything but what is mounted so: another user looks.
    program = (
        "import os, sys; from pathlib import Path; import imagekit.store.database, sqlite3\n"
        "from imagekit.errors import StoreError; from imagekit.store.store import Store\n"
        "from imagekit.store.values import RunRecord; os.setgid(65534); os.setuid(65534)\n"
        "store = Store.open(Path(sys.argv[1])); print(len(store.runs()))\n"
        "try: store.begin(RunRecord(name='x', entrypoint='f.py:f', reference='x'))\n"
        "except StoreError as error: print(type(error).__name__, error.message, error.hint)\n"
    )
    place = Path("/var/tmp") / f"imagekit-{os.urandom(6).hex()}"  # pytest's own directory is closed to others
    shutil.copytree(filled, place)
    try:
        place.chmod(0o755)
        for path in place.iterdir():
            os.chown(path, 65534, 65534)
            path.chmod(0o400)
        done = subprocess.run([sys.executable, "-c", program, str(place)], capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(place)
    assert done.stdout.startswith("100\nStoreError the record of runs"), done.stderr
    assert "XDG_STATE_HOME" in done.stdout


def test_a_place_where_nothing_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used: Not a directory"):
        Store.open(tmp_path / "file" / "imagekit").begin(record())
    (tmp_path / "imagekit" / "store.sqlite").mkdir(parents=True)
    with pytest.raises(StoreCorrupt, match="no file"):
        Store.open(tmp_path / "imagekit").begin(record())


def test_a_full_disk_is_said_with_its_path_and_nothing_is_half_there(tmp_path: Path, filled: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        shutil.copytree(filled, place / "state")
        with (place / "rest").open("wb", buffering=0) as rest, contextlib.suppress(OSError):
            while True:
                rest.write(b"\0" * 4096)
        store = Store.open(place / "state")
        large = dataclasses.replace(record(), settings={"fill": "x" * 100_000})
        with pytest.raises(DiskFull, match=r"small/state/store\.sqlite"):
            store.begin(large)
        (place / "rest").unlink()
        count = len(store.runs())
        store.verify()
        run = record()
        store.begin(run)
        assert len(store.runs()) == count + 1
        store.close()
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_newer_schema_is_left_alone(filled: Path) -> None:
    sql(filled / "store.sqlite", f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = state_of(filled)
    with pytest.raises(StoreError, match="written by a newer imagekit") as caught:
        Store.open(filled).begin(record())
    assert not isinstance(caught.value, StoreCorrupt)
    assert state_of(filled) == before


def test_each_migration_keeps_what_was_there(filled: Path) -> None:
    path = filled / "store.sqlite"
    steps = (*MIGRATIONS, "ALTER TABLE flow_run ADD COLUMN kind INTEGER NOT NULL DEFAULT 1; CREATE TABLE x (a);")
    connection = connect(path, patience=1, migrations=steps, create=False)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
    assert connection.execute("SELECT count(*), sum(kind) FROM flow_run").fetchone() == (100, 100)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    connection.close()
    # Once more, and there is nothing to do.
    connect(path, patience=1, migrations=steps, create=False).close()


def test_a_migration_that_fails_changes_nothing(filled: Path) -> None:
    path = filled / "store.sqlite"
    steps = (*MIGRATIONS, "ALTER TABLE flow_run ADD COLUMN kind INTEGER; INSERT INTO nothing VALUES (1);")
    with pytest.raises(StoreError):
        connect(path, patience=1, migrations=steps, create=False)
    with Store.open(filled) as store:
        assert len(store.runs()) == 100
        store.verify()


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_every_released_schema_becomes_the_newest(tmp_path: Path, version: int) -> None:
    connect(tmp_path / "old", patience=1, migrations=MIGRATIONS[:version], create=True).close()
    old = connect(tmp_path / "old", patience=1, create=True)
    new = connect(tmp_path / "new", patience=1, create=True)
    question = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    assert old.execute(question).fetchall() == new.execute(question).fetchall()
    old.close()
    new.close()


def test_names_with_signs_are_names(tmp_path: Path) -> None:
    directory = tmp_path / "a?b#c%20 d"
    with Store.open(directory) as store:
        store.begin(record())
    with Store.open(directory) as store:
        assert len(store.runs()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [directory.name]


def test_runs_of_the_first_schema_are_read_by_the_newest(tmp_path: Path) -> None:
    connection = connect(tmp_path / "store.sqlite", patience=1, migrations=MIGRATIONS[:1], create=True)
    columns = "id, name, entrypoint, parameters, reference, source, env_names, settings, state, created, owner, machine"
    for number, (state, ended) in enumerate((("running", None), ("completed", "2026-01-01T10:00:00.000+00:00"))):
        values = (f"{number:08}-0000-4000-8000-000000000000", "etl", "flow.py:etl", '{"n": 3}', "orders:v1", "{}", "[]")
        values += ("{}", state, "2026-01-01T09:00:00.000+00:00", "HOST:1:2", "MACHINE/BOOT", ended)
        connection.execute(f"INSERT INTO flow_run ({columns}, ended) VALUES ({', '.join('?' * 13)})", values)
    connection.close()
    with Store.open(tmp_path) as store:
        completed, running = store.runs()[1], store.runs()[0]
        assert {completed.state, running.state} == {"completed", "running"}
        assert (running.record.parameters, running.attempt, running.deployment, running.pool) == (
            {"n": 3},
            0,
            None,
            None,
        )
        assert len(store.live_runs()) == 1
        store.verify()
