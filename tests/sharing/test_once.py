"""One makes and the others take; whoever is killed or stands still is not waited for."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagekit.sharing.once import BeingMade, make_once

MAKES = """
import sys, time
from pathlib import Path
from imagekit.sharing import once
from imagekit.sharing.once import make_once
once._BEAT = 0.1  # a busy machine is no standstill
place, begun, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def make():
    with open(begun, "a") as out:
        out.write("x")
    print("begun", flush=True)
    time.sleep(seconds)
    place.write_text("made")
    return "made"
print(make_once(place.with_suffix(".lock"), lambda: place.read_text() if place.exists() else None, make), flush=True)
"""


@contextmanager
def maker(tmp_path: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", MAKES, tmp_path / "thing", tmp_path / "begun", str(seconds)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def take(tmp_path: Path, **settings: float) -> str:
    place = tmp_path / "thing"
    find = lambda: place.read_text() if place.exists() else None  # noqa: E731
    return make_once(tmp_path / "thing.lock", find, lambda: "made here", **settings)  # type: ignore[arg-type]


def test_eight_processes_make_one(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", MAKES, tmp_path / "thing", tmp_path / "begun", "0.5"]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    assert [process.communicate()[0].splitlines()[-1] for process in processes] == ["made"] * 8
    assert (tmp_path / "begun").read_text() == "x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "thing"]


def test_one_that_works_for_long_is_waited_for(tmp_path: Path) -> None:
    with maker(tmp_path, 4):
        assert take(tmp_path, patience=2.5) == "made"


def test_one_that_was_killed_is_not_waited_for(tmp_path: Path) -> None:
    with maker(tmp_path, 600) as process:
        threading.Timer(0.3, process.kill).start()
        began = time.monotonic()
        assert take(tmp_path, patience=300) == "made here"
        assert time.monotonic() - began < 60
    assert not (tmp_path / "thing.lock").exists()


def test_one_that_stands_still_is_waited_for_a_while(tmp_path: Path) -> None:
    with maker(tmp_path, 600) as process:
        process.send_signal(signal.SIGSTOP)
        assert take(tmp_path, patience=1.5) == "made here"


def test_whoever_need_not_wait_is_told(tmp_path: Path) -> None:
    stop = threading.Event()
    with maker(tmp_path, 600):
        with pytest.raises(BeingMade):
            take(tmp_path, wait=False)
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(BeingMade):
            take(tmp_path, stop=stop, patience=300)  # type: ignore[arg-type]


def test_a_maker_that_fails_leaves_it_to_the_next(tmp_path: Path) -> None:
    def fails() -> str:
        raise KeyError

    with pytest.raises(KeyError):
        make_once(tmp_path / "thing.lock", lambda: None, fails)
    assert list(tmp_path.iterdir()) == []
    assert take(tmp_path) == "made here"


def test_where_nothing_can_be_locked_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "thing.lock").mkdir()
    assert take(tmp_path) == "made here"
