"""Paths that several wheels own: who has them in the image, and what cannot be had together.

The wheel whose layer lies higher has a path, and within a layer the one whose name comes last:
a function of the lock alone, and the same one for all paths that two wheels share.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagekit.errors import WheelRefused
from imagekit.layers.cache import Entry
from imagekit.layers.values import damaged, open_file

_NAMED = 3  # paths in a line
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Clash:
    """One path that two wheels own with other content; the second's file is what the image shows.

    Or two paths that are one where case does not count (then both are in the image).
    """

    path: str
    first: str
    second: str
    is_case: bool = False


def find_clashes(owned: Sequence[tuple[str, Entry]]) -> list[Clash]:
    """What the wheels ``(pin, entry)``, the lowest first, have in common, but for files with the same content.

    Raises ``WheelRefused`` where one has a file and another a directory of that path: one would hide the
    other's files, and no installer could install both.
    """
    owners: dict[str, int] = {}
    pairs: list[tuple[str, int, int]] = []
    for number, (_, entry) in enumerate(owned):
        for path in entry.paths():
            if path in owners:
                pairs.append((path, owners[path], number))
            owners[path] = number
    refuse_files_for_directories(owned, owners)
    same = _same(owned, pairs)
    found = [Clash(path, owned[a][0], owned[b][0]) for path, a, b in pairs if (path, a, b) not in same]
    return found + _case_clashes(owned, owners)


def lines(clashes: Iterable[Clash]) -> list[str]:
    """A line for each two wheels, however many files they share."""
    grouped: dict[tuple[str, str, bool], list[str]] = {}
    for clash in clashes:
        grouped.setdefault((clash.first, clash.second, clash.is_case), []).append(clash.path)
    said = []
    for (first, second, is_case), paths in grouped.items():
        shown = ", ".join(sorted(paths)[:_NAMED]) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")
        both = first if first == second else f"{first} and {second}"
        if is_case:
            said.append(
                f"{shown} in {both}: names that differ in case alone, which some file systems do not tell apart"
            )
        else:
            said.append(f"{shown} in {both}: the latter's is used")
    return said


class Owning(Protocol):
    """What a wheel has in an image."""

    @property
    def directories(self) -> tuple[str, ...]: ...


def refuse_files_for_directories(owned: Sequence[tuple[str, Owning]], owners: Mapping[str, int]) -> None:
    """``WheelRefused`` where one of the wheels ``(pin, what it has)`` has a file and another a directory of a path.

    ``owners``: by path of a file, the number of the wheel in ``owned``.
    """
    seen: set[str] = set()
    for number, (_, entry) in enumerate(owned):
        for path in entry.directories:
            if path not in seen and path in owners:
                raise WheelRefused(
                    f"{owned[owners[path]][0]} has a file /{path}, and {owned[number][0]} a directory of that name",
                    hint="they cannot be installed together: leave one of them out",
                )
            seen.add(path)


def _case_clashes(owned: Sequence[tuple[str, Entry]], owners: dict[str, int]) -> list[Clash]:
    folded: dict[str, str] = {}
    found = []
    for path, number in owners.items():
        other = folded.setdefault(path.casefold(), path)
        if other != path:
            found.append(Clash(path, owned[owners[other]][0], owned[number][0], is_case=True))
    return found


def _same(owned: Sequence[tuple[str, Entry]], pairs: Sequence[tuple[str, int, int]]) -> set[tuple[str, int, int]]:
    """Those of ``pairs`` whose files have the same content: packages that share a namespace, most often."""
    wanted: dict[int, set[str]] = {}
    for path, a, b in pairs:
        wanted.setdefault(a, set()).add(path)
        wanted.setdefault(b, set()).add(path)
    contents = {number: _digests(owned[number][1], paths) for number, paths in wanted.items()}
    return {(path, a, b) for path, a, b in pairs if contents[a][path] == contents[b][path]}


def _digests(entry: Entry, paths: set[str]) -> dict[str, tuple[str, bool]]:
    """Digest and executable bit of those of the layer's files."""
    found: dict[str, tuple[str, bool]] = {}
    try:
        with open_file(entry.path) as source, tarfile.open(fileobj=source, mode="r:") as archive:
            for member in archive:
                if member.name in paths:
                    content = archive.extractfile(member)
                    assert content is not None
                    sha256 = hashlib.sha256()
                    while piece := content.read(_PIECE):
                        sha256.update(piece)
                    found[member.name] = (sha256.hexdigest(), bool(member.mode & 0o100))
        if found.keys() != paths:
            raise tarfile.TarError("files are missing")
    except (OSError, tarfile.TarError, AssertionError) as error:
        raise damaged(f"{entry.path} cannot be read: {error}", [entry.path]) from error
    return found
