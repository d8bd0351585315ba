"""``imagekit flow-run`` as a person starts it, on a store that was filled before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from imagekit.store.pools import Pools
from imagekit.store.queue import Queue
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord
from imagekit.store.work_values import Submission, WorkPool
from tests.cli.conftest import Imagekit


@pytest.fixture
def store(environ: dict[str, str], tmp_path: Path) -> Store:
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    return Store.open(tmp_path / "state" / "imagekit")


@pytest.fixture
def imagekit(here: Imagekit) -> Imagekit:
    """In this process: that one of its own says the same is looked at in ``test_refusals``."""
    return here


def put(store: Store, name: str, state: str = "completed", *, created: str | None = None, **end: object) -> str:
    given = {"created": created} if created else {}
    run = RunRecord(name=name, entrypoint="flows/etl.py:etl", reference="orders:v1", env_names=("TOKEN",), **given)  # type: ignore[arg-type]
    store.begin(run)
    store.started(run.id)
    if state != "running":
        store.end(run.id, RunEnd(state=state, **end))  # type: ignore[arg-type]
    return run.id


def test_without_runs(imagekit: Imagekit, store: Store) -> None:
    assert imagekit("flow-run", "ls").stdout == "no runs yet: imagekit run FILE.py:FUNCTION makes one\n"
    assert json.loads(imagekit("flow-run", "ls", "--json").stdout) == {"runs": [], "more": False}
    assert not store.directory.exists()


def test_ls(imagekit: Imagekit, store: Store) -> None:
    put(store, "first", "crashed", cause="oom")
    put(store, "second", created="2020-01-01T00:00:00.000+00:00")
    put(store, "third", "running")
    rows = [line.split() for line in imagekit("flow-run", "ls").stdout.splitlines()]
    assert rows[0] == ["ID", "NAME", "FLOW", "IMAGE", "STATE", "STARTED", "TOOK"]
    assert [row[1] for row in rows[1:]] == ["third", "second", "first"]
    assert rows[3][2:6] == ["flows/etl.py:etl", "orders:v1", "crashed", "(oom)"]
    assert "more: imagekit flow-run ls" in imagekit("flow-run", "ls", "-n", "2").stdout

    def names(*options: str) -> list[str]:
        return [run["name"] for run in json.loads(imagekit("flow-run", "ls", "--json", *options).stdout)["runs"]]

    assert names() == ["third", "second", "first"]
    assert names("--state", "crashed", "--state", "completed") == ["second", "first"]
    assert names("--since", "1h") == ["third", "first"]
    assert names("--since", "2019-12-31") == ["third", "second", "first"]


def test_inspect(imagekit: Imagekit, store: Store) -> None:
    run = put(
        store,
        "nightly",
        "failed",
        exit_code=1,
        error={
            "kind": "flow",
            "type": "ValueError",
            "message": "no \x1b[31m",
            "traceback": "Traceback\nValueError: no",
        },
        cpu_seconds=1.5,
        peak_memory=100_000_000,
    )
    told = imagekit("flow-run", "inspect", run[:6]).stdout
    assert "ValueError: no \\x1b[31m" in told
    assert "100 MB at most" in told
    assert "\x1b" not in told
    found = json.loads(imagekit("flow-run", "inspect", "nightly", "--json").stdout)
    assert (found["id"], found["state"], found["env_names"]) == (run, "failed", ["TOKEN"])
    large = put(store, "large", result=["x" * 200_000])
    found = json.loads(imagekit("flow-run", "inspect", large, "--json").stdout)
    assert found["result"] == ["x" * 200_000]
    assert Path(found["result_file"]).is_file()
    done = imagekit("flow-run", "inspect", "nightyl")
    assert done.returncode == 2
    assert "did you mean 'nightly'?" in done.stderr


def test_logs(imagekit: Imagekit, process: Imagekit, store: Store) -> None:
    run = put(store, "nightly")
    with store.log_writer(run) as log:
        for stream, data in ((1, b"one\ntw"), (2, b"oh\n"), (1, b"o\n")):
            log.write(stream, data)
    # Bytes, to the streams of a process.
    done = process("flow-run", "logs", "nightly")
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "oh\n")
    lines = imagekit("flow-run", "logs", "nightly", "--times").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [["one"], ["two"]]
    pieces = json.loads(imagekit("flow-run", "logs", "nightly", "--json").stdout)["log"]
    assert [(piece["stream"], piece["text"]) for piece in pieces] == [
        ("stdout", "one\ntw"),
        ("stderr", "oh\n"),
        ("stdout", "o\n"),
    ]


def test_delete(imagekit: Imagekit, store: Store) -> None:
    for name in ("a", "b", "c"):
        put(store, name)
    put(store, "running", "running")
    done = imagekit("flow-run", "delete", "running")
    assert done.returncode == 2
    assert "has not ended" in done.stderr
    assert imagekit("flow-run", "delete", "a").stdout == "deleted 1 run\n"
    assert imagekit("flow-run", "delete", "--older-than", "1h").stdout == "deleted 0 runs\n"
    assert imagekit("flow-run", "delete", "--older-than", "0m", "--keep-last", "2").stdout == "deleted 1 run\n"
    assert [run.record.name for run in store.runs()] == ["running", "c"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("delete",),
        ("delete", "a", "--older-than", "1h"),
        ("delete", "--older-than", "soon"),
        ("ls", "--state", "complete"),
        ("ls", "--since", "tomorrow?"),
        ("inspect", "a"),
    ],
)
def test_refused(here: Imagekit, store: Store, arguments: tuple[str, ...]) -> None:
    done = here("flow-run", *arguments, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["hint"]


def test_a_damaged_record_is_said_and_left(imagekit: Imagekit, store: Store) -> None:
    put(store, "a")
    store.close()
    os.truncate(store.path, 5000)
    done = imagekit("flow-run", "ls", "--json")
    assert done.returncode == 9
    assert json.loads(done.stdout)["error"] == "StoreCorrupt"
    assert store.path.stat().st_size == 5000


def test_cancel_and_retry_in_every_state(imagekit: Imagekit, process: Imagekit, store: Store) -> None:
    """But for those in which a worker has it: ``tests/worker``."""
    Pools(store.file).put(WorkPool(name="docker"))
    given: dict[str, Any] = {
        "deployment": "etl/nightly",
        "pool": "docker",
        "entrypoint": "flow.py:etl",
        "reference": "orders:v1",
    }
    waiting = Submission(name="waiting", wanted={"image": "orders:v1"}, parameters={"n": 3}, **given)
    Queue(store).submit(waiting)
    put(store, "by-hand", "running")
    put(store, "ended")
    refused = {
        ("retry", "waiting"): "has not ended",
        ("cancel", "by-hand"): "is of no work pool",
        ("retry", "ended"): "is of no deployment",
        ("cancel", "ended"): "has ended: completed",
        # Nothing is done where one of them cannot be.
        ("cancel", "waiting", "ended"): "has ended: completed",
    }
    for arguments, words in refused.items():
        done = imagekit("flow-run", *arguments)
        assert (done.returncode, words in done.stderr, "hint:" in done.stderr) == (2, True, True), done.stderr
    assert store.run("waiting").state == "scheduled"
    assert imagekit("flow-run", "cancel", "waiting").stdout == "waiting: cancelled\n"
    assert "has ended: cancelled" in imagekit("flow-run", "cancel", "waiting").stderr
    again = json.loads(imagekit("flow-run", "retry", "waiting", "--json").stdout)
    assert (again["state"], again["parameters"], again["deployment"]) == ("scheduled", {"n": 3}, "etl/nightly")
    assert store.run(again["id"]).wanted == waiting.wanted
    # Begun by a worker that lives, this process: another tells it.
    claimed = Queue(store).claim("docker")
    assert claimed is not None
    assert process("flow-run", "cancel", claimed.id).stdout.endswith(": its worker ends it\n")
    assert Queue(store).cancelled({claimed.id: 1}) == {claimed.id}
