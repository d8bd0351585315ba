"""What a run costs beyond the container that it is in, and what many of them leave behind."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from benchmarks.case import OURS, Case, Rounds, Row, Side
from benchmarks.process import Failed, run
from benchmarks.surroundings import Surroundings

_DOCKER_RUN, _COMMAND = "docker run", "imagekit run"
_RUNS, _AT_ONCE = 50, 4
# What grows by chance grows in one of these, and what leaks in each.
_BLOCKS = 3


def run_cases(at: Surroundings) -> Iterator[Case]:
    """A run of an empty flow beside ``docker run`` of the same image; many of them, and what they leave."""
    runs = _Runs(at)
    yield Case(
        name="run-empty-flow",
        title="run an empty flow",
        rows=[
            Row(
                name="run/empty-flow",
                title="run() of an empty flow, by docker run",
                ours=("run",),
                theirs=("run",),
                peer=_DOCKER_RUN,
                must=1.25,
                aim=1.1,
            ),
            Row(
                name="run/command",
                title="imagekit run of an empty flow, by docker run",
                ours=("run",),
                theirs=("run",),
                side=_COMMAND,
                peer=_DOCKER_RUN,
            ),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: {"run": runs.by_library(1, 1)["seconds"]}),
            Side(name=_DOCKER_RUN, measure=lambda _: {"run": at.timed(runs.docker, runs.docker_env).seconds}),
            Side(name=_COMMAND, measure=lambda _: {"run": runs.by_command()}),
        ],
        rounds=Rounds(quick=9, full=15),
        prepare=runs.prepare,
        warm_up=1,
    )
    yield Case(
        name="run-many",
        title=f"{_RUNS} runs of an empty flow, {_AT_ONCE} at once",
        rows=[
            Row(
                name="run/many",
                title=f"{_RUNS} runs, {_AT_ONCE} at once, by docker run",
                ours=("runs",),
                theirs=("runs",),
                peer=_DOCKER_RUN,
            ),
            _left("containers", "n"),
            _left("descriptors", "n"),
            _left("threads", "n"),
            _left("memory", "B"),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: runs.many()),
            Side(name=_DOCKER_RUN, measure=lambda _: {"runs": runs.many_by_docker()}),
        ],
        rounds=Rounds(quick=1, full=1),
        prepare=runs.prepare,
        close=runs.close,
    )


def _left(what: str, unit: str) -> Row:
    return Row(
        name=f"run/many-{what}",
        title=f"{what} left by {_RUNS} runs, {_AT_ONCE} at once",
        ours=(what,),
        peer=None,
        must=0,
        unit=unit,  # type: ignore[arg-type]
    )


class _Runs:
    """Both sides' runs of one flow. Ours are of one process that stays, and of a process for each."""

    def __init__(self, at: Surroundings) -> None:
        self._at = at
        self._project = at.work / "empty-flow"
        self._cache = at.work / "empty-flow-cache"
        self._image = "imagekit-bench/empty-flow:1"
        self._process: subprocess.Popen[str] | None = None
        self.docker = ["docker", "run", "--rm", self._image, "python", "-c", "pass"]

    @property
    def docker_env(self) -> dict[str, str]:
        return self._at.engine("classic").env

    @property
    def _env(self) -> dict[str, str]:
        # A record of runs of their own, which is empty at first.
        return {**self._at.ours_env("classic", self._cache), "XDG_STATE_HOME": str(self._cache / "state")}

    def prepare(self) -> None:
        if self._project.exists():
            return
        self._project.mkdir()
        (self._project / "flow.py").write_text("def nothing():\n    return None\n")
        (self._project / "requirements.txt").write_text("")
        self._at.timed(self._at.imagekit.build(self._project, self._image, self._at.base), self._env)

    def by_command(self) -> float:
        # Its exit code is 0 for a completed run alone.
        command = self._at.imagekit.run("flow.py:nothing", self._image)
        return self._at.timed(command, self._env, cwd=self._project).seconds

    def close(self) -> None:
        """End the process that runs were measured in."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def by_library(self, count: int, at_once: int) -> dict[str, float]:
        """``seconds`` of so many runs; then ``descriptors``, ``threads`` and ``resident`` bytes of their process."""
        if self._process is None:
            command = self._at.imagekit.library(
                Path(__file__).with_name("many_runs.py"), self._image, "flow.py:nothing"
            )
            self._process = subprocess.Popen(
                command,
                # glibc keeps a heap for each of many threads, whose sizes settle after hundreds of runs only.
                env={**self._at.environment, **self._env, "MALLOC_ARENA_MAX": "1"},
                cwd=self._project,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(count, at_once, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{' '.join(self._process.args)} ended with {self._process.wait()}")  # type: ignore[arg-type]
        found: dict[str, float] = json.loads(line)
        return found

    def many(self) -> dict[str, float]:
        # The first of them import, connect and fill what is kept: none of that comes again.
        states = [self.by_library(_RUNS, _AT_ONCE) for _ in range(_BLOCKS + 1)]
        grown = {
            name: max(0.0, min(later[name] - earlier[name] for earlier, later in pairwise(states)))
            for name in ("descriptors", "threads", "resident")
        }
        containers = self._at.docker("classic", "ps", "--all", "--quiet").split()
        return {
            "runs": statistics.median(state["seconds"] for state in states[1:]),
            "containers": float(len(containers)),
            "descriptors": grown["descriptors"],
            "threads": grown["threads"],
            "memory": grown["resident"],
        }

    def many_by_docker(self) -> float:
        """As many blocks of as many; of the same of them the median."""
        env = {**self._at.environment, **self.docker_env}
        seconds = []
        for _ in range(_BLOCKS + 1):
            began = time.perf_counter()
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(lambda _: run(self.docker, env=env), range(_RUNS)))
            seconds.append(time.perf_counter() - began)
        return statistics.median(seconds[1:])
