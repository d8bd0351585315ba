"""The compiled files of a wheel: read from its layer, or from the wheel where there is no layer yet.

Which files are ELF files is seen in them; which are looked at goes by their names, so that a package of ten thousand
modules costs no more than the list of them.
"""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import IO

from imagekit.errors import WheelRefused
from imagekit.layers.archive import files_in
from imagekit.layers.cache import Entry
from imagekit.layers.values import damaged, open_file
from imagekit.layers.wheel import DAMAGED, LARGEST_HELD, Member, Wheel
from imagekit.plan.prefix import Prefix
from imagekit.preflight.elf import ReadAt, read_elf_at
from imagekit.preflight.values import CompiledFile

# A shared library, or a program: those have no dot in their names, and licences in .dist-info have none either.
_LIBRARY = re.compile(r"\.so(\.|$)")
_RELEASE = re.compile(r"GLIBC_\d+(?:\.\d+)+")
# A mark of how it was linked, which an older loader refuses (glibc's NEWS of 2.36).
_MARKS = {"GLIBC_ABI_DT_RELR": "2.36"}


def may_be_compiled(path: str) -> bool:
    """Whether the file at ``path`` is looked at, by its name."""
    directory, _, name = path.rpartition("/")
    return bool(_LIBRARY.search(name)) or ("." not in name and not directory.endswith(".dist-info"))


def compiled_in_layer(entry: Entry, site: str) -> tuple[CompiledFile, ...]:
    """The compiled files of the layer of one wheel, in the order of their paths.

    ``site`` is where packages are installed, as an absolute path. Raises ``DamagedLayer``.
    """
    wanted = {path for path in entry.paths() if may_be_compiled(path)}
    found: list[CompiledFile] = []
    if not wanted:
        return ()
    try:
        with open_file(entry.path) as stream:
            for path, start, size in files_in(stream.fileno()):
                if path in wanted:
                    _add(found, path, site, partial(_read_part, stream.fileno(), start, size))
    except (OSError, ValueError) as error:
        raise damaged(f"{entry.path} cannot be read: {error}", [entry.path]) from error
    return tuple(sorted(found, key=lambda file: file.path))


def compiled_in_wheel(path: Path, prefix: Prefix) -> tuple[CompiledFile, ...]:
    """The same of the wheel at ``path``, as it would be installed to ``prefix``. Raises ``WheelRefused``."""
    found: list[CompiledFile] = []
    try:
        with Wheel(path, prefix) as wheel:
            for member in wheel.members:
                if may_be_compiled(member.path):
                    _add_member(found, wheel, member, prefix.site_path)
    except DAMAGED as error:
        raise WheelRefused(f"{path.name} is damaged ({error})") from error
    return tuple(sorted(found, key=lambda file: file.path))


def compiled_file(path: str, site: str, read: ReadAt) -> CompiledFile | None:
    """The file at ``path`` (in the image, without a leading slash), or ``None`` for what is no ELF file."""
    elf = read_elf_at(read)
    if elf is None:
        return None
    releases = [_MARKS.get(each) or each.removeprefix("GLIBC_") for each in elf.versions if _is_release(each)]
    return CompiledFile(
        path=posixpath.relpath(f"/{path}", site),
        machine=elf.machine,
        needed=elf.needed,
        soname=elf.soname,
        search=elf.search,
        glibc=max(releases, key=release_key, default=None),
        # A library with a loader of its own can be started as well: it tells its version then.
        is_program=elf.loader is not None and elf.soname is None,
    )


def release_key(text: str) -> tuple[int, ...]:
    """``2.17`` as it is compared with others."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _is_release(version: str) -> bool:
    return version in _MARKS or bool(_RELEASE.fullmatch(version))


def _add(found: list[CompiledFile], path: str, site: str, read: ReadAt) -> None:
    file = compiled_file(path, site, read)
    if file is not None:
        found.append(file)


def _add_member(found: list[CompiledFile], wheel: Wheel, member: Member, site: str) -> None:
    if member.info.file_size <= LARGEST_HELD:
        _add(found, member.path, site, _in_bytes(wheel.read(member)))
        return
    # What a loader reads lies anywhere in the file, and a wheel is unpacked from its beginning.
    with tempfile.TemporaryFile() as whole:
        for piece in wheel.stream(member):
            whole.write(piece)
        _add(found, member.path, site, _in_stream(whole))


def _read_part(file: int, start: int, size: int, offset: int, length: int) -> bytes:
    """Up to ``length`` bytes at ``offset`` of the part of ``file`` that begins at ``start`` and has ``size`` bytes."""
    return os.pread(file, max(0, min(length, size - offset)), start + offset)


def _in_stream(stream: IO[bytes]) -> ReadAt:
    def read(offset: int, size: int) -> bytes:
        stream.seek(offset)
        return stream.read(size)

    return read


def _in_bytes(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]
