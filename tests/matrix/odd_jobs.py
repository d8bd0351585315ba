"""Jobs for workers, found by name in the processes that do them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from imagekit.progress import Reporter
from imagekit.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OddJob:
    """What a worker is to do. ``place`` is a directory in which it leaves word."""

    label: str
    what: str
    base: str = ""
    place: str = ""


def do(settings: Settings, job: OddJob, reporter: Reporter) -> str:
    if job.what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.what == "raise":
        raise ZeroDivisionError("odd")
    if job.what == "tell":
        with reporter.task("counting", total=3, unit="B") as task:
            time.sleep(0.15)
            task.note("two")
            task.advance(2)
        reporter.line("a line")
    if job.what == "wait":
        try:
            Path(job.place, "begun").write_text(str(os.getpid()))
            time.sleep(600)
        finally:
            Path(job.place, "tidied").touch()
    return f"{job.label} {job.what} {settings.frozen}"
