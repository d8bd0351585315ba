"""What one layer says of installed packages: the records that it adds, and those of lower layers that it hides.

It depends on nothing but the layer, so it is kept by diff ID and read once on a machine.
Sources: image-spec layer.md (whiteouts); PEP 376, 427 (``.dist-info``); ``dpkg(1)``, ``status``; ``os-release(5)``;
conda's ``PrefixRecord`` (``conda-meta``).
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imagekit.atomic import write_whole
from imagekit.errors import DiskFull
from imagekit.layers.values import read_file
from imagekit.notes import from_note, to_note
from imagekit.oci.digest import Digest
from imagekit.sharing.leases import mark_used

# Part of what is kept: raised when more is read of a layer than before.
FORMAT = 2
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_SITES = r"(?:.*/)?(?:site|dist)-packages"
_RECORDS = re.compile(
    rf"{_SITES}/[^/]+\.dist-info/(?:METADATA|direct_url\.json|INSTALLER)"
    rf"|{_SITES}/[^/]+\.egg-info(?:/PKG-INFO)?"
    r"|(?:.*/)?conda-meta/[^/]+\.json"
    r"|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+"
    r"|(?:etc|usr/lib)/os-release"
)
_PLACES = re.compile(r"-packages$|-info$|^conda-meta$")
# A wheel's header and its description, which is left out, are one file.
_MOST_METADATA = 4 << 20
_OF_CONDA = ("name", "version", "build", "subdir", "channel", "fn", "url", "sha256", "license")
_MOST_STATUS = 64 << 20
_DIRECTORY = "contents"


@dataclass(frozen=True, slots=True)
class LayerContents:
    """One layer's part in what is installed. Paths are relative to the root."""

    files: dict[str, str]  # path → text
    hidden: tuple[str, ...] = ()  # of lower layers, with all that is below them
    emptied: tuple[str, ...] = ()  # directories of which lower layers' content is hidden


def read_layer(archive: tarfile.TarFile) -> LayerContents:
    """What the layer in ``archive``, read from its beginning, says of packages. Raises ``tarfile.TarError``."""
    files: dict[str, str] = {}
    hidden: list[str] = []
    emptied: list[str] = []
    while (member := archive.next()) is not None:
        path = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        directory, _, name = path.rpartition("/")
        if name == _OPAQUE:
            emptied.append(directory)
        elif name.startswith(_WHITEOUT):
            if not name.startswith(_WHITEOUT * 2):
                hidden.append(f"{directory}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        elif not member.isdir() and (not member.isreg() or _PLACES.search(name)):
            # In a directory's place it takes away what was below that.
            hidden.append(path)
        if member.isreg() and not name.startswith(_WHITEOUT) and _RECORDS.fullmatch(path):
            content = archive.extractfile(member)
            most = _MOST_STATUS if "dpkg" in path or "conda-meta/" in path else _MOST_METADATA
            if content is not None and member.size <= most:
                files[path] = _kept(path, content.read())
        # tarfile remembers every member it has seen.
        archive.members = []  # type: ignore[attr-defined]
    return LayerContents(files, tuple(hidden), tuple(emptied))


def _kept(path: str, data: bytes) -> str:
    if "conda-meta/" in path:
        return _of_conda(data)
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    # After the empty line comes the description.
    return text.partition("\n\n")[0] + "\n" if "-packages/" in path and "json" not in path else text


def _of_conda(data: bytes) -> str:
    """What conda's record of a package says of it, without the list of its files."""
    try:
        found = json.loads(data)
        return json.dumps({name: found[name] for name in _OF_CONDA if found.get(name)}, sort_keys=True)
    except (ValueError, TypeError, AttributeError):
        return ""


def merged(layers: Sequence[LayerContents]) -> dict[str, str]:
    """The records that are there when ``layers`` lie on each other, the lowest first: path → text."""
    found: dict[str, str] = {}
    for layer in layers:
        if layer.hidden or layer.emptied:
            above = [*layer.hidden, *layer.emptied]
            found = {path: text for path, text in found.items() if not _is_below(path, above)}
        found.update(layer.files)
    return dict(sorted(found.items()))


def _is_below(path: str, places: Sequence[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") or not place for place in places)


class ContentsCache:
    """What layers say of packages, kept in ``cache`` (the cache directory) by diff ID."""

    def __init__(self, cache: Path) -> None:
        self._directory = cache / _DIRECTORY
        self._root = cache

    def get(self, diff_id: Digest) -> LayerContents | None:
        path = self._path(diff_id)
        try:
            known = from_note(read_file(path))
            if known["format"] != FORMAT:
                return None
            found = LayerContents(dict(known["files"]), tuple(known["hidden"]), tuple(known["emptied"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        mark_used(path, self._root)
        return found

    def keep(self, diff_id: Digest, found: LayerContents) -> LayerContents:
        value = {"format": FORMAT, "files": found.files, "hidden": found.hidden, "emptied": found.emptied}
        # What is only remembered must not end what is under way.
        with suppress(OSError, DiskFull):
            write_whole(self._path(diff_id), to_note(value))
        return found

    def _path(self, diff_id: Digest) -> Path:
        return self._directory / f"{diff_id.removeprefix('sha256:')}.json"


def read_stream(stream: IO[bytes]) -> LayerContents:
    """As ``read_layer``, of a stream that cannot go back."""
    with tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 16, encoding="utf-8", errors="surrogateescape") as found:
        return read_layer(found)
