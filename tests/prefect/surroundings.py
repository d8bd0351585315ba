"""Prefect from packages, in an environment of its own: its server, its Docker workers, and people who deploy to it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uv

from imagekit.engine.client import Engine

from ..e2e.conftest import clean_environment
from ..own_registry import free_port

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[2]
PREFECT = "3.8.8"
# A fresh server of this version does not start with the newest fastapi.
REQUIREMENTS = (f"prefect=={PREFECT}", "prefect-docker>=0.7", "fastapi==0.139.*")
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def environment() -> Path:
    """The ``bin`` of an environment with Prefect, its Docker worker and this checkout; made once, and kept.

    It lies in the environment that the tests run in, goes with that, and is made anew where its requirements change.
    """
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    ours = [*project["dependencies"], *project["optional-dependencies"]["prefect"]]
    key = hashlib.sha256("\n".join([*REQUIREMENTS, *ours, sys.version, str(REPOSITORY)]).encode()).hexdigest()[:16]
    above = Path(sys.prefix) / "for-tests"
    above.mkdir(exist_ok=True)
    place = above / f"prefect-{key}"
    with open(above / "prefect.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            for old in above.glob("prefect-*"):
                shutil.rmtree(old)
            program = uv.find_uv_bin()
            _done([program, "venv", "--quiet", "--python", sys.executable, str(place)])
            wanted = [*REQUIREMENTS, "--editable", f"{REPOSITORY}[prefect]"]
            # Without bytecode a start of Prefect takes three times as long.
            how = ["--quiet", "--compile-bytecode", "--python", str(place / "bin" / "python")]
            _done([program, "pip", "install", *how, *wanted])
            (place / "ready").touch()
    return place / "bin"


class Server:
    """A Prefect server, started at once; ``api`` is its address, on this machine's loopback interface."""

    def __init__(self, programs: Path, directory: Path) -> None:
        directory.mkdir()
        self.programs, self.directory = programs, directory
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.log = directory / "log"
        words = ["server", "start", "--host", "127.0.0.1", "--port", str(self.port), "--no-ui", "--analytics-off"]
        self._process = _start([str(programs / "prefect"), *words], self.environment(), self.log)
        while True:
            with contextlib.suppress(OSError):
                if self.call("/health") is True:
                    return
            assert self._process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def environment(self) -> dict[str, str]:
        """Of its programs: a home of their own, and nothing of this machine's Prefect. It reaches no container."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        return {**clean_environment(), "HOME": str(home), "DO_NOT_TRACK": "1"}

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """An answer of the API, ``None`` where it has no body; ``AssertionError`` with its words where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.api}{path}",
            data=data,
            headers={"Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code}: {error.read().decode()}") from error

    def prefect(self, *words: str, **variables: str) -> str:
        """What ``prefect …`` prints."""
        env = {**self.environment(), "PREFECT_API_URL": self.api, **variables}
        return _done([str(self.programs / "prefect"), *words], env)

    def make_pool(self, name: str) -> None:
        self.prefect("work-pool", "create", "--type", "docker", name)

    def deployment(self, name: str) -> Any:
        """The deployment ``FLOW/NAME``."""
        return self.call(f"/deployments/name/{name}")

    def ask(self, name: str, *, parameters: Mapping[str, Any] | None = None, **job_variables: Any) -> str:
        """A run of the deployment ``FLOW/NAME`` is wanted now; its ID."""
        body = {"parameters": dict(parameters or {}), "job_variables": job_variables}
        return str(self.call(f"/deployments/{self.deployment(name)['id']}/create_flow_run", body)["id"])

    def ended(self, run: str, *workers: Worker) -> Any:
        """The flow run when it has ended, and its container; one of ``workers`` is to have it."""
        while (found := self.call(f"/flow_runs/{run}"))["state_type"] not in ENDED:
            for worker in workers:
                worker.check()
            time.sleep(0.2)
        for worker in workers:
            worker.wait(run)
        return found

    def messages(self, run: str) -> list[str]:
        """The lines of a run's log: its last ones are sent when its container ends."""
        body = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        return [each["message"] for each in self.call("/logs/filter", body)]

    def close(self) -> None:
        _end(self._process)


class Worker:
    """A Docker worker of a pool, started at once, on the engine at ``address``.

    ``before``: words that its command stands behind. Pools are asked each second, and not each tenth.
    """

    def __init__(
        self, server: Server, pool: str, name: str, address: str, *, before: Sequence[str] = (), **variables: str
    ) -> None:
        self.name, self.address = name, address
        self.log = server.directory / f"worker-{name}.log"
        words = ["worker", "start", "--pool", pool, "--name", name, "--type", "docker", "--install-policy", "never"]
        env = {
            **server.environment(),
            "PREFECT_API_URL": server.api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DOCKER_HOST": address,
            **variables,
        }
        self._process = _start([*before, str(server.programs / "prefect"), *words], env, self.log)

    def check(self) -> None:
        assert self._process.poll() is None, self.log.read_text()

    def wait(self, run: str) -> None:
        """Until the container of a flow run has ended, if it has one here."""
        with Engine.connect(self.address) as engine:
            for found in engine.api.containers(all=True, filters={"label": f"io.prefect.flow-run-id={run}"}):
                engine.api.wait(found["Id"])

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        _end(self._process)


def deployed(server: Server, project: Path, *words: str, **variables: str) -> str:
    """What ``python deploy.py``, or ``python …``, of a project prints, by somebody who uses ``server``."""
    env = {**clean_environment(), "PREFECT_HOME": str(server.directory / "prefect"), "PREFECT_API_URL": server.api}
    done = [str(server.programs / "python"), *(words or ("deploy.py",))]
    return _done(done, {**env, "DO_NOT_TRACK": "1", **variables}, project)


def _start(words: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab") as out:
        return subprocess.Popen(
            words, env=dict(env), stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its session is its own: what it started goes with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _done(words: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
