"""Many runs that wait, carried out by one worker: that none is lost or doubled, what is left, and how quick it is.

    .venv/bin/python -m benchmarks.queued [--runs 1000] [--at-once 4] [--base-image IMAGE]

All are submitted before the worker starts, each with a number that its flow gives back. What is counted: the ends in
the store, the starts of containers by the engine's events, what is left of both, and the worker's memory, descriptors
and threads as they were after a tenth of the runs and at the end. Beside it, the same number of ``docker run`` of a
Python that does nothing, as many at once. It ends with 1 where something is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.at_hand import AtHand
from benchmarks.ours import Imagekit
from imagekit.deploying.pool import new_pool
from imagekit.deploying.submit import run_deployment
from imagekit.engine.client import Engine
from imagekit.engine.containers import labelled
from imagekit.store.deployments import Deployments
from imagekit.store.pools import Pools
from imagekit.store.store import Store
from imagekit.store.work_values import Deployment

_FLOW = "def nothing(n):\n    return n\n"
_PAGE = os.sysconf("SC_PAGE_SIZE")
# What a run may leave in the store, and what the worker may have grown by after its first tenth.
MOST_BYTES, MOST_GROWTH = 10_000, 20 << 20


class Starts:
    """Counts, by the engine's events, how often containers of each run were started."""

    def __init__(self, engine: Engine) -> None:
        self.counts: Counter[str] = Counter()
        filters = {"type": "container", "label": "imagekit.run", "event": "start"}
        self._events = engine.api.events(filters=filters, decode=True)
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        for event in self._events:
            self.counts[event["Actor"]["Attributes"]["imagekit.run"]] += 1


def state_of(pid: int) -> dict[str, int]:
    """Resident bytes, descriptors and threads of a process."""
    place = Path(f"/proc/{pid}")
    return {
        "resident": int((place / "statm").read_text().split()[1]) * _PAGE,
        "descriptors": len(os.listdir(place / "fd")),
        "threads": len(os.listdir(place / "task")),
    }


def make_image(base: str, directory: Path) -> str:
    """An image with the flow; the name goes with ``docker image rm``."""
    (directory / "flow.py").write_text(_FLOW)
    (directory / "Dockerfile").write_text(f"FROM {base}\nCOPY flow.py /app/flow.py\nWORKDIR /app\n")
    name = f"imagekit-bench/queued:{os.getpid()}"
    subprocess.run(["docker", "build", "--quiet", "--tag", name, "--", str(directory)], check=True, capture_output=True)
    return name


def by_worker(store: Store, image: str, runs: int, at_once: int, environ: dict[str, str]) -> tuple[float, list[str]]:
    """Seconds until the last of ``runs`` has ended, and what is wrong."""
    Pools(store.file).put(new_pool("queued"))
    Deployments(store.file).put(
        Deployment(name="nothing/queued", pool="queued", entrypoint="flow.py:nothing", image=image, pinned=image)
    )
    began = time.perf_counter()
    wanted = {run_deployment(store, "nothing/queued", parameters={"n": n}).id: n for n in range(runs)}
    print(f"submitted {runs} runs in {time.perf_counter() - began:.1f} s")
    engine = Engine.connect(os.environ.get("DOCKER_HOST"))
    starts, tenth = Starts(engine), None
    argv = [sys.executable, "-m", "imagekit", "worker", "start", "--pool", "queued", "--limit", str(at_once)]
    began = time.perf_counter()
    with subprocess.Popen([*argv, "--run-once"], env=environ, stdout=subprocess.DEVNULL) as worker:
        now = then = state_of(worker.pid)
        while worker.poll() is None:
            time.sleep(0.1)
            try:
                seen = state_of(worker.pid)
            except (FileNotFoundError, ProcessLookupError):
                break
            # One that has just ended has no memory any more.
            now = seen if seen["resident"] else now
            if tenth is None and len(starts.counts) >= runs / 10:
                tenth = then = now
    seconds = time.perf_counter() - began
    problems = [] if worker.returncode == 0 else [f"the worker ended with {worker.returncode}"]
    found = {run.id: run for run in store.runs()}
    ends = Counter((run.state, run.attempt) for run in found.values())
    if ends != {("completed", 1): runs} or set(found) != set(wanted):
        problems.append(f"of {runs} runs: {dict(ends)}")
    if any(run.end is None or run.end.result != wanted.get(run.id) for run in found.values()):
        problems.append("a run has another one's result, or none")
    doubled = [run_id for run_id in wanted if starts.counts[run_id] != 1]
    if doubled:
        problems.append(f"{len(doubled)} runs were not started once")
    left = [run_id for run_id in wanted if labelled(engine, f"imagekit.run={run_id}")]
    if left:
        problems.append(f"{len(left)} runs left a container")
    store.verify()
    size = sum(path.stat().st_size for path in store.directory.rglob("*") if path.is_file())
    if size / runs > MOST_BYTES:
        problems.append(f"the store has {size / runs:.0f} bytes a run")
    grown = {name: now[name] - then[name] for name in now}
    if grown["resident"] > MOST_GROWTH or grown["descriptors"] > at_once * 4 or grown["threads"] > at_once * 4:
        problems.append(f"the worker has grown by {json.dumps(grown)}")
    print(f"store: {size / runs:.0f} bytes a run; worker: {now['resident'] / 1e6:.0f} MB, since a tenth {grown}")
    return seconds, problems


def by_docker(image: str, runs: int, at_once: int) -> float:
    """The same number of containers by the engine's own command, which do nothing."""

    def one(_: int) -> None:
        argv = ["docker", "run", "--rm", image, "python", "-c", "pass"]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(runs)))
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--base-image", metavar="REF", help="instead of the one that make setup left")
    given = parser.parse_args()
    base = given.base_image or AtHand(os.environ, Imagekit()).base()
    with tempfile.TemporaryDirectory(prefix="ik-queued-") as name:
        directory = Path(name)
        (directory / "context").mkdir()
        image = make_image(base, directory / "context")
        try:
            environ = {**os.environ, "XDG_STATE_HOME": str(directory / "state")}
            with Store.open(directory / "state" / "imagekit") as store:
                seconds, problems = by_worker(store, image, given.runs, given.at_once, environ)
            alone = by_docker(image, given.runs, given.at_once)
        finally:
            subprocess.run(["docker", "image", "rm", "--force", image], check=False, capture_output=True)
    rates = given.runs / seconds, given.runs / alone
    print(f"worker: {seconds:.1f} s, {rates[0]:.2f} runs/s; docker run: {alone:.1f} s, {rates[1]:.2f}/s")
    print(f"the worker's rate by the engine's own: {rates[0] / rates[1]:.2f}; {given.at_once} at once")
    for problem in problems:
        print(f"wrong: {problem}", file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
