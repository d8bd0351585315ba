"""Every file of an image, read from an engine's archive of it (``docker save``) as it streams by.

Contents are hashed and not kept, but for the few that are compared by what they mean. Layers may lie
in the archive in any order, so what each one says is kept until all have been seen.
Sources: image-spec layer.md, image-layout.md; the Docker image specification's ``manifest.json``.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from imagekit.errors import EngineError
from imagekit.stages.file_tree import FileTree
from imagekit.stages.layer_stream import decompressed

_PIECE = 1 << 20
# A manifest or a configuration; whatever else begins with a brace is no layer either.
_DOCUMENT = 8 << 20
# What is shorter than a block and not packed is no archive: older engines put a VERSION beside each layer.
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_XATTR = "SCHILY.xattr."


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its digest, and the bytes of those that were asked for."""

    digest: str  # sha256 in hex; of the extended attributes, too, where there are some
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What an image has at a path. Times are left out: they tell when it was made."""

    kind: str  # dir, file, link, other
    mode: int
    uid: int
    gid: int
    size: int = 0
    target: str = ""  # of a link
    content: Content | None = None  # of a file


@dataclass(slots=True)
class _Layer:
    members: list[tuple[tarfile.TarInfo, int | None]]


def files_of(archive: Iterable[bytes], keep: Callable[[str], bool] = lambda path: False) -> dict[str, File]:
    """Every path of the image in ``archive``, ``/`` left out. The bytes of files that ``keep`` names come along.

    Raises ``EngineError`` for an archive that cannot be read.
    """
    contents: list[Content] = []
    layers: dict[str, _Layer] = {}
    documents: dict[str, Any] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=cast(IO[bytes], _Stream(archive)), mode="r|") as outer:
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
                    layers[member.name] = _layer(stream, contents, keep)
        tree = FileTree()
        for number, name in enumerate(_order(documents)):
            layer = layers.get(_followed(name, links, layers))
            if layer is None:
                raise EngineError(
                    f"the engine's archive of the image lacks its layer {name}", hint="pull or build it anew"
                )
            for info, held in layer.members:
                tree.add(info, number, held)
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise EngineError(f"the engine's archive of the image cannot be read ({error})", hint="try it again") from error
    return {
        path: File(
            kind=node.kind,
            mode=node.mode,
            uid=node.uid,
            gid=node.gid,
            size=node.size,
            target=node.target,
            content=contents[node.held] if node.held is not None else None,
        )
        for path, node in tree.walk()
    }


def _layer(stream: IO[bytes], contents: list[Content], keep: Callable[[str], bool]) -> _Layer:
    layer = _Layer([])
    # The containerd store keeps layers as they came: plain, or compressed by gzip or zstd.
    pieces = decompressed(iter(lambda: stream.read(_PIECE), b""))
    with tarfile.open(fileobj=cast(IO[bytes], _Stream(pieces)), mode="r|") as inner:
        for member in inner:
            held = None
            if member.isreg():
                held = len(contents)
                contents.append(_content(inner, member, keep(f"/{member.name.lstrip('./')}")))
            layer.members.append((member, held))
            # tarfile remembers every member it has seen.
            inner.members = []  # type: ignore[attr-defined]
            member.tarfile = None
    for _ in pieces:  # to its end: it may be cut short behind the last member
        pass
    return layer


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, keep: bool) -> Content:
    hashed, kept = hashlib.sha256(), io.BytesIO()
    stream = archive.extractfile(member)
    assert stream is not None
    while piece := stream.read(_PIECE):
        hashed.update(piece)
        if keep:
            kept.write(piece)
    for name, value in sorted(member.pax_headers.items()):
        if name.startswith(_XATTR):
            hashed.update(f"\0{name}={value}".encode("utf-8", "surrogateescape"))
    return Content(hashed.hexdigest(), kept.getvalue() if keep else None)


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


class _Stream:
    """An iterator of pieces as the file that ``tarfile`` reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._left = b""

    def read(self, size: int) -> bytes:
        found = []
        while size > 0:
            if not self._left:
                self._left = next(self._pieces, b"")
                if not self._left:
                    break
            found.append(self._left[:size])
            self._left = self._left[size:]
            size -= len(found[-1])
        return b"".join(found)
