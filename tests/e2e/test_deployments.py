"""The examples of Prefect's guides to flows in Docker containers: imported from imagekit, and nothing else changed.

Names of images, registries and repositories are the tests' own, and ``push`` is to a registry of the tests' own.
docs/deployments.md has each example and its test.
"""

from __future__ import annotations

import json
import runpy
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.deploying.create import create_from_file
from imagekit.deploying.deploy import forget
from imagekit.deploying.image import DEPLOYED
from imagekit.deploying.pool import changed, new_pool
from imagekit.deploying.submit import run_deployment
from imagekit.engine.client import Engine
from imagekit.errors import InputError, InvalidEntrypoint, InvalidParameters, UnknownKeyword
from imagekit.progress import SilentReporter
from imagekit.running import Machine
from imagekit.settings import Settings
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.values import StoredRun
from imagekit.store.work_values import Deployment
from imagekit.worker.told import Told
from imagekit.worker.worker import Worker
from tests.own_registry import OwnRegistry
from tests.own_repositories import Repository

from .conftest import Imagekit
from .guide_examples import (
    CUSTOM_DOCKERFILE,
    DEFAULT_NAMESPACE,
    DEPLOY_BUY,
    EXTRA_PACKAGES,
    GIT_STORAGE,
    IMAGE_PULL_POLICY,
    LOCAL_AND_REMOTE,
    PASS_PARAMS,
    RUNNER_WITH_IMAGE,
    RUNNER_WITH_PACKAGES,
    SPECIFICATION,
    TWO_FLOWS,
    TWO_POOLS,
    WITHOUT_BUILD,
    WITHOUT_PUSH,
    anew,
)
from .wheels import write_wheel


class Guide:
    """A directory with the guide's scripts, its two work pools, and a worker for a moment when one is wanted."""

    def __init__(self, imagekit: Imagekit, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.imagekit, self.root, self._capsys = imagekit, root, capsys
        self.store = Store.open(Settings.load().state_dir)
        for pool in ("my-docker-pool", "my-other-docker-pool"):
            Pools(self.store.file).put(new_pool(pool))

    def write(self, example: str, *, before: str = "", name: str = "deploy_buy.py", **names: str) -> Path:
        """``before``: what an example leaves out that goes on with the file of an earlier one."""
        (self.root / name).write_text(before + anew(example, **names))
        return self.root / name

    def deploy(self, example: str, *, before: str = "", **names: str) -> str:
        """What the script prints."""
        self.write(example, before=before, **names)
        self._capsys.readouterr()
        runpy.run_path("deploy_buy.py", run_name="__main__")
        return self._capsys.readouterr().out

    def run(self, name: str, *, pool: str = "my-docker-pool", **more: Any) -> StoredRun:
        submitted = run_deployment(self.store, name, **more)
        self.work(pool)
        return self.store.run(submitted.id)

    def work(self, pool: str) -> None:
        with Machine.here(SilentReporter()) as machine:
            Worker(machine, self.store, pool, Told(), once=True).run()

    def log(self, run: StoredRun) -> str:
        return b"".join(piece.data for piece in self.store.log(run.id)).decode()

    def deployment(self, name: str) -> Deployment:
        return Deployments(self.store.file).get(name)

    def close(self) -> None:
        forget([each.name for each in Deployments(self.store.file).all()], Settings.load())
        self.store.close()


@pytest.fixture
def guide(
    library: Imagekit,
    tmp_path: Path,
    python_image: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Guide]:
    library.env["IMAGEKIT_BASE_IMAGE"] = python_image
    monkeypatch.setenv("IMAGEKIT_BASE_IMAGE", python_image)
    library.cwd = tmp_path / "guide"
    library.cwd.mkdir()
    monkeypatch.chdir(library.cwd)
    with closing(Guide(library, library.cwd, capsys)) as found:
        yield found


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[OwnRegistry]:
    with closing(OwnRegistry(tmp_path / "registry")) as found:
        yield found


# The flow that examples go on with.
BUY = DEPLOY_BUY[: DEPLOY_BUY.index("if __name__")]
GET_REPO_INFO = """
from imagekit import flow

@flow(log_prints=True)
def get_repo_info():
    {body}

"""
BAKED = "buy/my-code-baked-into-an-image-deployment"


def test_code_baked_into_an_image_that_is_pushed(guide: Guide, registry: OwnRegistry) -> None:
    image = f"{registry.name}/{guide.imagekit.name()}:my_image_tag"
    told = guide.deploy(DEPLOY_BUY, image=image)
    assert f"created    {BAKED}  in my-docker-pool" in told
    assert "    imagekit worker start --pool my-docker-pool\n" in told
    assert f"    imagekit deployment run {BAKED}\n" in told
    deployment = guide.deployment(BAKED)
    assert deployment.image == image
    assert str(deployment.pinned).startswith(f"{image.rpartition(':')[0]}@sha256:")
    # The same once more changes nothing.
    assert f"unchanged  {BAKED}" in guide.deploy(DEPLOY_BUY, image=image)
    assert guide.deployment(BAKED) == deployment
    run = guide.run(BAKED)
    assert (run.state, guide.log(run), run.deployment) == ("completed", "Buying securities\n", BAKED)
    assert (run.record.reference, run.record.repo_digest) == (image, deployment.pinned)
    # The image is there, and holds the flow.
    assert "found" in guide.deploy(WITHOUT_BUILD, before=anew(BUY), image=image)
    with pytest.raises(InvalidEntrypoint, match=r"does not hold the flow: deploy_buy.py has no function 'sell'"):
        guide.deploy(WITHOUT_BUILD.replace("buy.", "sell."), before=anew(BUY).replace("buy", "sell"), image=image)


def test_an_image_that_stays_here_outlives_what_replaces_it(guide: Guide, engine: Engine) -> None:
    image = f"{guide.imagekit.name()}:dev"
    told = guide.deploy(TWO_POOLS, image=image)
    assert told.count("built ") == 1
    for pool, name in (("my-docker-pool", "buy/dev-deploy"), ("my-other-docker-pool", "buy/prod-deploy")):
        assert guide.deployment(name).pool == pool
    pinned = guide.deployment("buy/dev-deploy").pinned
    assert pinned is not None
    assert pinned.startswith("sha256:")
    # The name goes to another image; the deployment's stays as long as it has it.
    (guide.root / "more.py").write_text("MORE = 1\n")
    DockerImage(image, stream_progress_to=None).build()
    assert guide.run("buy/prod-deploy", pool="my-other-docker-pool").record.image_id == pinned
    assert guide.deploy(TWO_POOLS, image=image).count("updated ") == 2
    second = guide.deployment("buy/dev-deploy").pinned
    assert second is not None
    assert second != pinned
    assert engine.image(pinned) is None
    # A run that was accepted before is in the image that it was accepted with.
    waiting = run_deployment(guide.store, "buy/dev-deploy")
    (guide.root / "more.py").write_text("MORE = 2\n")
    assert guide.deploy(TWO_POOLS, image=image).count("updated ") == 2
    guide.work("my-docker-pool")
    run = guide.store.run(waiting.id)
    assert (run.state, run.record.image_id) == ("completed", second)
    engine.remove_image(f"{DEPLOYED}:{second.partition(':')[2][:24]}")


def test_two_flows_in_one_image(guide: Guide) -> None:
    told = guide.deploy(TWO_FLOWS, image=f"{guide.imagekit.name()}:dev")
    assert told.count("built ") == 1
    assert guide.deployment("buy/buy-deploy").pinned == guide.deployment("sell/sell-deploy").pinned
    assert guide.log(guide.run("sell/sell-deploy")) == "Selling securities.\n"


def test_a_dockerfile(guide: Guide, python_image: str) -> None:
    (guide.root / "Dockerfile").write_text(f"FROM {python_image}\nWORKDIR /app\nCOPY . .\n")
    told = guide.deploy(CUSTOM_DOCKERFILE, image=guide.imagekit.name())
    assert "warning" not in told
    assert guide.log(guide.run("buy/my-custom-dockerfile-deployment")) == "Buying securities\n"
    (guide.root / "Dockerfile").write_text(f"FROM {python_image}\nWORKDIR /app\n")
    told = guide.deploy(CUSTOM_DOCKERFILE, image=guide.imagekit.name())
    assert "there is no /app/deploy_buy.py; runs of it will fail" in told


AGAIN = """
import os
from imagekit import DockerImage, flow

@flow(retries=2)
def again():
    first = not os.path.exists("/tmp/been-here")
    open("/tmp/been-here", "w").close()
    if first:
        raise ValueError("not yet")
    print("now")

if __name__ == "__main__":
    again.deploy("own", work_pool_name="my-docker-pool", image={image}, build={build}, push=False)
"""


def test_retries_and_where_the_flow_is_looked_for(guide: Guide) -> None:
    name = f"{guide.imagekit.name()}:v1"
    image = f"DockerImage({name!r}, stream_progress_to=None, include_source={{}})"
    told = guide.deploy(AGAIN.format(image=image.format(False), build=True))
    assert "there is no /app/deploy_buy.py; runs of it will fail" in told
    told = guide.deploy(AGAIN.format(image=image.format(True), build=True))
    assert "warning" not in told
    run = guide.run("again/own")
    assert run.state == "completed"
    # What it prints is another stream than that: no order holds between the two.
    log = guide.log(run).splitlines()
    assert log.count("now") == 1
    told = "\n".join(line for line in log if line != "now")
    assert told.endswith("ValueError: not yet\nthe flow is called again; retries left after that: 1")
    # What the pool says of its jobs holds here, too.
    pools = Pools(guide.store.file)
    pools.put(changed(pools.get("my-docker-pool"), defaults={"workdir": "/tmp"}))
    with pytest.raises(InvalidEntrypoint, match=r"there is no /tmp/deploy_buy\.py"):
        guide.deploy(AGAIN.format(image=repr(name), build=False))
    # An image that was found stays as well, when another one takes its name.
    pools.put(new_pool("my-docker-pool"))
    guide.deploy(AGAIN.format(image=repr(name), build=False))
    pinned = guide.deployment("again/own").pinned
    (guide.root / "more.py").write_text("MORE = 2\n")
    DockerImage(name, stream_progress_to=None).build()
    assert guide.run("again/own").record.image_id == pinned


def test_code_from_git_and_the_pools_image(guide: Guide, tmp_path: Path, python_image: str) -> None:
    repository = Repository(tmp_path / "repository")
    flow = "from imagekit import flow\n\n@flow\ndef hello_world():\n    print('Hello')\n"
    commit = repository.commit({"flows/no-image.py": flow})
    pools = Pools(guide.store.file)
    with pytest.raises(InputError, match="has no image, and neither has the work pool"):
        guide.deploy(GIT_STORAGE, url=repository.url)
    pools.put(changed(pools.get("my-docker-pool"), defaults={"image": python_image}))
    guide.deploy(GIT_STORAGE, url=repository.url)
    run = guide.run("hello-world/no-image-deployment")
    assert (run.state, guide.log(run), run.record.reference) == ("completed", "Hello\n", python_image)
    assert run.record.source["commit"] == commit


def test_parameters(guide: Guide, registry: OwnRegistry) -> None:
    guide.deploy(PASS_PARAMS, image=f"{registry.name}/{guide.imagekit.name()}:v1")
    name = "hello-world/pass-params-deployment"
    assert guide.log(guide.run(name)) == "Hello, Prefect!\n"
    run = guide.run(name, parameters={"name": "you"}, job_variables={"env": {"MORE": "1"}, "mem_limit": "128m"})
    assert (guide.log(run), run.record.env_names) == ("Hello, you!\n", ("MORE",))
    assert run.record.settings["mem_limit"] == "128m"
    with pytest.raises(InvalidParameters, match="takes no parameter 'nme'"):
        guide.run(name, parameters={"nme": "you"})
    with pytest.raises(UnknownKeyword, match="no job variable 'mem_limt'"):
        guide.run(name, job_variables={"mem_limt": "1g"})
    with pytest.raises(InputError) as caught:
        guide.run("hello-world/pass-param-deployment")
    assert caught.value.hint == f"did you mean {name!r}?"


def test_an_image_that_is_never_pulled(guide: Guide) -> None:
    before = GET_REPO_INFO.format(body="print('known')")
    guide.deploy(IMAGE_PULL_POLICY, before=before, image=f"{guide.imagekit.name()}:v1")
    run = guide.run("get-repo-info/my-deployment-never-pull")
    assert (run.state, guide.log(run)) == ("completed", "known\n")
    assert run.record.settings["image_pull_policy"] == "Never"


def test_extra_packages(guide: Guide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    name = f"plug{secrets.token_hex(4)}"
    write_wheel(tmp_path / "offered", name, "1.0", {f"{name}.py": f"MARK = {secrets.token_hex(8)!r}\n"})
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "offered"))
    before = GET_REPO_INFO.format(body=f"import {name}; print({name}.__name__)")
    guide.deploy(EXTRA_PACKAGES, before=before, image=f"{guide.imagekit.name()}:v1", package=name)
    run = guide.run("get-repo-info/my-deployment-never-pull")
    assert (run.state, guide.log(run)) == ("completed", f"{name}\n")
    assert run.record.extras is not None
    assert run.record.extras["packages"] == [f"{name}==1.0"]
    engine.remove_image(run.record.extras["image"], force=True)


@pytest.mark.soak
def test_local_and_remote_flows(guide: Guide, registry: OwnRegistry, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.commit({"flows.py": "def my_flow():\n    print('I am elsewhere')\n"})
    image = f"{registry.name}/{guide.imagekit.name()}:dev"
    guide.deploy(LOCAL_AND_REMOTE, url=repository.url, image=image)
    assert guide.log(guide.run("local-flow/example-deploy-local-flow")) == "I'm a flow!\n"
    run = guide.run("my-flow/example-deploy-remote-flow")
    assert (guide.log(run), run.record.reference) == ("I am elsewhere\n", image)
    assert run.record.repo_digest == guide.deployment("my-flow/example-deploy-remote-flow").pinned


def test_the_default_namespace(guide: Guide, registry: OwnRegistry) -> None:
    name, namespace = guide.imagekit.name(), f"{registry.name}/team"
    refused = guide.imagekit("config", "set", f"PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE={namespace}")
    assert (refused.returncode, "it is called default-namespace here" in refused.stderr) == (2, True)
    assert guide.imagekit("config", "set", f"default-namespace={namespace}").returncode == 0
    told = guide.deploy(DEFAULT_NAMESPACE, before=anew(BUY), image=f"{name}:v1")
    assert f"built and pushed {namespace}/{name}:v1" in told
    assert guide.deployment(BAKED).image == f"{namespace}/{name}:v1"


def test_the_commands_of_the_guide(guide: Guide) -> None:
    """As a person types them, with the script that does not push."""
    imagekit = guide.imagekit
    assert imagekit("work-pool", "create", "--type", "docker", "typed-pool").returncode == 0
    lines = imagekit("work-pool", "ls").stdout.splitlines()
    assert [" not ready " in line for line in lines if line.startswith("typed-pool ")] == [True]
    script = guide.write(WITHOUT_PUSH, before=anew(BUY), image=f"{imagekit.name()}:v1")
    argv = [sys.executable, script.name]
    done = subprocess.run(argv, cwd=guide.root, env=imagekit.env, capture_output=True, text=True)
    assert f"created    {BAKED}  in my-docker-pool" in done.stdout, done.stderr
    imagekit("deployment", "run", BAKED)
    done = imagekit("worker", "start", "--pool", "my-docker-pool", "--type", "docker", "--run-once")
    assert done.returncode == 0, done.stderr
    (run,) = imagekit.json("flow-run", "ls", "--deployment", BAKED)["runs"]
    assert run["state"] == "completed"


@pytest.mark.soak
def test_runners_of_the_second_guide(
    guide: Guide, python_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    def ran(runner: str, **names: str) -> StoredRun:
        # Its last line is what stands in the place of the first example's runner.
        example = SPECIFICATION.replace("DockerFlowRunner()", runner.splitlines()[-1])
        guide.write(example, name="example-deployment.py", **names)
        create_from_file(Path("example-deployment.py"), "my-docker-pool", Settings.load())
        run = guide.run("my-flow/example")
        assert (run.state, guide.log(run)) == ("completed", "Hello from Docker!\n"), run.end
        return run

    assert ran(RUNNER_WITH_IMAGE, image=python_image).record.reference == python_image
    for name in (names := [f"extra{secrets.token_hex(4)}" for _ in range(2)]):
        write_wheel(tmp_path / "offered", name, "1.0", {f"{name}.py": f"MARK = {secrets.token_hex(8)!r}\n"})
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "offered"))
    extras = ran(RUNNER_WITH_PACKAGES, packages=" ".join(names)).record.extras
    assert extras is not None
    assert extras["packages"] == [f"{name}==1.0" for name in sorted(names)]
    engine.remove_image(extras["image"], force=True)


def test_the_commands_of_the_second_guide(guide: Guide, engine: Engine) -> None:
    imagekit = guide.imagekit
    guide.write(SPECIFICATION, name="example-deployment.py")
    done = imagekit("deployment", "create", "./example-deployment.py")
    assert "created    my-flow/example  in default" in done.stdout, done.stderr
    worker = imagekit.start("worker", "start", "--pool", "default")
    try:
        done = imagekit("deployment", "run", "my-flow/example", "--watch", "-j", "auto_remove=false")
        assert (done.returncode, done.stdout) == (0, "Hello from Docker!\n")
        (run,) = imagekit.json("flow-run", "ls", "--deployment", "my-flow/example")["runs"]
        assert run["state"] == "completed"
        # A container with a name that matches the run's.
        argv = ["docker", "--host", engine.address, "container", "ls", "--all", "--format", "{{.Names}}"]
        named = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
        assert named.count(run["name"]) == 1
        engine.api.remove_container(run["name"])
        done = imagekit("flow-run", "retry", run["id"], "--watch", "--json")
        assert done.returncode == 0
        again = json.loads(done.stdout)
        assert (again["state"], again["image_id"], again["id"] != run["id"]) == ("completed", run["image_id"], True)
        engine.api.remove_container(again["name"])
        lines = imagekit("work-pool", "ls").stdout.splitlines()
        assert [" ready " in line for line in lines if line.startswith("default ")] == [True]
        (found,) = imagekit.json("worker", "ls")["workers"]
        assert (found["pool"], found["status"]) == ("default", "online")
    finally:
        worker.terminate()
        worker.wait()
        for stream in (worker.stdout, worker.stderr):
            assert stream is not None
            stream.close()
    (guide.root / "none.py").write_text("x = 1\n")
    assert "specifies no deployment" in imagekit.refused("deployment", "create", "none.py")["message"]
