"""What git says of a working tree of the user's own, in which nothing is written and none of its programs started."""

from __future__ import annotations

import subprocess
from pathlib import Path

CLEAN, DIRTY, UNKNOWN = "clean", "dirty", "unknown"
_PATIENCE = 60.0  # seconds
_CALM = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def ask_git(directory: Path, *words: str) -> bytes | None:
    """What ``git WORDS`` prints in ``directory``; ``None`` where it cannot tell, or is not there."""
    try:
        done = subprocess.run(
            ["git", *_CALM, "-C", str(directory), *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def state_of(directory: Path) -> str:
    """``clean``, ``dirty`` (changed or untracked files below ``directory``), or ``unknown`` where git cannot tell."""
    found = ask_git(directory, "status", "--porcelain=v1", "--untracked-files=normal", "--", ".")
    if found is None:
        return UNKNOWN
    return DIRTY if found.strip() else CLEAN
