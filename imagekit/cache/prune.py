"""Taking entries away: the ones unused for longest, and none that a process is about to use."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.cache.kinds import KINDS, LOOKED, TRASH, Contents, Unit, scan
from imagekit.errors import ImagekitError
from imagekit.sharing.flock import LocksUnavailable, acquire
from imagekit.sharing.leases import Busy, Gate, closed_gate
from imagekit.sharing.once import SUFFIX

# Room is made a little beyond the bound, so that not every build has to make some.
_BELOW = 0.9
_NOTES_KEPT = 90 * 86400.0  # seconds; notes take no room to speak of
_ABANDONED = 3600.0  # seconds without a byte
_LOOK_EVERY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was taken away, or would be."""

    entries: int
    freed: int  # bytes
    kept: int  # bytes of what is left
    in_use: int  # entries that were to go, and that a process may be using

    def to_json(self) -> dict[str, int]:
        return {"entries": self.entries, "freed": self.freed, "kept": self.kept, "in_use": self.in_use}


def prune(
    root: Path,
    *,
    keep: int | None = None,
    down_to: int | None = None,
    older_than: float | None = None,
    everything: bool = False,
    notes: bool = True,
    dry_run: bool = False,
) -> Pruned:
    """Make room in the cache directory ``root``.

    ``keep``: bytes that may stay; where there are more, the ones unused for longest go until ``down_to``
    (``keep``) is reached. ``older_than``: what was not used for that many seconds goes; without ``notes``, notes
    go by a time of their own. ``everything``: all goes. Of kinds that are bounded by number, the entries beyond it
    go in any case. What a running process may be using stays. Raises
    ``Busy`` where another process is pruning, and ``LocksUnavailable``.
    """
    if not root.is_dir():
        return Pruned(entries=0, freed=0, kept=0, in_use=0)
    with closed_gate(root) as gate:
        contents = scan(root)
        wanted = _wanted(contents, keep, keep if down_to is None else down_to, older_than, everything, notes)
        chosen = [unit for unit in wanted if gate.is_free(unit.used)]
        in_use = len(wanted) - len(chosen)
        if not dry_run:
            chosen = [unit for unit in chosen if _take_out(unit, root, gate)]
            _sweep(contents, time.time())
    if not dry_run:
        # Outside the gate: it may be gigabytes.
        shutil.rmtree(root / TRASH, ignore_errors=True)
    freed = sum(unit.size for unit in chosen)
    return Pruned(entries=len(chosen), freed=freed, kept=contents.size - freed, in_use=in_use)


def trim(root: Path, limit: int, *, grown: int) -> Pruned | None:
    """Hold ``root`` to ``limit`` bytes after a build; ``None`` where nothing had to be looked at.

    ``grown``: bytes of the layers that were added. All is looked at once a day, and when what was found
    then and has come since may be too much: a build that adds one small layer must not pay for a
    cache of thousands. Never raises: a cache that is too large hinders nobody.
    """
    looked = root / LOOKED
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = looked.read_text("ascii").split()
        age = time.time() - float(lines[0])
        # Wheels and compressed layers come with layers, and are no larger together.
        if 0 <= age < _LOOK_EVERY and sum(map(int, lines[1:])) + 2 * grown <= limit:
            if grown:
                # One write a line: several processes may be at it.
                with looked.open("a", encoding="ascii") as out:
                    out.write(f"{2 * grown}\n")
            return None
    try:
        pruned = prune(root, keep=limit, down_to=int(limit * _BELOW))
        if root.is_dir():
            write_whole(looked, f"{int(time.time())}\n{pruned.kept}\n".encode())
        return pruned
    except (Busy, LocksUnavailable, OSError, ImagekitError):
        return None


def remove(units: Sequence[Unit], root: Path) -> None:
    """Take ``units`` away, whoever uses them: what is damaged helps nobody."""
    if not units:
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Busy, LocksUnavailable):
            stack.enter_context(closed_gate(root))
        for unit in units:
            _take_out(unit, root, None)
    shutil.rmtree(root / TRASH, ignore_errors=True)


def _wanted(
    contents: Contents,
    keep: int | None,
    down_to: int | None,
    older_than: float | None,
    everything: bool,
    notes: bool,
) -> list[Unit]:
    """The entries that should go, the one unused for longest first."""
    now = time.time()
    units = sorted(contents.units, key=lambda unit: (unit.used, unit.key))
    if everything:
        return units
    wanted: list[Unit] = []
    rest: list[Unit] = []
    beyond = {kind: len(contents.of(kind)) - kind.most for kind in KINDS if kind.most is not None}
    for unit in units:
        age = now - unit.used
        by_own_time = unit.kind.is_note and (older_than is None or not notes)
        is_old = age > _NOTES_KEPT if by_own_time else older_than is not None and age > older_than
        # The ones unused for longest come first.
        is_beyond = beyond.get(unit.kind, 0) > 0
        if is_beyond:
            beyond[unit.kind] -= 1
        (wanted if is_old or is_beyond else rest).append(unit)
    left = sum(unit.size for unit in rest)
    if keep is None or down_to is None or left <= keep:
        return wanted
    for unit in rest:
        if left <= down_to:
            break
        if not unit.kind.is_note:
            wanted.append(unit)
            left -= unit.size
    return wanted


def _take_out(unit: Unit, root: Path, gate: Gate | None) -> bool:
    """Move ``unit`` out of use; ``False`` where it is in use after all, or cannot be moved."""
    # A process without a lease (the gate was closed for too long) marks what it uses all the same.
    if gate is not None and not gate.is_free(unit.marked()):
        return False
    trash: Path | None = root / TRASH / secrets.token_hex(8)
    try:
        (root / TRASH).mkdir(exist_ok=True, mode=0o700)
        os.mkdir(str(trash), 0o700)
    except OSError:
        # A disk that is full has no room for a directory either, and is when room is wanted most.
        trash = None
    try:
        for path in unit.in_order:
            with contextlib.suppress(FileNotFoundError):
                if trash is not None:
                    os.rename(path, trash / path.name)
                elif path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    except OSError:
        return False
    return True


def _sweep(contents: Contents, now: float) -> None:
    """Remove what processes that were killed left half-written."""
    for path in contents.unfinished:
        with contextlib.suppress(OSError, LocksUnavailable):
            if now - path.lstat().st_mtime < _ABANDONED:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name.endswith(SUFFIX):
                held = acquire(path)
                if held is not None:
                    path.unlink()
                    os.close(held)
            else:
                path.unlink()
