"""Prefect's own ``flow.deploy`` and ``deploy`` with imagekit's image, run by Prefect's own Docker worker."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.engine.client import Engine

from ..e2e.wheels import write_wheel
from ..own_registry import OwnRegistry
from .another_host import AnotherHost
from .conftest import Project, StartWorker
from .surroundings import PREFECT, Server

pytestmark = pytest.mark.xdist_group("prefect")


def test_a_flow_is_deployed_by_prefect_and_run_by_its_worker(
    server: Server, engine: Engine, project: Project, pool: str, start_worker: StartWorker
) -> None:
    worker = start_worker(pool, "first")
    image = f'DockerImage("{project.name}:v1")'
    project.write(work_pool_name=repr(pool), image=image, push="False", parameters='{"name": "Ford"}')
    said = project.deploy()
    assert f"Successfully built image '{project.name}:v1'" in said
    found = server.deployment("hello/own")
    assert (found["job_variables"], found["entrypoint"], found["path"]) == (
        {"image": f"{project.name}:v1"},
        "flow.py:hello",
        ".",
    )
    run = server.ask("hello/own")
    assert server.ended(run, worker)["state_type"] == "COMPLETED", worker.said
    assert f"Hello Ford, it is {project.mark}" in server.messages(run)
    config = engine.api.inspect_image(f"{project.name}:v1")["Config"]
    assert (config["WorkingDir"], config["User"]) == ("/opt/prefect/orders", "app")
    # Prefect is the one that deployed it.
    assert _output(engine, f"{project.name}:v1", "prefect", "--version").strip() == PREFECT


@pytest.mark.soak
def test_extra_packages_of_a_run_are_installed_when_it_starts(
    server: Server, project: Project, pool: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    name = f"plug{secrets.token_hex(4)}"
    write_wheel(wheels, name, "1.0", {f"{name}.py": f"WORD = {secrets.token_hex(8)!r}\n"})
    wheels.chmod(0o755)
    source = f"""
from prefect import flow


@flow(log_prints=True)
def hello():
    import {name}
    print({name}.WORD)
    return {project.mark!r}
"""
    (project.root / "flow.py").write_text(source)
    deploy = f"""
from imagekit.prefect import DockerImage
from flow import hello

hello.deploy("own", work_pool_name={pool!r}, image=DockerImage("{project.name}:v1"), push=False)
"""
    (project.root / "deploy.py").write_text(deploy)
    project.deploy("deploy.py")
    worker = start_worker(pool, "extras")
    without, given = server.ask("hello/own"), {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    extras = {"env": {**given, "EXTRA_PIP_PACKAGES": name}, "volumes": [f"{wheels}:/wheels:ro"]}
    with_extras = server.ask("hello/own", **extras)
    assert server.ended(with_extras, worker)["state_type"] == "COMPLETED", worker.said
    assert server.ended(without, worker)["state_type"] == "FAILED"
    assert f"EXTRA_PIP_PACKAGES: {name} installed" in worker.said


@pytest.mark.soak
def test_several_deployments_of_one_image_and_two_workers(
    server: Server,
    project: Project,
    pool: str,
    start_worker: StartWorker,
    shared_registry: OwnRegistry,
) -> None:
    image = f"{shared_registry.name}/{project.name}"
    source = f"""
from prefect import deploy, flow
from imagekit.prefect import DockerImage


@flow(log_prints=True)
def one(n: int):
    print("one", n, {project.mark!r})


@flow(log_prints=True)
def two(n: int):
    print("two", n, {project.mark!r})


if __name__ == "__main__":
    deploy(
        one.to_deployment("own", parameters={{"n": 0}}),
        two.to_deployment("own", parameters={{"n": 0}}, job_variables={{"mem_limit": "512m"}}),
        work_pool_name={pool!r},
        image=DockerImage({image!r}),
    )
"""
    (project.root / "flow.py").write_text(source)
    said = project.deploy()
    first, second = (server.deployment(f"{flow}/own")["job_variables"] for flow in ("one", "two"))
    assert first["image"].startswith(f"{image}@sha256:")
    assert second == {"image": first["image"], "mem_limit": "512m"}
    assert said.count("Successfully built image") == 1
    # The same again: the same digest.
    project.deploy()
    assert server.deployment("one/own")["job_variables"] == first
    workers = [start_worker(pool, name) for name in ("left", "right")]
    runs = [server.ask(f"{flow}/own", parameters={"n": n}) for n in range(2) for flow in ("one", "two")]
    ended = [server.ended(run, *workers) for run in runs]
    assert [run["state_type"] for run in ended] == ["COMPLETED"] * 4, [worker.said for worker in workers]
    # Each was run once, by one of them.
    for run in ended:
        assert sum(run["name"] in worker.said for worker in workers) == 1


@pytest.fixture
def another_host(server: Server, shared_registry: OwnRegistry) -> Iterator[AnotherHost]:
    host = AnotherHost([server.port, shared_registry.port])
    yield host
    host.close()


@pytest.mark.soak
def test_a_worker_of_another_host_pulls_what_was_pushed(
    server: Server,
    project: Project,
    pool: str,
    start_worker: StartWorker,
    shared_registry: OwnRegistry,
    another_host: AnotherHost,
) -> None:
    name = f"{shared_registry.name}/{project.name}"
    project.write(work_pool_name=repr(pool), image=f"DockerImage({name!r}, 'v1')")
    project.deploy()
    pinned = server.deployment("hello/own")["job_variables"]["image"]
    assert pinned.startswith(f"{name}@sha256:")
    # The tag moves on; the deployment does not.
    before, project.mark = project.mark, secrets.token_hex(8)
    project.write(work_pool_name=repr(pool), image=f"DockerImage({name!r}, 'v1')")
    pushed = f"import flow; i = flow.DockerImage({name!r}, 'v1'); i.build(); i.push(); print(i.reference)"
    assert project.deploy("-c", pushed).splitlines()[-1] != pinned
    worker = start_worker(pool, "far", another_host.engine.address, before=another_host.inside)
    run = server.ask("hello/own")
    assert server.ended(run, worker)["state_type"] == "COMPLETED", worker.said
    assert f"Hello Marvin, it is {before}" in server.messages(run)
    with another_host.engine.connect() as engine:
        assert [tag for image in engine.api.images() for tag in image["RepoDigests"] or ()] == [pinned]


@pytest.mark.soak
def test_the_same_project_with_a_lock(
    server: Server, engine: Engine, project: Project, pool: str, start_worker: StartWorker
) -> None:
    # A lock without Prefect's pip: what is not in it is not in the image.
    project.write(work_pool_name=repr(pool), image=f'DockerImage("{project.name}:v1")', push="False")
    (project.root / "requirements.txt").write_text(f"prefect=={PREFECT}\nfastapi==0.139.*\n")
    done = project.deploy("-m", "imagekit", "lock")
    assert done is not None
    said = project.deploy()
    assert "EXTRA_PIP_PACKAGES takes pip, which the project's lock does not have" in said
    worker = start_worker(pool, "locked")
    run = server.ask("hello/own")
    assert server.ended(run, worker)["state_type"] == "COMPLETED", worker.said
    assert f"Hello Marvin, it is {project.mark}" in server.messages(run)
    found = json.loads(_output(engine, f"{project.name}:v1", "python", "-c", _INSTALLED))
    assert "prefect" in found
    assert "pip" not in found


_INSTALLED = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"


def _output(engine: Engine, image: str, *command: str) -> str:
    """What the command prints in a container of the image, without a network."""
    import subprocess

    words = ["docker", "--host", engine.address, "run", "--rm", "--network", "none", "--", image, *command]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
