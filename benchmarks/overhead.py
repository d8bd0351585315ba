"""What imagekit itself costs: a run of an empty flow, and a build in which nothing changed.

    .venv/bin/python benchmarks/overhead.py [--rounds 9] [--json]

Each case is measured beside its peer, A B A B …, whole processes from start to end; medians
and spreads are printed, and all of it as JSON with --json. A case that does not do what it
should has no time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

IMAGEKIT = [sys.executable, "-m", "imagekit"]


def timed(command: list[str], cwd: Path, expected: str) -> float:
    """Seconds that ``command`` takes; ``expected`` must be in what it prints."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode != 0 or expected not in done.stdout:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds


def side_by_side(rounds: int, ours: Callable[[], float], peer: Callable[[], float]) -> dict[str, list[float]]:
    """``rounds`` pairs, one after the other, after one of each that does not count."""
    ours(), peer()
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        times["ours"].append(ours())
        times["peer"].append(peer())
    return times


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    with tempfile.TemporaryDirectory(prefix="imagekit-bench-") as directory:
        project = Path(directory)
        (project / "flow.py").write_text("def nothing():\n    return None\n")
        (project / "requirements.txt").write_text("idna==3.10\n")
        reference = "imagekit-bench/overhead:1"
        timed([*IMAGEKIT, "build", "-q", "-t", reference], project, reference)
        (project / "Dockerfile").write_text(f"FROM {reference}\nCOPY flow.py /srv/flow.py\nRUN python -c pass\n")
        docker_build = ["docker", "build", "--quiet", "--tag", "imagekit-bench/peer:1", "."]
        try:
            return {
                "run an empty flow / docker run python -c pass": side_by_side(
                    rounds,
                    lambda: timed(
                        [*IMAGEKIT, "run", "flow.py:nothing", "--image", reference, "--json"], project, "completed"
                    ),
                    lambda: timed(["docker", "run", "--rm", reference, "python", "-c", "print(1)"], project, "1"),
                ),
                "no-op build / no-op docker build": side_by_side(
                    rounds,
                    lambda: timed([*IMAGEKIT, "build", "-q", "-t", reference], project, reference),
                    lambda: timed(docker_build, project, "sha256:"),
                ),
            }
        finally:
            subprocess.run(
                ["docker", "image", "rm", "--force", reference, "imagekit-bench/peer:1"],
                capture_output=True,
                check=False,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(results))
        return
    for name, times in results.items():
        ours, peer = statistics.median(times["ours"]), statistics.median(times["peer"])
        spread = max(times["ours"]) - min(times["ours"])
        print(f"{name}: {ours:.3f} s / {peer:.3f} s = {ours / peer:.2f} (spread of ours {spread:.3f} s)")


if __name__ == "__main__":
    main()
