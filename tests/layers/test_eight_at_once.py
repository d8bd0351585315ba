"""Processes that make the layers of one set, or of sets that share wheels, at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imagekit.layers.cache import LayerCache

from .plans import make, plan_of, small_wheels

PROGRAM = """
import json, os, sys
from pathlib import Path
from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.layers import wheel_layer
from imagekit.progress import SilentReporter
from imagekit.sharing.leases import in_use
from tests.layers.plans import make, plan_of
import time
root, first, last, pause = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
wheels = sorted(root.glob("*.whl"), key=lambda path: int(path.name.split("-")[0][1:]))[first:last]
written = []
def writing(path, *rest, really=wheel_layer.write_wheel_layer):
    written.append(path.name)
    os.write(1, b"writing\\n")
    time.sleep(pause)
    return really(path, *rest)
wheel_layer.write_wheel_layer = writing
with in_use(root / "cache"):
    plan = plan_of(*[[wheel] for wheel in wheels[:-3]], wheels[-3:])
    layers = make(plan, LayerCache(root / "cache" / "layers"), wheels)
    for layer in layers:
        for chunk in layer.chunks():
            pass
print(json.dumps({"written": written, "digests": [layer.diff_id for layer in layers]}), flush=True)
"""


def start(root: Path, first: int, last: int, pause: float = 0.02) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", PROGRAM, str(root), str(first), str(last), str(pause)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def outcome(process: subprocess.Popen[str]) -> dict[str, list[str]]:
    out, _ = process.communicate()
    assert process.returncode == 0
    found: dict[str, list[str]] = json.loads(out.splitlines()[-1])
    return found


def digests(root: Path, first: int, last: int) -> list[str]:
    """Made alone, in another cache."""
    wheels = sorted(root.glob("*.whl"), key=lambda path: int(path.name.split("-")[0][1:]))[first:last]
    plan = plan_of(*[[wheel] for wheel in wheels[:-3]], wheels[-3:])
    return [layer.diff_id for layer in make(plan, LayerCache(root / "alone" / "layers"), wheels)]


def archives(root: Path) -> int:
    files = [path for path in (root / "cache" / "layers").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".tar", ".json", ".paths", ".group"}
    return sum(path.suffix == ".tar" for path in files)


def test_eight_of_the_same_write_each_layer_once(tmp_path: Path) -> None:
    small_wheels(tmp_path, 20)
    results = [outcome(process) for process in [start(tmp_path, 0, 20) for _ in range(8)]]
    written = [name for result in results for name in result["written"]]
    assert len(written) == len(set(written)) == 20
    assert archives(tmp_path) == 20
    assert {tuple(result["digests"]) for result in results} == {tuple(digests(tmp_path, 0, 20))}


def test_eight_that_share_some(tmp_path: Path) -> None:
    small_wheels(tmp_path, 24)
    spans = [(n * 2, n * 2 + 10) for n in range(8)]
    results = [outcome(process) for process in [start(tmp_path, *span) for span in spans]]
    written = [name for result in results for name in result["written"]]
    assert len(written) == len(set(written)) == 24
    assert archives(tmp_path) == 24
    for result, span in zip(results, spans, strict=True):
        assert result["digests"] == digests(tmp_path, *span)


@pytest.mark.soak
def test_one_of_them_is_killed_and_one_stopped(tmp_path: Path) -> None:
    small_wheels(tmp_path, 12)
    doomed, stopped = start(tmp_path, 0, 12, 600), start(tmp_path, 0, 12, 600)
    for process in (doomed, stopped):
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
    stopped.send_signal(signal.SIGSTOP)
    others = [start(tmp_path, 0, 12) for _ in range(3)]
    os.kill(doomed.pid, signal.SIGKILL)
    results = [outcome(process) for process in others]
    assert {tuple(result["digests"]) for result in results} == {tuple(digests(tmp_path, 0, 12))}
    stopped.kill()
    for process in (doomed, stopped):
        process.communicate()
    # What they left is no entry, and in nobody's way.
    assert outcome(start(tmp_path, 0, 12))["written"] == []
