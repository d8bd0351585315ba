"""Which files of the source differ from those in a layer that was made of it."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from imagekit.plan.changes import FileChanges
from imagekit.spec.source_tree import SourceFile, SourceTree

_PIECE = 1 << 20


def changed_files(layer: Path, below: str, tree: SourceTree) -> FileChanges | None:
    """``tree`` compared with the files under ``below`` (``app``) of the uncompressed ``layer``.

    ``None`` where the layer cannot be read. Directories are passed over: they come with their files.
    """
    try:
        with tarfile.open(layer, "r:") as archive:
            return _compared(archive, f"{below}/" if below else "", tree)
    except (OSError, tarfile.TarError):
        return None


def files_of(layer: Path) -> dict[str, str] | None:
    """The files of the uncompressed ``layer``: ``/PATH`` in the image → digest of its content, kind and mode.

    ``None`` where the layer cannot be read.
    """
    found = {}
    try:
        with tarfile.open(layer, "r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                digest = hashlib.sha256(f"{member.type!r} {member.mode:o} {member.linkname}\0".encode())
                content = archive.extractfile(member) if member.isreg() else None
                while content is not None and (piece := content.read(_PIECE)):
                    digest.update(piece)
                found[f"/{member.name}"] = digest.hexdigest()
    except (OSError, tarfile.TarError):
        return None
    return found


def _compared(archive: tarfile.TarFile, below: str, tree: SourceTree) -> FileChanges:
    now = {file.path: file for file in tree.files if file.kind != "dir"}
    changed, removed = [], []
    for member in archive:
        if member.isdir() or not member.name.startswith(below):
            continue
        path = member.name[len(below) :]
        file = now.pop(path, None)
        if file is None:
            removed.append(path)
        elif not _same(archive, member, file, tree.root / path):
            changed.append(path)
    return FileChanges(added=tuple(sorted(now)), changed=tuple(sorted(changed)), removed=tuple(sorted(removed)))


def _same(archive: tarfile.TarFile, member: tarfile.TarInfo, file: SourceFile, path: Path) -> bool:
    if member.issym() or file.kind == "symlink":
        return member.issym() and file.kind == "symlink" and member.linkname == file.link_target
    if member.size != file.size or bool(member.mode & 0o100) != file.executable:
        return False
    before = archive.extractfile(member)
    if before is None:
        return False
    with before, open(path, "rb") as after:
        return all(a == b for a, b in _pieces(before, after))


def _pieces(one: IO[bytes], other: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while True:
        pair = one.read(_PIECE), other.read(_PIECE)
        if not any(pair):
            return
        yield pair
