"""Whole processes, timed from outside as a person at a terminal would see them."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.resident import Resident


class Failed(Exception):
    """A command failed, or did not do what it should: what it was for has no time."""


class Unavailable(Failed):
    """What a side needs cannot be had on this machine: it has no time, and nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A process that ended."""

    seconds: float  # from before it was started until it was gone
    stdout: str
    stderr: str
    peak_bytes: int  # resident, of it and of those children that it waited for, whichever had most
    cpu_seconds: float  # of the same
    memory_bytes: int = 0  # where it was looked at: of all its processes and the engine's together
    engine_bytes: int = 0  # of the engine's alone


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: str = "",
    resident: Resident | None = None,
) -> Finished:
    """Run ``argv`` to its end; :class:`Failed` with its words where it does not end well.

    ``resident`` is told of its process.
    """
    # Files and not pipes: nobody here needs to be awake while it runs.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, tempfile.TemporaryFile("w+") as into:
        into.write(stdin)
        into.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(list(argv), env=dict(env), cwd=cwd, stdin=into, stdout=out, stderr=err)
        if resident is not None:
            resident.add(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read(), err.read()
    if process.returncode != 0:
        words = "\n".join((stdout + stderr).strip().splitlines()[-25:])
        raise Failed(f"{' '.join(argv)}\nended with {process.returncode}:\n{words}")
    return Finished(
        seconds=seconds,
        stdout=stdout,
        stderr=stderr,
        peak_bytes=usage.ru_maxrss * 1024,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A process that ended well, and when a line of it was seen."""

    first_line: float  # seconds from before it was started
    seconds: float  # until it was gone


def until_line(line: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> Seen:
    """Run ``argv`` to its end and note when ``line`` comes on its standard output.

    :class:`Failed` where it does not come, or the process does not end well.
    """
    wanted = line.encode()
    with tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(argv), env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err
        )
        assert process.stdout is not None
        at: float | None = None
        for given in process.stdout:
            if at is None and wanted in given:
                at = time.perf_counter() - began
        code = process.wait()
        seconds = time.perf_counter() - began
        err.seek(0)
        words = "\n".join(err.read().strip().splitlines()[-25:])
    if code != 0 or at is None:
        raise Failed(f"{' '.join(argv)}\nended with {code}{'' if at else f', without {line!r}'}:\n{words}")
    return Seen(first_line=at, seconds=seconds)
