"""What lies in the cache directory: entries of several kinds, each of one or more files.

An entry's files share their name up to the first dot, or lie in one directory; the name is 64
hex digits, or a key's fingerprint. What has another name, or lies elsewhere, is not ours to judge:
it is counted and left alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.atomic import UNFINISHED
from imagekit.sharing.leases import GATE, LEASES
from imagekit.sharing.once import SUFFIX

LOOKED = ".size"  # what was found when all was looked at, and has come since
TRASH = "trash"  # taken out of use, about to be removed


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entries."""

    name: str
    directory: str  # below the cache directory
    meaning: str
    sharded: bool = False  # over directories named by the first two digits
    is_note: bool = False  # tiny: not worth being pruned for room
    most: int | None = None  # entries that may stay: for notes that come with every build


KINDS = (
    Kind("layers", "layers", "layers as archives", sharded=True),
    Kind("blobs", "blobs", "layers as registries take them, compressed", sharded=True),
    Kind("wheels", "wheels", "wheels as they were fetched"),
    Kind("built", "built", "wheels built from source"),
    Kind("bases", "debian", "base images made from Debian's packages"),
    Kind("debs", "debian/debs", "Debian's packages"),
    Kind("derived", "derived", "bases with conda packages, as layouts"),
    Kind("repodata", "repodata", "lists of packages of conda's channels, as py-rattler keeps them"),
    Kind("unpacked", "unpacked", "interpreters of base images, unpacked to compile here"),
    Kind("checkouts", "checkouts", "commits that flows were run from"),
    Kind("repositories", "repositories", "repositories of those, without history"),
    Kind("facts", "bases", "what is known of base images", is_note=True),
    Kind("checks", "checked", "images that passed their check", is_note=True),
    Kind("scans", "scanned", "sources in which no credential was found", is_note=True, most=500),
    Kind("needs", "needs", "what compiled files of wheels ask for", is_note=True, most=5000),
    Kind("preflights", "preflight", "what bases lack of that", is_note=True, most=500),
    Kind("commands", "commands", "what came of extra_dockerfile_commands", is_note=True, most=500),
    Kind("locks", "locks", "resolved requirements", is_note=True),
    Kind("extras", "extras", "what EXTRA_PIP_PACKAGES came to on images", is_note=True, most=500),
    Kind("builds", "builds", "what builds saw and came to, for the same command again", is_note=True, most=500),
    Kind("contents", "contents", "packages that layers have", is_note=True, most=5000),
    Kind("images", "images", "what images of ours are made of", is_note=True, most=500),
    Kind("homes", "homes", "which repositories hold what was pushed", is_note=True, most=500),
    Kind("keys", "keys", "keys of apt repositories, as recipes name them", is_note=True),
)
_KEY = re.compile(r"[0-9a-f]{64}|[0-9A-F]{40}")
_SHARD = re.compile(r"[0-9a-f]{2}")
# And as versions before this one named it.
_UNFINISHED = (UNFINISHED, ".partial-", "fetch-", "rootfs-")


@dataclass(slots=True)
class Unit:
    """One entry: its files, or its directory."""

    kind: Kind
    key: str  # what the names of its files begin with, or that of its directory
    paths: list[Path] = field(default_factory=list)
    size: int = 0  # bytes
    used: float = 0.0  # seconds since the epoch, to the hour

    @property
    def in_order(self) -> list[Path]:
        """The files in the order of their removal: what makes an entry one goes first."""
        return sorted(self.paths, key=lambda path: (path.suffix != ".json", path.name))

    def marked(self) -> float:
        """When it was used last, looked up now."""
        found = [self.used]
        for path in self.paths:
            with contextlib.suppress(OSError):
                found.append(_newest(path))
        return max(found)


@dataclass(slots=True)
class Contents:
    """All that a cache directory holds."""

    units: list[Unit]
    unfinished: list[Path]  # half-written, by a process that is at it or was killed
    other: list[Path]  # unknown files
    other_size: int

    def of(self, kind: Kind) -> list[Unit]:
        return [unit for unit in self.units if unit.kind is kind]

    @property
    def size(self) -> int:
        """Bytes of all entries."""
        return sum(unit.size for unit in self.units)


def scan(root: Path) -> Contents:
    """What ``root`` holds now; files that vanish meanwhile are left out."""
    found = Contents(units=[], unfinished=[], other=[], other_size=0)
    known = {Path(kind.directory).parts[0] for kind in KINDS}
    for entry in _entries(root):
        if entry.name not in known and entry.name not in (LEASES, GATE, LOOKED, TRASH):
            _other(found, entry)
    directories = {root / kind.directory for kind in KINDS}
    for kind in KINDS:
        units: dict[str, Unit] = {}
        for entry in _entries(root / kind.directory):
            if kind.sharded and _SHARD.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                for inner in _entries(Path(entry.path)):
                    _sort(found, units, kind, inner)
            elif Path(entry.path) not in directories:
                _sort(found, units, kind, entry)
        found.units += units.values()
    return found


def _sort(found: Contents, units: dict[str, Unit], kind: Kind, entry: os.DirEntry[str]) -> None:
    name, path = entry.name, Path(entry.path)
    if name.startswith(_UNFINISHED) or name.endswith(SUFFIX):
        found.unfinished.append(path)
        return
    key = name.partition(".")[0]
    if not _KEY.fullmatch(key):
        _other(found, entry)
        return
    try:
        size, used = _size_and_use(entry)
    except FileNotFoundError:
        return
    unit = units.setdefault(key, Unit(kind=kind, key=key))
    unit.paths.append(path)
    unit.size += size
    unit.used = max(unit.used, used)


def _newest(path: Path) -> float:
    if path.is_dir() and not path.is_symlink():
        return max((_newest(Path(inner.path)) for inner in _entries(path)), default=0.0)
    return path.lstat().st_mtime


def _size_and_use(entry: os.DirEntry[str]) -> tuple[int, float]:
    status = entry.stat(follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size, status.st_mtime
    size, used = 0, 0.0
    for inner in _entries(Path(entry.path)):
        inner_size, inner_used = _size_and_use(inner)
        size, used = size + inner_size, max(used, inner_used)
    # Just made, and empty as yet: its own time is what there is.
    return size, used or status.st_mtime


def _other(found: Contents, entry: os.DirEntry[str]) -> None:
    found.other.append(Path(entry.path))
    try:
        found.other_size += _size_and_use(entry)[0]
    except FileNotFoundError:
        found.other.pop()


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
