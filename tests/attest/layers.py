"""Layers as archives, made of paths."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

from imagekit.attest.layer_contents import LayerContents, read_layer
from imagekit.stages.file_tree import FileTree

Entry = tuple[str, str | None]  # path; content, or None for a directory; "-> TARGET" for a link


def archive(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in entries:
            member = tarfile.TarInfo(path)
            if content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            elif content.startswith("-> "):
                member.type, member.linkname = tarfile.SYMTYPE, content[3:]
                tar.addfile(member)
            else:
                data = content.encode()
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def contents(entries: Sequence[Entry]) -> LayerContents:
    with tarfile.open(fileobj=io.BytesIO(archive(entries)), mode="r:") as tar:
        return read_layer(tar)


def paths_of(layers: Sequence[Sequence[Entry]]) -> set[str]:
    """The files that are there when an engine unpacks ``layers`` on each other."""
    tree = FileTree()
    for number, entries in enumerate(layers):
        with tarfile.open(fileobj=io.BytesIO(archive(entries)), mode="r:") as tar:
            for member in tar:
                tree.add(member, number)
    return {path[1:] for path, node in tree.walk() if node.kind == "file"}


def metadata(name: str, version: str, *lines: str) -> str:
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", "A description."])
