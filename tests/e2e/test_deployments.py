"""The examples of Prefect's guide to flows in Docker containers: imported from imagekit, and nothing else changed.

Names of images, registries and repositories are the tests' own, and ``push`` is to a registry of the tests' own.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.deploying.deploy import forget
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

BUY = """
from imagekit import flow

@flow(log_prints=True)
def buy():
    print("Buying securities")

if __name__ == "__main__":
    buy.deploy(
        name="my-code-baked-into-an-image-deployment",
        work_pool_name="my-docker-pool",
        image="{image}"{more}
    )
"""
TWO_POOLS = """
from imagekit import deploy, flow


@flow(log_prints=True)
def buy():
    print("Buying securities")


if __name__ == "__main__":
    deploy(
        buy.to_deployment(name="dev-deploy", work_pool_name="my-docker-pool"),
        buy.to_deployment(name="prod-deploy", work_pool_name="my-other-docker-pool"),
        image="{image}",
        push=False,
    )
"""
TWO_FLOWS = """
from imagekit import deploy, flow


@flow(log_prints=True)
def buy():
    print("Buying securities.")


@flow(log_prints=True)
def sell():
    print("Selling securities.")


if __name__ == "__main__":
    deploy(
        buy.to_deployment(name="buy-deploy"),
        sell.to_deployment(name="sell-deploy"),
        work_pool_name="my-docker-pool",
        image="{image}",
        push=False,
    )
"""
DOCKERFILE_FLOW = """
from imagekit import flow
from imagekit import DockerImage


@flow(log_prints=True)
def buy():
    print("Buying securities")


if __name__ == "__main__":
    buy.deploy(
        name="my-custom-dockerfile-deployment",
        work_pool_name="my-docker-pool",
        image=DockerImage(
            name="{image}",
            tag="deploy-guide",
            dockerfile="Dockerfile"
    ),
    push=False
)
"""
GIT = """
from imagekit import flow

if __name__ == "__main__":
    flow.from_source(
        "{url}",
        entrypoint="flows/no-image.py:hello_world",
    ).deploy(
        name="no-image-deployment",
        work_pool_name="my-docker-pool",
        build=False
    )
"""
PARAMETERS = """
from imagekit import flow


@flow
def hello_world(name: str):
    print(f"Hello, {{name}}!")


if __name__ == "__main__":
    hello_world.deploy(
        name="pass-params-deployment",
        work_pool_name="my-docker-pool",
        parameters=dict(name="Prefect"),
        image="{image}",
        push=False,
        job_variables={{"image_pull_policy": "Never", "env": {{"STAGE": "test"}}}},
    )
"""
MIXED = """
from imagekit import deploy, flow


@flow(log_prints=True)
def local_flow():
    print("I'm a flow!")


if __name__ == "__main__":
    deploy(
        local_flow.to_deployment(name="example-deploy-local-flow"),
        flow.from_source(
            source="{url}",
            entrypoint="flows.py:my_flow",
        ).to_deployment(
            name="example-deploy-remote-flow",
        ),
        work_pool_name="my-docker-pool",
        image="{image}",
    )
"""
SPECIFICATION = """
from imagekit import flow
from imagekit import DeploymentSpec
from imagekit import DockerFlowRunner

@flow
def my_flow():
    print("Hello from Docker!")


DeploymentSpec(
    name="example",
    flow=my_flow,
    flow_runner=DockerFlowRunner({runner})
)
"""


class Guide:
    """A directory with the guide's scripts, its two work pools, and a worker for a moment when one is wanted."""

    def __init__(self, imagekit: Imagekit, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.imagekit, self.root, self._capsys = imagekit, root, capsys
        self.store = Store.open(Settings.load().state_dir)
        for pool in ("my-docker-pool", "my-other-docker-pool"):
            Pools(self.store.file).put(new_pool(pool))

    def deploy(self, script: str, **values: str) -> str:
        """What the script prints."""
        (self.root / "deploy_buy.py").write_text(script.format(**values))
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


def test_code_baked_into_an_image_that_is_pushed(guide: Guide, registry: OwnRegistry) -> None:
    image = f"{registry.name}/{guide.imagekit.name()}:my_image_tag"
    told = guide.deploy(BUY, image=image, more="")
    name = "buy/my-code-baked-into-an-image-deployment"
    assert f"created    {name}  in my-docker-pool" in told
    assert "    imagekit worker start --pool my-docker-pool\n" in told
    assert f"    imagekit deployment run {name}\n" in told
    deployment = guide.deployment(name)
    assert deployment.image == image
    assert str(deployment.pinned).startswith(f"{image.rpartition(':')[0]}@sha256:")
    # The same once more changes nothing.
    assert f"unchanged  {name}" in guide.deploy(BUY, image=image, more="")
    assert guide.deployment(name) == deployment
    run = guide.run(name)
    assert (run.state, guide.log(run), run.deployment) == ("completed", "Buying securities\n", name)
    assert (run.record.reference, run.record.repo_digest) == (image, deployment.pinned)
    # build=False: the image is there, and holds the flow.
    assert "found" in guide.deploy(BUY, image=image, more=",\n        build=False")
    with pytest.raises(InvalidEntrypoint, match=r"does not hold the flow: deploy_buy.py has no function 'sell'"):
        guide.deploy(BUY.replace("buy", "sell"), image=image, more=", build=False")


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
    assert guide.deployment("buy/dev-deploy").pinned != pinned
    assert engine.image(pinned) is None


def test_two_flows_in_one_image(guide: Guide) -> None:
    told = guide.deploy(TWO_FLOWS, image=f"{guide.imagekit.name()}:dev")
    assert told.count("built ") == 1
    assert guide.deployment("buy/buy-deploy").pinned == guide.deployment("sell/sell-deploy").pinned
    assert guide.log(guide.run("sell/sell-deploy")) == "Selling securities.\n"


def test_a_dockerfile(guide: Guide, python_image: str) -> None:
    (guide.root / "Dockerfile").write_text(f"FROM {python_image}\nWORKDIR /app\nCOPY . .\n")
    told = guide.deploy(DOCKERFILE_FLOW, image=guide.imagekit.name())
    assert "warning" not in told
    assert guide.log(guide.run("buy/my-custom-dockerfile-deployment")) == "Buying securities\n"
    (guide.root / "Dockerfile").write_text(f"FROM {python_image}\nWORKDIR /app\n")
    told = guide.deploy(DOCKERFILE_FLOW, image=guide.imagekit.name())
    assert "there is no /app/deploy_buy.py; runs of it will fail" in told


def test_code_from_git_and_the_pools_image(guide: Guide, tmp_path: Path, python_image: str) -> None:
    repository = Repository(tmp_path / "repository")
    flow = "from imagekit import flow\n\n@flow\ndef hello_world():\n    print('Hello')\n"
    commit = repository.commit({"flows/no-image.py": flow})
    pools = Pools(guide.store.file)
    with pytest.raises(InputError, match="has no image, and neither has the work pool"):
        guide.deploy(GIT, url=repository.url)
    pools.put(changed(pools.get("my-docker-pool"), defaults={"image": python_image}))
    guide.deploy(GIT, url=repository.url)
    run = guide.run("hello-world/no-image-deployment")
    assert (run.state, guide.log(run), run.record.reference) == ("completed", "Hello\n", python_image)
    assert run.record.source["commit"] == commit


def test_parameters_and_job_variables(guide: Guide) -> None:
    guide.deploy(PARAMETERS, image=f"{guide.imagekit.name()}:v1")
    name = "hello-world/pass-params-deployment"
    assert guide.log(guide.run(name)) == "Hello, Prefect!\n"
    run = guide.run(name, parameters={"name": "you"}, job_variables={"env": {"MORE": "1"}, "mem_limit": "128m"})
    assert (guide.log(run), run.record.env_names) == ("Hello, you!\n", ("MORE", "STAGE"))
    assert run.record.settings["mem_limit"] == "128m"
    with pytest.raises(InvalidParameters, match="takes no parameter 'nme'"):
        guide.run(name, parameters={"nme": "you"})
    with pytest.raises(UnknownKeyword, match="no job variable 'mem_limt'"):
        guide.run(name, job_variables={"mem_limt": "1g"})
    with pytest.raises(InputError) as caught:
        guide.run("hello-world/pass-param-deployment")
    assert caught.value.hint == f"did you mean {name!r}?"


def test_local_and_remote_flows(guide: Guide, registry: OwnRegistry, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.commit({"flows.py": "def my_flow():\n    print('I am elsewhere')\n"})
    image = f"{registry.name}/{guide.imagekit.name()}:dev"
    guide.deploy(MIXED, url=repository.url, image=image)
    assert guide.log(guide.run("local-flow/example-deploy-local-flow")) == "I'm a flow!\n"
    run = guide.run("my-flow/example-deploy-remote-flow")
    assert (guide.log(run), run.record.reference) == ("I am elsewhere\n", image)
    assert run.record.repo_digest == guide.deployment("my-flow/example-deploy-remote-flow").pinned


def test_the_default_namespace(guide: Guide, monkeypatch: pytest.MonkeyPatch) -> None:
    name = guide.imagekit.name()
    monkeypatch.setenv("PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE", "example.com/team")
    told = guide.deploy(BUY, image=f"{name}:v1", more=",\n        push=False")
    assert f"built example.com/team/{name}:v1" in told
    assert guide.deployment("buy/my-code-baked-into-an-image-deployment").image == f"example.com/team/{name}:v1"


def test_the_command_line(guide: Guide, python_image: str) -> None:
    """The second guide's file, and the same commands as a person types them."""
    imagekit = guide.imagekit
    (guide.root / "example-deployment.py").write_text(
        SPECIFICATION.format(runner=f'image="{python_image}", env={{"STAGE": "test"}}')
    )
    done = imagekit("deployment", "create", "./example-deployment.py")
    assert "created    my-flow/example  in default" in done.stdout, done.stderr
    worker = imagekit.start("worker", "start", "--pool", "default")
    try:
        done = imagekit("deployment", "run", "my-flow/example", "--watch")
        assert (done.returncode, done.stdout) == (0, "Hello from Docker!\n")
        (run,) = imagekit.json("flow-run", "ls", "--deployment", "my-flow/example")["runs"]
        assert (run["state"], run["env_names"]) == ("completed", ["STAGE"])
        done = imagekit("flow-run", "retry", run["id"], "--watch", "--json")
        assert done.returncode == 0
        again = json.loads(done.stdout)
        assert (again["state"], again["reference"], again["id"] != run["id"]) == ("completed", python_image, True)
        assert "  ready  " in imagekit("work-pool", "ls").stdout.splitlines()[1]
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
