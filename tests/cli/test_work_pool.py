"""``imagekit work-pool``, ``worker`` and ``deployment`` as a person types them; no engine is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagekit.deploying.pool import new_pool
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.work_values import Deployment
from imagekit.worker.unit import systemd_unit
from tests.cli.conftest import Imagekit


@pytest.fixture
def store(environ: dict[str, str], tmp_path: Path) -> Store:
    environ["XDG_STATE_HOME"] = str(tmp_path / "state")
    return Store.open(tmp_path / "state" / "imagekit")


@pytest.fixture
def imagekit(here: Imagekit) -> Imagekit:
    """In this process: that one of its own says the same is looked at in ``test_refusals``."""
    return here


def test_a_pool_from_its_making_to_its_end(imagekit: Imagekit, store: Store, tmp_path: Path) -> None:
    assert imagekit("work-pool", "ls").stdout.startswith("no work pools yet")
    assert not store.directory.exists()
    made = imagekit("work-pool", "create", "etl", "--set", "mem_limit=1g", "--concurrency-limit", "4", "--json")
    shown = json.loads(made.stdout)
    assert shown["concurrency_limit"] == 4
    assert shown["base_job_template"]["variables"]["properties"]["mem_limit"]["default"] == "1g"
    assert "template" not in shown
    again = imagekit("work-pool", "create", "--type", "docker", "etl")
    assert (again.returncode, "imagekit work-pool update etl" in again.stderr) == (2, True)
    rows = [line.split() for line in imagekit("work-pool", "ls").stdout.splitlines()]
    assert rows == [["NAME", "TYPE", "STATUS", "LIMIT", "WORKERS"], ["etl", "docker", "not", "ready", "4", "0"]]
    assert imagekit("work-pool", "pause", "etl").stdout == "paused the work pool etl\n"
    assert json.loads(imagekit("work-pool", "inspect", "etl", "--json").stdout)["status"] == "paused"
    imagekit("work-pool", "resume", "etl")
    template = tmp_path / "template.json"
    assert imagekit("work-pool", "get-default-base-job-template", "--file", str(template)).returncode == 0
    found = json.loads(template.read_text())
    assert found == json.loads(imagekit("work-pool", "get-default-base-job-template").stdout)
    found["variables"]["properties"]["cpus"]["default"] = 2
    template.write_text(json.dumps(found))
    imagekit("work-pool", "update", "etl", "--base-job-template", str(template), "--description", "nightly work")
    told = imagekit("work-pool", "inspect", "etl").stdout
    assert "cpus = 2" in told
    assert "mem_limit" not in told
    assert "nightly work" in told
    assert imagekit("work-pool", "delete", "etl").stdout == "deleted the work pool etl\n"
    assert Pools(store.file).all() == []


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("create", "a/b"), "a work pool's name cannot be 'a/b'", "1 to 100 characters"),
        (("create", "etl", "--type", "dcoker"), "no type 'dcoker'", "did you mean 'docker'?"),
        (("create", "etl", "--set", "mem_limt=1g"), "no job variable 'mem_limt'", "did you mean 'mem_limit'?"),
        (("create", "etl", "--set", "pids=many"), "'many' is not of type 'integer'", "pids:"),
        (("create", "etl", "--base-job-template", "none.json"), "none.json cannot be read", "get-default"),
        (("inspect", "none"), "there is no work pool 'none'", "imagekit work-pool create --type docker none"),
        (("create", "etl", "--set", "env=5"), "job variable env: its value is of the wrong kind", "env:"),
        (("create", "etl", "--concurrency-limit", str(1 << 64)), "larger than the record of runs", "a smaller one"),
        (("worker", "ls", "--pool", "none"), "there is no work pool 'none'", "work-pool create"),
        (("deployment", "ls", "--pool", "none"), "there is no work pool 'none'", "work-pool create"),
        (("deployment", "run", "etl/x", "--start-at", "0001-01-01"), "'0001-01-01' is no time", "2026-01-31T09:00"),
        (("flow-run", "ls", "--limit", str(1 << 64)), "larger than the record of runs", "a smaller one"),
    ],
)
def test_what_cannot_be_meant(here: Imagekit, store: Store, words: tuple[str, ...], message: str, hint: str) -> None:
    Pools(store.file).put(new_pool("known"))
    command = words if words[0] in ("worker", "deployment", "flow-run") else ("work-pool", *words)
    done = here(*command, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert message in found["message"]
    assert hint in found["hint"]


def test_deployments_and_their_runs(imagekit: Imagekit, store: Store) -> None:
    assert imagekit("deployment", "ls").stdout.startswith("no deployments yet")
    imagekit("work-pool", "create", "etl")
    wanted = Deployment(
        name="etl/nightly",
        pool="etl",
        entrypoint="flow.py:etl",
        image="orders:v1",
        pinned="sha256:" + "a" * 64,
        schedules=({"cron": "0 9 * * *", "timezone": None},),
        signature={"function": "etl", "positional_only": [], "names": ["n"], "required": ["n"], "takes_any": False},
    )
    Deployments(store.file).put(wanted, ["2030-01-01T09:00:00.000+00:00"])
    assert "etl/nightly  etl   orders:v1  2030-01-01T09:00:00.000+00:00" in imagekit("deployment", "ls").stdout
    missing = imagekit("deployment", "run", "etl/nightly")
    assert (missing.returncode, "needs the parameter n" in missing.stderr) == (2, True)
    done = imagekit("deployment", "run", "etl/nightly", "-p", "n=3", "--start-at", "2031-01-01T09:00+01:00")
    assert "no worker polls it: imagekit worker start --pool etl" in done.stderr
    (run,) = json.loads(imagekit("flow-run", "ls", "--json").stdout)["runs"]
    assert (run["state"], run["parameters"], run["scheduled_for"]) == (
        "scheduled",
        {"n": 3},
        "2031-01-01T08:00:00.000+00:00",
    )
    # RFC 3339, as the clock in Greenwich shows it.
    utc = imagekit("deployment", "run", "etl/nightly", "-p", "n=3", "--start-at", "2031-01-01T08:00:00Z", "--json")
    assert json.loads(utc.stdout)["scheduled_for"] == "2031-01-01T08:00:00.000+00:00"
    assert imagekit("flow-run", "cancel", json.loads(utc.stdout)["id"]).returncode == 0
    assert imagekit("flow-run", "cancel", run["id"]).stdout == f"{run['name']}: cancelled\n"
    assert "has ended: cancelled" in imagekit("flow-run", "cancel", run["id"]).stderr
    again = json.loads(imagekit("flow-run", "retry", run["id"], "--json").stdout)
    assert (again["state"], again["parameters"]) == ("scheduled", {"n": 3})
    paused = json.loads(imagekit("deployment", "pause", "etl/nightly", "--json").stdout)
    assert (paused["name"], paused["is_paused"], paused["next_times"]) == ("etl/nightly", True, [None])
    assert "paused" in imagekit("deployment", "ls").stdout
    assert imagekit("deployment", "resume", "etl/nightly").stdout == "resumed etl/nightly\n"
    (due,) = json.loads(imagekit("deployment", "inspect", "etl/nightly", "--json").stdout)["next_times"]
    assert due.endswith("T09:00:00.000+00:00")
    refused = imagekit("work-pool", "delete", "etl")
    assert "has the deployment 'etl/nightly'" in refused.stderr
    assert imagekit("deployment", "delete", "etl/nightly").stdout == "deleted etl/nightly; 1 waiting run is cancelled\n"


def test_a_worker_says_what_is_missing(process: Imagekit, store: Store) -> None:
    done = process("worker", "start", "--pool", "etl")
    assert (done.returncode, "imagekit work-pool create --type docker etl" in done.stderr) == (2, True)
    done = process("worker", "start", "--pool", "etl", "--type", "docker")
    assert done.returncode == 3
    assert Pools(store.file).get("etl").type == "docker"
    assert process("worker", "ls").stdout == "no workers: imagekit worker start --pool NAME starts one\n"


def test_a_systemd_unit(imagekit: Imagekit, store: Store) -> None:
    told = imagekit("worker", "unit", "--pool", "my pool", "--limit", "3").stdout
    assert '-m imagekit worker start --pool "my pool" --limit 3\n' in told
    told = imagekit("worker", "unit", "--pool", "etl", "--prefetch-seconds", "0").stdout
    assert "-m imagekit worker start --pool etl --limit 10 --prefetch-seconds 0\n" in told
    refused = imagekit("worker", "unit", "--pool", "a\nExecStartPre=true")
    assert (refused.returncode, "a work pool's name cannot be" in refused.stderr) == (2, True)
    refused = imagekit("worker", "start", "--pool", "etl", "--name", "a\nb")
    assert (refused.returncode, "a worker's name cannot be" in refused.stderr) == (2, True)
    far = imagekit("worker", "unit", "--pool", "etl", "--prefetch-seconds", "3601")
    assert (far.returncode, "3601 is not in the range 0<=x<=3600" in far.stderr) == (2, True)
    unit = systemd_unit('a%b $x "y"', 2, "/opt/python", {"XDG_STATE_HOME": "/state dir", "SECRET": "x"})
    assert 'ExecStart=/opt/python -m imagekit worker start --pool "a%%b $$x \\"y\\"" --limit 2\n' in unit
    assert 'Environment="XDG_STATE_HOME=/state dir"\n' in unit
    assert "SECRET" not in unit
