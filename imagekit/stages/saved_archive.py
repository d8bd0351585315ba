"""An engine's archive of an image (``docker save``), read as it streams by.

Layers may lie in the archive in any order, and what says which is which comes last.
Sources: image-spec image-layout.md; the Docker image specification's ``manifest.json``.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Generic, TypeVar

from imagekit.engine.stream import PiecesReader
from imagekit.errors import EngineError
from imagekit.stages.layer_stream import decompressed

_PIECE = 1 << 20
# A manifest or a configuration; whatever else begins with a brace is no layer either.
_DOCUMENT = 8 << 20
# What is shorter than a block and not packed is no archive: older engines put a VERSION beside each layer.
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(Generic[_Read]):
    """The image of an archive: its configuration's bytes, and what was made of each layer, the lowest first."""

    config: bytes  # empty where the archive has none
    layers: tuple[_Read | None, ...]  # None for those that were skipped


def read_saved(
    archive: Iterable[bytes], read: Callable[[tarfile.TarFile], _Read], skip: Callable[[str], bool] = lambda name: False
) -> Saved[_Read]:
    """What ``read`` makes of each layer of the image in ``archive``, but for those whose name there ``skip`` knows.

    The classic store names a layer by its diff ID, the containerd store by that of its blob. Raises ``EngineError``
    for an archive that cannot be read.
    """
    layers: dict[str, _Read | None] = {}
    documents: dict[str, bytes] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=PiecesReader(archive), mode="r|", bufsize=_PIECE) as outer:
            for member in outer:
                if member.issym():
                    # Older engines: a layer that is in the archive already.
                    links[member.name] = member.linkname
                stream = outer.extractfile(member) if member.isreg() else None
                if stream is None:
                    continue
                head = stream.peek(tarfile.BLOCKSIZE)  # type: ignore[attr-defined]
                # A tar archive begins with a file's name, which may be anything.
                is_tar = head[257:262] == b"ustar"
                if head.lstrip()[:1] in (b"{", b"[") and not is_tar:
                    documents[member.name] = stream.read(_DOCUMENT)
                elif is_tar or member.size >= tarfile.BLOCKSIZE or head.startswith((_GZIP, _ZSTD)):
                    layers[member.name] = None if skip(member.name) else _layer(stream, read)
        config, names = _image(documents)
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(error) from error
    places = [_followed(name, links, layers) for name in names]
    if lacking := [name for name, place in zip(names, places, strict=True) if place not in layers]:
        raise EngineError(
            f"the engine's archive of the image lacks its layer {lacking[0]}", hint="pull or build it anew"
        )
    return Saved(config=documents.get(config, b""), layers=tuple(layers[place] for place in places))


def unreadable(error: Exception) -> EngineError:
    """The error for an archive in which ``error`` was found."""
    return EngineError(f"the engine's archive of the image cannot be read ({error})", hint="try it again")


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a layer, each forgotten when the next is asked for: ``tarfile`` remembers all."""
    for member in archive:
        yield member
        archive.members = []  # type: ignore[attr-defined]
        member.tarfile = None


def _layer(stream: IO[bytes], read: Callable[[tarfile.TarFile], _Read]) -> _Read:
    # The containerd store keeps layers as they came: plain, or compressed by gzip or zstd.
    pieces = decompressed(iter(lambda: stream.read(_PIECE), b""))
    with tarfile.open(fileobj=PiecesReader(pieces), mode="r|", bufsize=1 << 16) as inner:
        found = read(inner)
    for _ in pieces:  # to its end: it may be cut short behind the last member
        pass
    return found


def _image(documents: Mapping[str, bytes]) -> tuple[str, list[str]]:
    """The names of the configuration and of the layers, the lowest first, of the one image in ``manifest.json``."""
    manifest = json.loads(documents.get("manifest.json", b"null"))
    if not isinstance(manifest, list) or len(manifest) != 1:
        raise EngineError("the engine's archive is not of one image", hint="try it again")
    try:
        return str(manifest[0].get("Config")), [str(name) for name in manifest[0]["Layers"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise unreadable(error) from error


def _followed(name: str, links: Mapping[str, str], known: Mapping[str, object]) -> str:
    for _ in range(len(links) + 1):
        if name in known or name not in links:
            return name
        name = re.sub(r"^(\.\./)+", "", links[name])
    return name
