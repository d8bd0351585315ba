"""Workers are real processes: one that ends costs its own job alone, and none outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from imagekit.matrix.workers import Workers, following
from imagekit.progress import SilentReporter, Task
from imagekit.settings import Settings

from .odd_jobs import OddJob, do


def lost(job: OddJob, message: str, details: str | None) -> str:
    return f"{job.label} lost: {message}"


def jobs(*what: str) -> list[OddJob]:
    return [OddJob(label=f"j{number}", what=each) for number, each in enumerate(what)]


def test_each_is_done_and_one_that_ends_costs_its_own_job_alone() -> None:
    with Workers(2, Settings.load({}), SilentReporter()) as workers:
        found = sorted(workers.each(do, jobs("pass", "die", "raise", "pass", "die", "pass"), lost))
        # The same processes go on with more.
        again = list(workers.each(do, jobs("more"), lost))
    killed = "its process was killed: by someone, or for want of memory (then --jobs 1 helps)"
    assert found == [
        "j0 pass False",
        f"j1 lost: {killed}",
        "j2 lost: ZeroDivisionError: odd",
        "j3 pass False",
        f"j4 lost: {killed}",
        "j5 pass False",
    ]
    assert again == ["j0 more False"]


class _Heard(SilentReporter):
    def __init__(self) -> None:
        self.words: list[object] = []

    @contextmanager
    def task(self, title: str, total: int | None = None, unit: str = "") -> Iterator[Task]:
        self.words.append((title, total, unit))
        yield self
        self.words.append(f"end of {title}")

    def advance(self, amount: int = 1) -> None:
        self.words.append(amount)

    def note(self, text: str) -> None:
        self.words.append(text)

    def line(self, text: str) -> None:
        self.words.append(text)

    def waiting(self, titles: Sequence[str]) -> None:
        self.words.append(("waiting", *titles))


def test_what_they_tell_is_told_here() -> None:
    heard = _Heard()
    with Workers(1, Settings.load({}), heard) as workers:
        list(workers.each(do, jobs("tell"), lost))
    assert heard.words[:2] == [("waiting",), ("j0: counting", 3, "B")]
    assert "two" in heard.words
    assert heard.words[-3:] == ["end of j0: counting", "j0: a line", ("waiting",)]


def test_what_waits_is_told_as_it_gets_less() -> None:
    heard = _Heard()
    with Workers(2, Settings.load({}), heard) as workers:
        list(workers.each(do, jobs("pass", "pass", "pass", "pass"), lost))
    assert heard.words == [("waiting", *rest) for rest in (["j1", "j2", "j3"], ["j2", "j3"], ["j3"], [], [])]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_leaving_interrupts_what_is_under_way(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def leave() -> None:
        waiting = OddJob(label="w", what="wait", place=str(tmp_path))
        with Workers(2, Settings.load({}), SilentReporter()) as workers:
            for _ in workers.each(do, [waiting, OddJob(label="p", what="pass")], lost):
                while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
                    time.sleep(0.01)
                raise Enough

    with pytest.raises(Enough):
        leave()
    assert (tmp_path / "tidied").exists()
    assert gone(int((tmp_path / "begun").read_text()))


PARENT = """
from pathlib import Path
from imagekit.matrix.workers import Workers
from imagekit.progress import SilentReporter
from imagekit.settings import Settings
from tests.matrix.odd_jobs import OddJob, do
job = OddJob(label="w", what="wait", place={place!r})
with Workers(1, Settings.load({{}}), SilentReporter()) as workers:
    list(workers.each(do, [job], print))
"""


def test_none_outlives_who_started_it(tmp_path: Path) -> None:
    # No "if __name__ == '__main__'": a caller's script is not run again in them.
    path = os.pathsep.join(filter(None, sys.path))
    program = PARENT.format(place=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path})
    while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
        assert parent.poll() is None
        time.sleep(0.01)
    worker = int((tmp_path / "begun").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while not gone(worker):
        time.sleep(0.01)
    assert (tmp_path / "tidied").exists()


def test_what_lies_on_another_base_comes_next() -> None:
    """Two on one base at once would both send what they have in common."""
    waiting = [OddJob(label=f"{base}{n}", what="pass", base=base) for base in "abc" for n in range(1 + (base == "b"))]
    order, busy = [], list[OddJob]()
    while waiting:
        job = following(waiting, busy[-1:])
        waiting.remove(job)
        busy.append(job)
        order.append(job.label)
    # Of those with as much to do the first; the same base again where there is no other.
    assert order == ["b0", "a0", "b1", "c0"]
    same = [OddJob(label=label, what="pass", base="a") for label in "xy"]
    assert following(same, same[1:]).label == "x"
