"""Wheels as members of one archive, for a place where files are unpacked and no layer is made of them.

A wheel has the files that its layer has, with the same modes and owners; of bytecode what is added by name.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.layers import archive
from imagekit.layers.directories import Directories
from imagekit.layers.values import damaged
from imagekit.layers.wheel import LARGEST_HELD, hash_of
from imagekit.layers.wheel_layer import content, opened
from imagekit.plan.prefix import Prefix

# What is sent at once: a wheel has thousands of files of a few bytes.
_PIECE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What an archive got of one wheel."""

    files: Mapping[str, tuple[str, bool]]  # by path in the image: hash, and whether it is executable
    directories: tuple[str, ...]

    def paths(self) -> list[str]:
        """Its files' paths, without a leading slash."""
        return sorted(self.files)


class LooseFiles:
    """The members of one archive: those of wheels below ``prefix``, each directory once."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        self._members = Directories(prefix.directories)
        self._made: set[str] = set()

    def of(
        self, wheel_path: Path, on_source: Callable[[str, bytes], object] = lambda path, text: None
    ) -> Generator[bytes, None, Unpacked]:
        """The members of the wheel at ``wheel_path``; ``on_source`` is given path and text of its modules.

        Raises ``WheelRefused``, and ``DamagedLayer`` if it is gone.
        """
        try:
            with opened(wheel_path, self._prefix) as wheel:
                scripts = wheel.console_scripts()
                own = {path for path, _ in scripts}
                # An entry point's script replaces a file of that name, as installers do it.
                members = [member for member in wheel.members if member.path not in own]
                record = f"{self._prefix.site_path.lstrip('/')}/{wheel.dist_info}/RECORD"
                directories = archive.parents([*(member.path for member in members), *own, record])
                yield from self._directories(directories)
                for member in members:
                    if member.path.endswith(".py") and member.info.file_size <= LARGEST_HELD:
                        text = wheel.read(member)
                        on_source(member.path, text)
                        yield archive.file(member.path, text, mode=0o755 if member.executable else 0o644)
                    else:
                        yield from content(wheel, member)
                files = {member.path: (wheel.digest(member), member.executable) for member in members}
                added = [(path, data, 0o755) for path, data in scripts]
                added += [(path, data, 0o644) for path, data in wheel.additions(scripts)]
                for path, data, mode in added:
                    yield archive.file(path, data, mode=mode)
                    files[path] = (hash_of(data), mode == 0o755)
                return Unpacked(files=files, directories=tuple(directories))
        except FileNotFoundError as error:
            raise damaged(f"{wheel_path} is gone", []) from error

    def file(self, path: str, data: bytes) -> Iterator[bytes]:
        """One more file, with the directories that it lies in."""
        yield from self._directories(archive.parents([path]))
        yield archive.file(path, data)

    def _directories(self, paths: Iterable[str]) -> Iterator[bytes]:
        for path in paths:
            if path not in self._made:
                self._made.add(path)
                yield self._members.member(path)


def sharing(unpacked: Mapping[str, Unpacked]) -> set[str]:
    """Which wheels, by name, have paths in common with others whose content is not the same."""
    found: dict[str, str] = {}
    shared: set[str] = set()
    for name, wheel in unpacked.items():
        for path, file in wheel.files.items():
            other = found.setdefault(path, name)
            if other != name and unpacked[other].files[path] != file:
                shared |= {other, name}
    return shared


def in_large_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, of which none but the last piece is small."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
