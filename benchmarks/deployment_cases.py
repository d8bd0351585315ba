"""From asking for a run of a deployment to the first line of its flow: an idle worker beside a Prefect server's.

The same file in the same image on the same engine: its import of Prefect is in everybody's time, and the line is seen
where a person would see it, in the terminal of ``--watch``, or of Prefect's worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

from benchmarks.case import OURS, Case, Rounds, Row, Side
from benchmarks.engines import Store
from benchmarks.prefect_server import FASTAPI, VERSION, PrefectServer
from benchmarks.process import Failed, run, until_line
from benchmarks.surroundings import Surroundings

FIRST_LINE = "the flow has begun"
PREFECT, QUICK = "Prefect, polls each 10 s", "Prefect, polls each 0.1 s"
# Below that a worker's polls take the processors from what they wait for.
_SMALLEST = "0.1"
_STORE: Store = "classic"
_IMAGE = "imagekit-bench/deployment:1"
_FLOW = f"""
from prefect import flow


def work():
    print({FIRST_LINE!r}, flush=True)


on_prefect = flow(work, name="work")
"""
# Run where Prefect is installed; the image is there already.
_DEPLOY = f"""
from imagekit import DeploymentSpec, deploy
from flow import on_prefect, work

image = dict(image={_IMAGE!r}, build=False, push=False)
for pool in ("default", "quick"):
    on_prefect.deploy(pool, work_pool_name=pool, job_variables={{"image_pull_policy": "Never"}}, **image)
deploy(DeploymentSpec(name="own", flow=work), work_pool_name="bench", **image)
"""


def deployment_cases(at: Surroundings) -> Iterator[Case]:
    """An embedded deployment, a Prefect server's, and ``imagekit run`` of the same image."""
    runs = _Deployments(at)

    def row(name: str, title: str, measure: str, **more: float) -> Row:
        return Row(name=name, title=title, ours=(measure,), peer=None, **more)

    yield Case(
        name="deployment",
        title="first line of a flow that imports Prefect, by a deployment's run",
        rows=[
            Row(
                name="deployment/first-line",
                title="deployment run until the first line, by Prefect's",
                ours=("first line",),
                theirs=("first line",),
                peer=PREFECT,
                must=1 / 7,
                aim=1 / 12,
            ),
            Row(
                name="deployment/first-line-quick",
                title="the same by Prefect's, whose worker polls each 0.1 s",
                ours=("first line",),
                theirs=("first line",),
                peer=QUICK,
            ),
            row("deployment/beyond-run", "what it takes beyond imagekit run", "beyond run", must=0.3),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: runs.ours()),
            Side(name=PREFECT, measure=lambda _: runs.theirs("default")),
            Side(name=QUICK, measure=lambda _: runs.theirs("quick")),
        ],
        rounds=Rounds(quick=0, full=7),
        prepare=runs.prepare,
        close=runs.ends.close,
        warm_up=1,
    )


class _Deployments:
    def __init__(self, at: Surroundings) -> None:
        self.at = at
        self.directory = at.work / "deployment"
        self.project = self.directory / "project"
        self.logs: dict[str, Path] = {}
        self.ends = ExitStack()

    @property
    def env(self) -> dict[str, str]:
        found = self.at.ours_env(_STORE, self.directory / "cache")
        return {**self.at.environment, **found, "XDG_STATE_HOME": str(self.directory / "state")}

    def prepare(self) -> None:
        self.project.mkdir(parents=True)
        (self.project / "flow.py").write_text(_FLOW)
        (self.project / "requirements.txt").write_text(f"prefect=={VERSION}\n{FASTAPI}\n")
        (self.directory / "deploy.py").write_text(_DEPLOY)
        run(self.at.imagekit.build(self.project, _IMAGE, self.at.base), env=self.env)
        engine = self.at.engine(_STORE).address
        self.server = PrefectServer(self.directory / "prefect", self.at.environment)
        self.ends.callback(self.server.close)
        self.logs["default"] = self.server.worker("default", engine)
        self.logs["quick"] = self.server.worker("quick", engine, PREFECT_WORKER_QUERY_SECONDS=_SMALLEST)
        run(self.at.imagekit.make_pool("bench"), env=self.env)
        self._start_worker()
        both = {**self.env, **self.server.env}
        run(self.server.python(str(self.directory / "deploy.py")), env={**both, "PYTHONPATH": "."}, cwd=self.project)

    def ours(self) -> dict[str, float]:
        self.server.idle()
        with self.server.stopped("quick"):
            os.sync()
            words = self.at.imagekit.run_deployment("work/own")
            asked = until_line(FIRST_LINE, words, env=self.env, cwd=self.project).first_line
            words = self.at.imagekit.run("flow.py:work", _IMAGE)
            at_once = until_line(FIRST_LINE, words, env=self.env, cwd=self.project).first_line
        return {"first line": asked, "imagekit run": at_once, "beyond run": asked - at_once}

    def theirs(self, pool: str) -> dict[str, float]:
        self.server.idle()
        # The one that polls ten times a second takes no time from the other; that one's next poll is left where it is.
        with self.server.stopped("quick") if pool != "quick" else nullcontext():
            os.sync()
            command = self.server.command("deployment", "run", f"work/{pool}")
            return {"first line": self.server.until_line(FIRST_LINE, command, self.logs[pool])}

    def _start_worker(self) -> None:
        with open(self.directory / "worker.log", "ab") as log:
            process = subprocess.Popen(
                self.at.imagekit.worker("bench"), env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            if process.wait() not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
                raise Failed(f"the worker ended with {process.returncode}")

        self.ends.callback(end)
