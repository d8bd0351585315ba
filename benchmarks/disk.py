"""What lies on a disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def used(directory: Path) -> int:
    """Bytes of the disk that the files below ``directory`` take; one with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                found = os.lstat(os.path.join(path, name))
            except FileNotFoundError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def beyond(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What there is more of, by name."""
    return {name: after[name] - before[name] for name in after}
