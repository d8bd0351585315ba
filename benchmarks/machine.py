"""Where something was measured, and with what: without it a figure means nothing."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.sets import uv_program

_ROOT = Path(__file__).resolve().parent.parent


def machine(own_filesystem: bool) -> dict[str, Any]:
    """The machine: its processor, cores, memory and kernel, and how busy it is before anything is measured."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_kib": int(_field("/proc/meminfo", "MemTotal").removesuffix(" kB") or 0),
        "kernel": platform.release(),
        "system": platform.platform(),
        "load": list(os.getloadavg()),
        "filesystem": "ext4, made for the run" if own_filesystem else "as it was",
    }


def versions() -> dict[str, str]:
    """The programs that were measured, and those that they need."""
    commit = _line("git", "-C", str(_ROOT), "rev-parse", "HEAD")
    changed = _line("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no", "--", "imagekit")
    return {
        "imagekit": version("imagekit"),
        "commit": commit + ("+" if changed else ""),
        "python": platform.python_version(),
        "python_compiler": platform.python_compiler(),
        "uv": _line(uv_program(), "--version"),
        "docker_client": _line("docker", "--version"),
        "engine": _line("dockerd", "--version"),
        "buildx": _line("docker", "buildx", "version"),
        "registry": _line("docker-registry", "--version"),
        "benchmarks": " ".join(sys.argv[1:]),
    }


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _line(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return (done.stdout.strip().splitlines() or [""])[0]
