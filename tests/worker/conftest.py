"""An image with flows, a store with a pool and deployments of them, and workers as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.deploying.pool import new_pool
from imagekit.deploying.submit import run_deployment
from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, labelled
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.values import StoredRun
from imagekit.store.work_values import Deployment

FLOWS = """
import os, time
from imagekit import DeploymentSpec, DockerFlowRunner, DockerImage, deploy, flow

DeploymentSpec(name="example", flow=None, flow_runner=DockerFlowRunner())

@flow(log_prints=True)
def add(a: int, b: int = 1):
    print("adding", a, b)
    return a + b

@flow
def wait(seconds: float = 60, name: str = ""):
    print("waiting", name)
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(0.05)
    print("waited")
    return "waited"

@flow(name="told-off")
def deaf():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting")
    while True:
        time.sleep(1)

@flow
def eat():
    held = []
    while True:
        held.append(bytearray(8 << 20))
"""
DOCKERFILE = """
FROM {base}
RUN command -v python || ln -s "$(command -v python3)" /usr/local/bin/python
COPY app /app
WORKDIR /app
USER 1234:1234
"""


@pytest.fixture(scope="session")
def image(build_image: Callable[..., str], python_image: str) -> str:
    return build_image(DOCKERFILE.format(base=python_image), {"app/flow.py": FLOWS})


class Works:
    """A store with the pool ``docker``, and workers of it."""

    def __init__(self, engine: Engine, image: str, directory: Path) -> None:
        self.engine = engine
        self.store = Store.open(directory / "state" / "imagekit")
        self.directory = directory
        self.environ = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST", "LANG") if name in os.environ}
        self.environ |= {"HOME": str(directory), "XDG_STATE_HOME": str(directory / "state")}
        self.workers: list[subprocess.Popen[bytes]] = []
        Pools(self.store.file).put(new_pool("docker"))
        pinned = engine.image(image)
        assert pinned is not None
        for name in ("add", "wait", "deaf", "eat"):
            self.deploy(name, image=image, pinned=pinned.id)

    def deploy(self, name: str, **fields: Any) -> Deployment:
        wanted = Deployment(**{"name": f"{name}/test", "pool": "docker", "entrypoint": f"flow.py:{name}", **fields})
        return Deployments(self.store.file).put(wanted)[0]

    def submit(self, name: str, variables: dict[str, Any] | None = None, **parameters: Any) -> str:
        return run_deployment(self.store, f"{name}/test", parameters=parameters, job_variables=variables).id

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        log = (self.directory / f"worker-{len(self.workers)}.log").open("wb")
        argv = [sys.executable, "-m", "imagekit", "worker", "start", "--pool", "docker", *options]
        worker = subprocess.Popen(argv, env=self.environ, cwd=self.directory, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def told(self, number: int = 0) -> str:
        return (self.directory / f"worker-{number}.log").read_text()

    def until(self, wanted: Callable[[], Any]) -> Any:
        """What ``wanted`` comes to when that is something. The session ends what never comes."""
        while not (found := wanted()):
            time.sleep(0.05)
        return found

    def ended(self, run_id: str) -> StoredRun:
        return self.until(lambda: run if (run := self.store.run(run_id)).end is not None else None)  # type: ignore[no-any-return]

    def waiting(self, run_id: str) -> StoredRun:
        """The run, when its flow has written that it waits."""
        self.until(lambda: b"waiting" in self.log(run_id))
        return self.until(lambda: run if (run := self.store.run(run_id)).state == "running" else None)  # type: ignore[no-any-return]

    def log(self, run_id: str) -> bytes:
        return b"".join(piece.data for piece in self.store.log(run_id))

    def containers(self, run_id: str) -> list[Any]:
        return labelled(self.engine, f"imagekit.run={run_id}")

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
        for run in self.store.runs():
            for entry in self.containers(run.id):
                Container(self.engine, entry["Id"]).remove()
        self.store.close()


@pytest.fixture
def works(engine: Engine, image: str, tmp_path: Path) -> Iterator[Works]:
    found = Works(engine, image, tmp_path)
    yield found
    found.close()
