"""Every file of an image, read from an engine's archive of it (``docker save``) as it streams by.

Contents are hashed and not kept, but for the few that are compared by what they mean.
Source: image-spec layer.md.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from imagekit.stages.file_tree import FileTree
from imagekit.stages.saved_archive import members, read_saved, unreadable

_PIECE = 1 << 20
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


def files_of(archive: Iterable[bytes], keep: Callable[[str], bool] = lambda path: False) -> dict[str, File]:
    """Every path of the image in ``archive``, ``/`` left out. The bytes of files that ``keep`` names come along.

    Raises ``EngineError`` for an archive that cannot be read.
    """
    contents: list[Content] = []
    layers = read_saved(archive, lambda layer: _layer(layer, contents, keep)).layers
    tree = FileTree()
    try:
        for number, layer in enumerate(layers):
            for info, held in layer or ():
                tree.add(info, number, held)
    except ValueError as error:
        raise unreadable(error) from error
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


def _layer(
    layer: tarfile.TarFile, contents: list[Content], keep: Callable[[str], bool]
) -> list[tuple[tarfile.TarInfo, int | None]]:
    """The members, each with the place of its content in ``contents``."""
    found = []
    for member in members(layer):
        held = None
        if member.isreg():
            held = len(contents)
            contents.append(_content(layer, member, keep(f"/{member.name.lstrip('./')}")))
        found.append((member, held))
    return found


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
