"""A Prefect server, its Docker workers and its command, from packages in an environment of their own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.process import Failed, run
from benchmarks.sets import uv_program

VERSION = "3.8.8"
# A fresh server of this version does not start with the newest fastapi.
FASTAPI = "fastapi==0.139.*"
# Seconds. Nothing of this takes so long but what will never come.
_LONGEST = 300
_REPOSITORY = Path(__file__).parents[1]


class PrefectServer:
    """Started at once, in ``directory``; ``env`` are the variables of those who use it."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._programs = directory / "environment" / "bin"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}  # by the names of pools, and "server"
        python = str(self._programs / "python")
        base = dict(environment)
        run([uv_program(), "venv", "--quiet", "--python", sys.executable, str(self._programs.parent)], env=base)
        wanted = [f"prefect=={VERSION}", "prefect-docker", FASTAPI, "--editable", f"{_REPOSITORY}[prefect]"]
        # As other installers do it: without bytecode, each start would compile.
        how = ["--quiet", "--compile-bytecode", "--python", python]
        run([uv_program(), "pip", "install", *how, *wanted], env=base)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = int(found.getsockname()[1])
        self.api = f"http://127.0.0.1:{self._port}/api"
        home = directory / "home"
        home.mkdir()
        self.env = {**base, "HOME": str(home), "PREFECT_API_URL": self.api, "DO_NOT_TRACK": "1"}
        # Bytecode of what it installed is there; what it writes by itself, it may.
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)
        words = ["server", "start", "--host", "127.0.0.1", "--port", str(self._port), "--no-ui", "--analytics-off"]
        self._start("server", words, self.env, directory / "server.log")
        try:
            self._until(self._answers)
        except BaseException:
            self.close()
            raise

    def command(self, *words: str) -> list[str]:
        """``prefect WORDS``."""
        return [str(self._programs / "prefect"), *words]

    def python(self, *words: str) -> list[str]:
        """``python WORDS``, which has Prefect and imagekit."""
        return [str(self._programs / "python"), *words]

    def worker(self, pool: str, engine: str, **variables: str) -> Path:
        """Make a Docker pool, and start a worker of it; the log to which it streams what flows write."""
        run(self.command("work-pool", "create", "--type", "docker", pool), env=self.env)
        log = self.directory / f"{pool}.log"
        words = ["worker", "start", "--pool", pool, "--name", pool, "--install-policy", "never"]
        self._start(pool, words, {**self.env, "DOCKER_HOST": engine, **variables}, log)
        path = f"/work_pools/{pool}/workers/filter"
        self._until(lambda: any(each["name"] == pool for each in self._call(path, {})))
        return log

    @contextmanager
    def stopped(self, pool: str) -> Iterator[None]:
        """The worker of ``pool`` stands still meanwhile."""
        os.killpg(self._processes[pool].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._processes[pool].pid, signal.SIGCONT)

    def until_line(self, line: str, command: list[str], log: Path) -> float:
        """Seconds from before ``command`` is started until ``line`` comes to the end of ``log``."""
        at, wanted = log.stat().st_size, line.encode()
        began = time.perf_counter()
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(log, "rb") as file:
            file.seek(at)
            seen = b""
            while wanted not in seen:
                self._check()
                if process.poll() not in (None, 0):
                    raise Failed(f"{' '.join(command)} ended with {process.returncode}")
                if time.perf_counter() - began > _LONGEST:
                    raise Failed(f"{' '.join(command)}: no {line!r} in {log} after {_LONGEST} s")
                seen += file.read()
                time.sleep(0.005)
        seconds = time.perf_counter() - began
        if process.wait() != 0:
            raise Failed(f"{' '.join(command)} ended with {process.returncode}")
        return seconds

    def idle(self) -> None:
        """Wait until no run is under way, so that the next one has the machine for itself."""
        states = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING", "CANCELLING"]}}}}
        self._until(lambda: self._call("/flow_runs/count", states) == 0)

    def close(self) -> None:
        for process in reversed(self._processes.values()):
            # Its session is its own: what it started goes with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str, words: list[str], env: Mapping[str, str], log: Path) -> None:
        with open(log, "ab") as out:
            self._processes[name] = subprocess.Popen(
                self.command(*words),
                env=dict(env),
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _until(self, found: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not found():
            self._check()
            if time.monotonic() - began > _LONGEST:
                raise Failed(f"Prefect's server was waited for in vain: see {self.directory}")
            time.sleep(0.1)

    def _check(self) -> None:
        for process in self._processes.values():
            if process.poll() is not None:
                raise Failed(f"{process.args!r} ended with {process.returncode}: see {self.directory}")

    def _answers(self) -> bool:
        with suppress(OSError):
            return self._call("/health") is True
        return False

    def _call(self, path: str, body: object = None) -> Any:
        """An answer of the API."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("GET" if body is None else "POST", f"/api{path}", json.dumps(body), headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
