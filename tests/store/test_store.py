"""Runs are kept as they were told, found again, end once, and are forgotten when that is asked."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imagekit.errors import UnknownRun
from imagekit.store import sql
from imagekit.store.ownership import is_orphan, machine
from imagekit.store.rows import end_row
from imagekit.store.store import LARGEST_RESULT, Store
from imagekit.store.values import RunEnd, RunRecord


def record(**fields: object) -> RunRecord:
    return RunRecord(**{"name": "etl-1", "entrypoint": "flow.py:etl", "reference": "orders:v1", **fields})  # type: ignore[arg-type]


def completed(**fields: object) -> RunEnd:
    return RunEnd(**{"state": "completed", **fields})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "state" / "imagekit")


def test_a_run_comes_back_as_it_was_told(store: Store) -> None:
    told = record(
        parameters={"n": 3, "day": None, "text": "\ud800 ü"},
        image_id="sha256:" + "a" * 64,
        repo_digest="example.com/orders@sha256:" + "b" * 64,
        lock_digest="c" * 64,
        source={"kind": "git", "url": "https://example.com/r.git", "commit": "d" * 40},
        env_names=("TZ", "TOKEN"),
        settings={"memory": 512_000_000, "volumes": ["data:/data"]},
        extras={"requirements": ["rich>=13"], "lock_digest": "e" * 64},
    )
    store.begin(told)
    assert (store.run(told.id).record, store.run(told.id).state, store.run(told.id).end) == (told, "pending", None)
    assert store.started(told.id, container_id="f" * 64, started="2026-01-01T10:00:00.000+00:00")
    assert store.run(told.id).state == "running"
    end = RunEnd(
        state="failed",
        exit_code=1,
        error={"kind": "flow", "message": "no \udcff"},
        result={"rows": [1, 2.5, None]},
        python="3.11.2",
        cpu_seconds=1.25,
        peak_memory=2**40,
        ended="2026-01-01T10:00:02.500+00:00",
    )
    assert store.end(told.id, end)
    store.close()
    (kept,) = Store.open(store.directory).runs()
    assert kept.record == told
    assert kept.end == dataclasses.replace(
        end, started="2026-01-01T10:00:00.000+00:00", container_id="f" * 64, image_id=told.image_id
    )
    assert kept.seconds == 2.5
    shown = kept.to_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["state"] == "failed"


def test_only_its_user_can_read_it(store: Store) -> None:
    run = record()
    store.begin(run)
    store.log_writer(run.id).write(1, b"x")
    store.end(run.id, completed(result="x" * LARGEST_RESULT))
    files = [path for path in store.directory.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (store.directory, *store.directory.rglob("*")) if p.is_dir()} == {
        0o700
    }
    store.path.chmod(0o644)
    Store.open(store.directory).runs()
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_run_ends_once(store: Store) -> None:
    run = record()
    store.begin(run)
    assert store.end(run.id, completed(result=1))
    assert not store.end(run.id, RunEnd(state="crashed", cause="worker"))
    assert not store.started(run.id)
    assert store.run(run.id).state == "completed"
    assert not store.end(record().id, completed())
    with pytest.raises(ValueError, match="running"):
        store.end(run.id, RunEnd(state="running"))


def test_a_large_result_is_in_a_file(store: Store) -> None:
    run, small = record(), record()
    for each, result in ((run, ["ä" * LARGEST_RESULT]), (small, None)):
        store.begin(each)
        store.end(each.id, completed(result=result))
    found = store.run(run.id)
    assert found.end is not None
    assert found.end.result is None
    assert found.end.result_file == f"results/{run.id}.json"
    assert store.result(found) == ["ä" * LARGEST_RESULT]
    assert store.path.stat().st_size < LARGEST_RESULT
    assert store.result(store.run(small.id)) is None
    (store.directory / found.end.result_file).unlink()
    assert store.result(found) is None


def test_a_large_result_replaces_none_of_whoever_ended_it_meanwhile(store: Store) -> None:
    run, told = record(), [True]
    store.begin(run)
    with Store.open(store.directory) as other:
        late = threading.Thread(target=lambda: told.append(other.end(run.id, completed(result="x" * LARGEST_RESULT))))
        with store.file.writing() as connection:
            late.start()
            # What it looks at and writes before it has the lock, it does now.
            late.join(0.5)
            values = {**end_row(run.id, RunEnd(state="crashed", cause="worker"), None, None), "attempt": None}
            assert connection.execute(sql.END_RUN, values).rowcount == 1
        late.join()
    assert told == [True, False]
    assert store.run(run.id).state == "crashed"
    assert not (store.directory / "results").exists()


def test_runs_are_found_by_id_name_and_beginning(store: Store) -> None:
    first = record(id="aaaa0000-0000-4000-8000-000000000001", name="nightly")
    second = record(id="aaaa0000-0000-4000-8000-000000000002", name="nightly")
    third = record(id="bbbb0000-0000-4000-8000-000000000003", name="aaaa")
    for run in (first, second, third):
        store.begin(run)
    assert store.run(first.id).id == first.id
    assert store.run("nightly").id == second.id
    assert store.run("b").id == third.id
    assert store.run("aaaa").id == third.id
    with pytest.raises(UnknownRun, match="begins the IDs of 2 runs") as caught:
        store.run("aaaa0")
    assert first.id in (caught.value.details or "")
    with pytest.raises(UnknownRun) as caught:
        store.run("nightl")
    assert caught.value.hint == "did you mean 'nightly'?"
    for wanted in ("", "c", "%", "a%", "'; DROP TABLE flow_run; --"):
        with pytest.raises(UnknownRun):
            store.run(wanted)


def test_a_name_leads_to_the_run_that_had_it_and_not_to_one_that_was_refused_it(store: Store) -> None:
    refused = [record(name=name) for name in ("nightly", "nightly", "never")]
    had = record(name="nightly")
    for run in (refused[0], had, *refused[1:]):
        store.begin(run)
    for run in refused:
        store.end(run.id, RunEnd(state="failed", cause="refused"))
    assert store.run("nightly").id == had.id
    store.end(had.id, completed())
    assert store.run("nightly").id == had.id
    assert store.run("never").id == refused[2].id


def test_runs_are_listed_the_last_first(store: Store) -> None:
    runs = [record(created=f"2026-01-0{day}T00:00:00.000+00:00") for day in (1, 2, 3)]
    for run in runs:
        store.begin(run)
    store.end(runs[1].id, completed())
    assert [run.id for run in store.runs()] == [run.id for run in reversed(runs)]
    assert [run.id for run in store.runs(limit=1)] == [runs[2].id]
    assert [run.id for run in store.runs(states=["completed", "failed"])] == [runs[1].id]
    assert [run.id for run in store.runs(since="2026-01-02")] == [runs[2].id, runs[1].id]
    assert [run.id for run in store.live_runs()] == [runs[0].id, runs[2].id]


def test_what_is_forgotten_leaves_nothing(store: Store) -> None:
    run, still_open = record(), record()
    for each in (run, still_open):
        store.begin(each)
        with store.log_writer(each.id) as log:
            log.write(1, b"x")
    store.end(run.id, completed(result="x" * LARGEST_RESULT))
    assert store.delete(run.id)
    assert not store.delete(run.id)
    assert not store.delete(still_open.id)
    assert not store.delete("../../x")
    assert [path.name for path in store.directory.rglob("*") if run.id in str(path)] == []
    assert [each.id for each in store.runs()] == [still_open.id]


def test_looking_makes_nothing(store: Store) -> None:
    assert store.runs() == []
    assert store.live_runs() == []
    assert store.orphans() == []
    assert list(store.log(record().id)) == []
    store.verify()
    with pytest.raises(UnknownRun):
        store.run("x")
    assert not store.directory.exists()


def test_threads_and_processes_lose_nothing(store: Store) -> None:
    program = (
        "import sys; from pathlib import Path; from imagekit.store.store import Store\n"
        "from imagekit.store.values import RunRecord, RunEnd\n"
        "store = Store.open(Path(sys.argv[1]))\n"
        "for n in range(20):\n"
        "    run = RunRecord(name=f'{sys.argv[2]}-{n}', entrypoint='f.py:f', reference='x')\n"
        "    store.begin(run); store.end(run.id, RunEnd(state='completed', result=n))\n"
    )
    # None of them finds the database there: all make it.
    processes = [subprocess.Popen([sys.executable, "-c", program, str(store.directory), str(n)]) for n in range(3)]

    def work(number: int) -> None:
        for n in range(20):
            run = record(name=f"thread{number}-{n}")
            store.begin(run)
            store.end(run.id, completed(result=n))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0, 0]
    runs = store.runs()
    assert len(runs) == len({run.record.name for run in runs}) == 120
    assert {run.state for run in runs} == {"completed"}
    assert sorted(p.name for p in store.directory.iterdir()) == ["store.sqlite", "store.sqlite-journal"]
    store.verify()


def test_runs_whose_process_was_killed_are_orphans(store: Store) -> None:
    program = (
        "import sys, time; from pathlib import Path; from imagekit.store.store import Store\n"
        "from imagekit.store.values import RunRecord\n"
        "Store.open(Path(sys.argv[1])).begin(RunRecord(name='theirs', entrypoint='f.py:f', reference='x'))\n"
        "print('begun', flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(store.directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    store.begin(record(name="ours"))
    assert store.orphans() == []
    process.kill()
    process.communicate()
    assert [run.record.name for run in store.orphans()] == ["theirs"]
    assert not any(store.has_ended(run.id) for run in store.live_runs())
    (theirs,) = store.orphans()
    assert store.end(theirs.id, RunEnd(state="crashed", cause="worker"))
    assert store.orphans() == []


def test_a_start_of_the_machine_makes_orphans_and_another_machine_does_not(store: Store) -> None:
    run = record()
    store.begin(run)
    kept = store.run(run.id)
    name, _, boot = machine().partition("/")
    assert boot
    assert not is_orphan(kept)
    assert is_orphan(dataclasses.replace(kept, machine=f"{name}/another"))
    assert not is_orphan(dataclasses.replace(kept, machine="another/another", owner="another:1:1"))
    assert not is_orphan(dataclasses.replace(kept, machine=f"{name}/{boot}", owner="nonsense"))


def test_the_journal_is_safe_for_every_sqlite(store: Store) -> None:
    run = record()
    store.begin(run)
    store.close()
    with sqlite3.connect(store.path) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE flow_run SET name = name")
    other.close()
    # Somebody made a write-ahead log of it: it is one no longer.
    store.end(run.id, completed())
    store.close()
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    other.close()
    assert not os.path.exists(f"{store.path}-wal")
