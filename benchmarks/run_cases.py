"""What a run costs beyond the container that it is in."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.case import OURS, Case, Rounds, Row, Side
from benchmarks.process import Failed
from benchmarks.surroundings import Surroundings

_DOCKER_RUN = "docker run"


def run_cases(at: Surroundings) -> Iterator[Case]:
    """A run of an empty flow beside ``docker run`` of the same image."""
    project, cache, image = (
        at.directory / "empty-flow",
        at.directory / "empty-flow-cache",
        "imagekit-bench/empty-flow:1",
    )
    program = "print('completed')"

    def prepare() -> None:
        project.mkdir()
        (project / "flow.py").write_text("def nothing():\n    return None\n")
        (project / "requirements.txt").write_text("")
        at.timed(at.imagekit.build(project, image, at.base), at.ours_env("classic", cache))

    def ours(_: int) -> dict[str, float]:
        command = at.imagekit.run("flow.py:nothing", image)
        done = at.timed(command, at.ours_env("classic", cache), cwd=project)
        if (state := json.loads(done.stdout)["state"]) != "completed":
            raise Failed(f"the flow is {state}")
        return {"run": done.seconds}

    def peer(_: int) -> dict[str, float]:
        command = ["docker", "run", "--rm", image, "python", "-c", program]
        return {"run": at.timed(command, at.engine("classic").env).seconds}

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
            )
        ],
        sides=[Side(name=OURS, measure=ours), Side(name=_DOCKER_RUN, measure=peer)],
        rounds=Rounds(quick=5, full=15),
        prepare=prepare,
        warm_up=1,
    )
