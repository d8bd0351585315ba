"""An image with flows, a store with a pool and deployments of them, and workers as processes of their own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
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
def wait(seconds: float = 600, name: str = ""):
    print("waiting", name)
    end = time.time() + seconds
    while time.time() < end and not os.path.exists("/dev/shm/over"):
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

def eats():
    held = []
    while True:
        held.append(bytearray(8 << 20))

@flow
def eat():
    eats()

@flow
def child_eats():
    if not (child := os.fork()):
        eats()
    os.waitpid(child, 0)
    raise RuntimeError("the child is gone")

tried = []

@flow(log_prints=True)
def tries():
    tried.append(1)
    if len(tried) < 3:
        raise RuntimeError("not yet")
    return len(tried)

def plainly():
    return tries.fn()

@flow
def count(times: int = 30, pause: float = 0.1):
    for n in range(times):
        print(n, "waiting", flush=True)
        time.sleep(pause)
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


# All that a store's directory may hold.
KEPT = {"store.sqlite", "store.sqlite-journal", "logs", "results"}


class Works:
    """A store with the pool ``docker``, and workers of it."""

    def __init__(self, engine: Engine, image: str, directory: Path) -> None:
        self.engine = engine
        self.store = Store.open(directory / "state" / "imagekit")
        self.directory = directory
        self.environ = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST", "LANG") if name in os.environ}
        self.environ |= {"HOME": str(directory), "XDG_STATE_HOME": str(directory / "state")}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.most_alive: dict[str, int] = {}
        threading.Thread(target=self._watch, daemon=True).start()
        Pools(self.store.file).put(new_pool("docker"))
        pinned = engine.image(image)
        assert pinned is not None
        for name in ("add", "wait", "deaf", "eat", "child_eats", "count"):
            self.deploy(name, image=image, pinned=pinned.id)

    def deploy(self, name: str, **fields: Any) -> Deployment:
        wanted = Deployment(**{"name": f"{name}/test", "pool": "docker", "entrypoint": f"flow.py:{name}", **fields})
        return Deployments(self.store.file).put(wanted)[0]

    def submit(self, name: str, variables: dict[str, Any] | None = None, **parameters: Any) -> str:
        return run_deployment(self.store, f"{name}/test", parameters=parameters, job_variables=variables).id

    def worker(self, *options: str, module: tuple[str, ...] = ("imagekit",), **env: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", *module, "worker", "start", "--pool", "docker", *options]
        environ = {**self.environ, **env}
        with (self.directory / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(argv, env=environ, cwd=self.directory, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def freeze(self, worker: subprocess.Popen[bytes]) -> None:
        """It stands still, and holds no lock of the store meanwhile: whoever writes next would wait for it in vain."""
        other = sqlite3.connect(self.store.path, isolation_level=None, timeout=60)
        other.execute("BEGIN EXCLUSIVE")
        worker.send_signal(signal.SIGSTOP)
        os.waitpid(worker.pid, os.WUNTRACED)
        other.execute("ROLLBACK")
        other.close()

    def imagekit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "imagekit", *arguments]
        return subprocess.run(argv, env=self.environ, cwd=self.directory, capture_output=True, text=True, check=False)

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

    def let_end(self, run_id: str) -> None:
        """The flow ``wait`` of that run returns."""
        (container,) = self.containers(run_id)
        made = self.engine.api.exec_create(container["Id"], ["touch", "/dev/shm/over"])
        self.engine.api.exec_start(made["Id"])

    def log(self, run_id: str) -> bytes:
        return b"".join(piece.data for piece in self.store.log(run_id))

    def containers(self, run_id: str) -> list[Any]:
        return labelled(self.engine, f"imagekit.run={run_id}")

    def run_out(self) -> None:
        """The claims that are held, as if nobody had renewed them for half a minute."""
        with self.store.file.writing() as connection:
            connection.execute("UPDATE flow_run SET lease = 1.0 WHERE ended IS NULL AND lease IS NOT NULL")

    def check(self, *wanted: tuple[str, str, str | None]) -> None:
        """The invariants: I1 for the runs ``wanted`` (ID, state, cause) to come to, I2, I4; and I5 by one more run."""
        again = self.submit("add", a=1)
        if all(worker.poll() is not None for worker in self.workers):
            assert self.worker("--run-once").wait() == 0
        for run_id, state, cause in (*wanted, (again, "completed", None)):
            end = self.ended(run_id).end
            assert end is not None
            assert (end.state, end.cause) == (state, cause), end.error
        runs = self.store.runs()
        for run in runs:
            assert run.end is not None, run
            assert run.state == "completed" or run.end.cause or run.end.error
            self.until(lambda run_id=run.id: not self.containers(run_id))  # type: ignore[misc]
        # The engine has runs of other tests as well.
        most = {run.id: self.most_alive.get(run.id, 1) for run in runs}
        assert set(most.values()) == {1}, most
        assert {path.name for path in self.store.directory.iterdir()} <= KEPT
        self.store.verify()

    def _watch(self) -> None:
        """How many containers of a run are alive at a time, by the engine's events."""
        alive: defaultdict[str, set[str]] = defaultdict(set)
        filters = {"type": "container", "label": "imagekit.run", "event": ["start", "die"]}
        with suppress(Exception):  # the engine of a test may end
            for event in Engine.connect(self.engine.address).api.events(filters=filters, decode=True):
                run_id = event["Actor"]["Attributes"]["imagekit.run"]
                # One that dies was alive, also where its start came before this thread listened.
                alive[run_id].add(event["Actor"]["ID"])
                self.most_alive[run_id] = max(len(alive[run_id]), self.most_alive.get(run_id, 0))
                if event["Action"] == "die":
                    alive[run_id].discard(event["Actor"]["ID"])

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
