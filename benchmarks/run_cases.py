"""What a run costs beyond the container that it is in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.case import OURS, Case, Rounds, Row, Side
from benchmarks.process import Failed, run
from benchmarks.surroundings import Surroundings

_DOCKER_RUN = "docker run"


_RUNS, _AT_ONCE = 50, 4


def run_cases(at: Surroundings) -> Iterator[Case]:
    """A run of an empty flow beside ``docker run`` of the same image; many of them, and what they leave."""
    project, cache, image = (
        at.directory / "empty-flow",
        at.directory / "empty-flow-cache",
        "imagekit-bench/empty-flow:1",
    )
    program = "pass"

    def prepare() -> None:
        project.mkdir()
        (project / "flow.py").write_text("def nothing():\n    return None\n")
        (project / "requirements.txt").write_text("")
        at.timed(at.imagekit.build(project, image, at.base), at.ours_env("classic", cache))

    def ours(_: int) -> dict[str, float]:
        command = at.imagekit.run("flow.py:nothing", image)
        # Its exit code is 0 for a completed run alone.
        return {"run": at.timed(command, at.ours_env("classic", cache), cwd=project).seconds}

    def peer(_: int) -> dict[str, float]:
        command = ["docker", "run", "--rm", image, "python", "-c", program]
        return {"run": at.timed(command, at.engine("classic").env).seconds}

    def many(command: list[str], env: dict[str, str]) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda _: run(command, env={**at.environment, **env}, cwd=project), range(_RUNS)))
        return time.perf_counter() - began

    def many_ours(_: int) -> dict[str, float]:
        return {"runs": many(at.imagekit.run("flow.py:nothing", image), at.ours_env("classic", cache))}

    def many_peers(_: int) -> dict[str, float]:
        command = ["docker", "run", "--rm", image, "python", "-c", program]
        return {"runs": many(command, at.engine("classic").env)}

    def nothing_left(_: int) -> None:
        if left := at.docker("classic", "ps", "--all", "--quiet"):
            raise Failed(f"{_RUNS} runs left containers: {left.split()}")

    yield Case(
        name="run-empty-flow",
        title="run an empty flow",
        rows=[
            Row(
                name="run/empty-flow",
                title="run of an empty flow, by docker run",
                ours=("run",),
                theirs=("run",),
                peer=_DOCKER_RUN,
                must=1.25,
                aim=1.1,
            )
        ],
        sides=[Side(name=OURS, measure=ours), Side(name=_DOCKER_RUN, measure=peer)],
        rounds=Rounds(quick=9, full=15),
        prepare=prepare,
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
            )
        ],
        sides=[Side(name=OURS, measure=many_ours), Side(name=_DOCKER_RUN, measure=many_peers)],
        rounds=Rounds(quick=1, full=5),
        prepare=lambda: prepare() if not project.exists() else None,
        check=nothing_left,
    )
