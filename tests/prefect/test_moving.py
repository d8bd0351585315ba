"""An embedded deployment, with its pool, on a Prefect server."""

from __future__ import annotations

import json

import pytest

from ..own_registry import OwnRegistry
from .conftest import Project, StartWorker
from .surroundings import Server

pytestmark = pytest.mark.xdist_group("prefect")

FLOW = """
from imagekit import Cron, deploy, flow
from imagekit.prefect import DockerImage, to_prefect

MARK = {mark!r}


@flow(log_prints=True)
def moved(n: int):
    print(MARK, n)
    return n


if __name__ == "__main__":
    deploy(
        moved.to_deployment("own", parameters={{"n": 1}}, cron="0 9 * * MON", tags=["a"]),
        work_pool_name={pool!r},
        image=DockerImage({image!r}),
    )
    print(to_prefect("moved/own"))
"""


@pytest.mark.soak
def test_the_same_image_and_flow_go_to_a_server(
    server: Server, project: Project, start_worker: StartWorker, shared_registry: OwnRegistry
) -> None:
    pool = f"moved-{project.mark[:8]}"
    image = f"{shared_registry.name}/{project.name}"
    source = FLOW.format(mark=project.mark, pool=pool, image=image)
    (project.root / "flow.py").write_text(source)
    imagekit = ("-m", "imagekit")
    project.deploy(
        *imagekit, "work-pool", "create", "--type", "docker", pool, "--set", "mem_limit=1g", "--set", "cpus=1"
    )
    said = project.deploy()
    found = server.deployment("moved/own")
    assert said.splitlines()[-1] == found["id"]
    assert found["job_variables"]["image"].startswith(f"{image}@sha256:")
    assert (found["parameters"], found["tags"], found["work_pool_name"]) == ({"n": 1}, ["a"], pool)
    assert [each["schedule"]["cron"] for each in found["schedules"]] == ["0 9 * * MON"]
    there = server.call(f"/work_pools/{pool}")
    defaults = {
        name: each["default"]
        for name, each in there["base_job_template"]["variables"]["properties"].items()
        if "default" in each
    }
    assert (defaults["mem_limit"], defaults["container_create_kwargs"]["nano_cpus"]) == ("1g", 1_000_000_000)
    # Here no schedule makes runs of it any more.
    here = json.loads(project.deploy(*imagekit, "deployment", "inspect", "moved/own", "--json"))
    assert (here["is_paused"], here["next_times"]) == (True, [None])
    # Once more: the server's goes on.
    again = project.deploy(*imagekit, "deployment", "to-prefect", "moved/own", "--json")
    assert json.loads(again) == {"id": found["id"], "told": []}
    assert server.deployment("moved/own")["paused"] is False
    worker = start_worker(pool, "mover")
    run = server.ask("moved/own", parameters={"n": 42})
    assert server.ended(run, worker)["state_type"] == "COMPLETED", worker.said
    assert f"{project.mark} 42" in server.messages(run)
