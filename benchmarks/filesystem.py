"""File systems of the benchmarks' own: one for the run, and one for each engine, which goes with it.

ext4 passes over inodes that were freed in the last minutes when it looks for a free one: on a disk from which
another run's images were just removed, an engine unpacks three times as slowly. On a new one it does not matter
what was there before. (``recently_deleted`` in the kernel's ``fs/ext4/ialloc.c``.)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_MARK = "IMAGEKIT_BENCHMARKS_MOUNT"
_LARGEST = 80 * 10**9
_SPARED = 5 * 10**9  # of the disk that it lies on


def in_own_mounts() -> None:
    """Go on in a mount namespace of this process's own, so that what is mounted ends with it; needs root."""
    if os.geteuid() == 0 and _MARK not in os.environ and shutil.which("unshare"):
        words = ["unshare", "--mount", "--propagation", "private", "--", sys.executable, "-m", "benchmarks"]
        os.execvpe(words[0], [*words, *sys.argv[1:]], {**os.environ, _MARK: "1"})  # noqa: S606


def mount_own(directory: Path, image: Path) -> bool:
    """Mount a new ext4 at ``directory``, in a sparse file that no name leads to; whether it could be done.

    ``image`` is that file's name for a moment, and says on which disk it is.
    """
    if _MARK not in os.environ:
        return False
    try:
        with open(image, "wb") as file:
            file.truncate(min(_LARGEST, shutil.disk_usage(image.parent).free - _SPARED))
        for words in (
            ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(image)],
            ["mount", "-o", "loop,noinit_itable", str(image), str(directory)],
        ):
            if subprocess.run(words, capture_output=True).returncode != 0:
                return False
        return True
    except (OSError, ValueError):
        return False
    finally:
        image.unlink(missing_ok=True)


def unmount(directory: Path) -> None:
    """Let go of what :func:`mount_own` mounted: its disk is free again when the last process has let go of it."""
    subprocess.run(["umount", "--lazy", str(directory)], check=False, capture_output=True)


def give_back(directory: Path) -> None:
    """Tell the disk below which blocks of the file system at ``directory`` nothing lies in any more."""
    subprocess.run(["fstrim", str(directory)], check=False, capture_output=True)
