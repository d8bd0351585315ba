"""What a run needs of this machine, asked before hours are spent on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmarks.process import Failed
from benchmarks.sets import PackageSet
from imagekit.report.results import SETS_OF_BUILDS

_PROGRAMS = ("docker", "dockerd", "docker-registry", "ip", "nsenter", "unshare")
# Below these, in bytes free at first, it is not tried. A heavy set took 65 GB at most, and was full in 60 before it was
# pruned from 30 GB free on; the others are pruned from 10 GB free on, and were never measured with less than 60.
_DISK, _DISK_HEAVY = 40 * 10**9, 70 * 10**9


def check_needs(disk: Path, cases: Iterable[str]) -> None:
    """:class:`Failed` where the cases of these names cannot be measured on this machine, working in ``disk``."""
    if os.geteuid() != 0:
        raise Failed("engines of the benchmarks' own need root: sudo make bench")
    if missing := [program for program in _PROGRAMS if shutil.which(program) is None]:
        raise Failed(f"there is no {', '.join(missing)}: make setup installs what benchmarks need on Debian, as root")
    needed = most_disk(cases)
    if (free := shutil.disk_usage(disk).free) < needed:
        room = f"{needed / 1e9:.0f} GB are needed in {disk}, and {free / 1e9:.0f} are free"
        raise Failed(f"{room}: BENCH_ARGS='--directory DIR' works elsewhere, ONLY=… measures less")


def most_disk(cases: Iterable[str]) -> int:
    """Bytes that the cases of these names need at most, free at first."""
    heavy = tuple(f"{name}-" for name in SETS_OF_BUILDS if PackageSet(name).is_heavy)
    return _DISK_HEAVY if any(name.startswith(heavy) for name in cases) else _DISK
