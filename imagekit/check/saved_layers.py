"""The layers in an engine's archive of an image (``docker save``), read as it streams by.

Layers may lie in the archive in any order, and what says which is which comes last.
Sources: image-spec image-layout.md; the Docker image specification's ``manifest.json``.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, TypeVar

from imagekit.check.leaks import Leak, leaks_of_member
from imagekit.engine.stream import PiecesReader
from imagekit.errors import EngineError
from imagekit.oci.digest import Digest
from imagekit.secrets.needles import Needles
from imagekit.stages.layer_stream import decompressed

_PIECE = 1 << 20
# A manifest or a configuration; whatever else begins with a brace is no layer either.
_DOCUMENT = 8 << 20
# What is shorter than a block and not packed is no archive: older engines put a VERSION beside each layer.
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_Read = TypeVar("_Read")


def read_layers(
    archive: Iterable[bytes], read: Callable[[tarfile.TarFile], _Read], skip: Callable[[str], bool] = lambda name: False
) -> list[_Read | None]:
    """What ``read`` makes of each layer of the image in ``archive``, the lowest first.

    ``None`` for those whose name in the archive ``skip`` knows. Raises ``EngineError`` for an archive that
    cannot be read.
    """
    layers: dict[str, _Read | None] = {}
    documents: dict[str, Any] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=PiecesReader(archive), mode="r|") as outer:
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
                if head[:1] in (b"{", b"[") and not is_tar:
                    documents[member.name] = json.loads(stream.read(_DOCUMENT))
                elif is_tar or member.size >= tarfile.BLOCKSIZE or head.startswith((_GZIP, _ZSTD)):
                    layers[member.name] = None if skip(member.name) else _layer(stream, read)
        found = []
        for name in _order(documents):
            known = _followed(name, links, layers)
            if known not in layers:
                raise EngineError(
                    f"the engine's archive of the image lacks its layer {name}", hint="pull or build it anew"
                )
            found.append(layers[known])
        return found
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> EngineError:
    """The error for an archive in which ``error`` was found."""
    return EngineError(f"the engine's archive of the image cannot be read ({error})", hint="try it again")


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a layer, each forgotten when the next is asked for: ``tarfile`` remembers all."""
    for member in archive:
        yield member
        archive.members = []  # type: ignore[attr-defined]
        member.tarfile = None


def leaks_of_archive(
    archive: Iterable[bytes], diff_ids: Sequence[Digest], *, below: int, needles: Needles
) -> list[Leak]:
    """What the layers of the image in ``archive``, which has ``diff_ids``, hold, but for its lowest ``below``."""
    # The classic store names a layer by its diff ID, the containerd store by that of its blob.
    names = {digest.removeprefix("sha256:") for digest in diff_ids[:below]}

    def read(layer: tarfile.TarFile) -> list[Leak]:
        return [leak for member in members(layer) for leak in leaks_of_member(layer, member, needles)]

    found = read_layers(archive, read, lambda name: not names.isdisjoint(name.split("/")))
    layers = list(zip(diff_ids, found, strict=True))[below:]
    return [leak._replace(layer=diff_id) for diff_id, leaks in layers for leak in leaks or ()]


def _layer(stream: IO[bytes], read: Callable[[tarfile.TarFile], _Read]) -> _Read:
    # The containerd store keeps layers as they came: plain, or compressed by gzip or zstd.
    pieces = decompressed(iter(lambda: stream.read(_PIECE), b""))
    with tarfile.open(fileobj=PiecesReader(pieces), mode="r|") as inner:
        found = read(inner)
    for _ in pieces:  # to its end: it may be cut short behind the last member
        pass
    return found


def _order(documents: Mapping[str, Any]) -> list[str]:
    """The names of the layers in the archive, the lowest first."""
    manifest = documents.get("manifest.json")
    if not isinstance(manifest, list) or len(manifest) != 1:
        raise EngineError("the engine's archive is not of one image", hint="try it again")
    return [str(name) for name in manifest[0]["Layers"]]


def _followed(name: str, links: Mapping[str, str], known: Mapping[str, object]) -> str:
    for _ in range(len(links) + 1):
        if name in known or name not in links:
            return name
        name = re.sub(r"^(\.\./)+", "", links[name])
    return name
