"""Whether a project's working tree is what its commit says. Asks git, which a build as such does without."""

from __future__ import annotations

import subprocess
from pathlib import Path

from imagekit.attest.material_note import CLEAN, DIRTY, UNKNOWN

_PATIENCE = 60.0  # seconds
# Nothing of the repository's own configuration is to be started for a look, and nothing written.
_CALM = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def state_of(directory: Path) -> str:
    """``clean``, ``dirty`` (changed or untracked files below ``directory``), or ``unknown`` where git cannot tell."""
    command = ["git", *_CALM, "-C", str(directory), "status", "--porcelain=v1", "--untracked-files=normal", "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    if done.returncode != 0:
        return UNKNOWN
    return DIRTY if done.stdout.strip() else CLEAN
