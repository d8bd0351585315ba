"""What takes how much of an image: its files by the Debian package that brought them.

Sources: dpkg-query(1) (``var/lib/dpkg/info/*.list``), deb-control(5) (``Section``), PEP 3147 (``__pycache__``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from imagekit.check.saved_image import File, files_of
from imagekit.stanzas import stanzas

_STATUS = "/var/lib/dpkg/status"
_LIST = re.compile(r"/var/lib/dpkg/info/(?P<name>[^/:]+)(:[^/]+)?\.list")
NO_SECTION = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSize:
    """One package, or a directory of files that are of none (its ``name`` is the path, ``section`` is ``-``)."""

    name: str
    version: str
    section: str  # as Debian sorts packages: python, libs, devel
    size: int  # bytes of its files' contents


def sizes_of(archive: Iterable[bytes]) -> tuple[PackageSize, ...]:
    """What the image in ``archive`` (``docker save``) is made of, the largest first.

    Bytecode counts with its source's package; what scripts of packages made, and what is of none, by its
    directory. A file with several names counts once. Raises ``EngineError`` for an archive that cannot be read.
    """
    files = files_of(archive, lambda path: path == _STATUS or _LIST.fullmatch(path) is not None)
    known = dict(_packages(files))
    owners = dict(_owners(files))
    sizes: dict[str, int] = {}
    seen: set[int] = set()
    # Of a file's names the one that a package has goes first.
    for path, file in sorted(files.items(), key=lambda entry: (entry[0] not in owners, entry[0])):
        if file.kind != "file" or id(file.content) in seen:
            continue
        seen.add(id(file.content))
        owner = owners.get(path) or owners.get(_source_of(path)) or _place_of(path)
        sizes[owner] = sizes.get(owner, 0) + file.size
    found = (
        PackageSize(
            name=name, version=known.get(name, ("", ""))[0], section=known.get(name, ("", NO_SECTION))[1], size=n
        )
        for name, n in sizes.items()
    )
    return tuple(sorted(found, key=lambda part: (-part.size, part.name)))


def _packages(files: Mapping[str, File]) -> Iterator[tuple[str, tuple[str, str]]]:
    """By name, version and section of each package that dpkg says is there."""
    for fields in stanzas(_text(files.get(_STATUS))):
        yield fields["Package"], (fields.get("Version", ""), fields.get("Section", NO_SECTION).rpartition("/")[2])


def _owners(files: Mapping[str, File]) -> Iterator[tuple[str, str]]:
    """By path, the package that has it in its list."""
    for path, file in files.items():
        if (match := _LIST.fullmatch(path)) is None:
            continue
        for line in _text(file).splitlines():
            # Packages of before /usr was merged name files where a link leads by now.
            yield (line if line in files else f"/usr{line}"), match["name"]


def _source_of(path: str) -> str:
    directory, name = posixpath.split(path)
    if posixpath.basename(directory) != "__pycache__":
        return path
    return f"{posixpath.dirname(directory)}/{name.partition('.')[0]}.py"


def _place_of(path: str) -> str:
    """The directory by which a file of no package is told: two names deep, where there are so many."""
    return "/".join(path.split("/")[:3]) if path.count("/") > 2 else posixpath.dirname(path)


def _text(file: File | None) -> str:
    data = file.content.data if file is not None and file.content is not None else None
    return (data or b"").decode("utf-8", "replace")
