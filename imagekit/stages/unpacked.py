"""A base's file system without running it: one pass over its layers.

The pass gives a tree of all that is there, and keeps the content of what an interpreter needs: its
files, its standard library, shared libraries, the loader; and what tells of installed distributions.
The contents are held under numbers until the tree is known, and then put in their places: nothing is
ever written through a link, and no link leads out.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imagekit.atomic import UNFINISHED, is_disk_full
from imagekit.errors import BaseUnusable, DiskFull
from imagekit.oci.content import ImageContent
from imagekit.stages.file_tree import BadLayer, FileTree, Node, parts_of
from imagekit.stages.layer_stream import layer_tar

_LARGEST = 64 << 20  # bytes; a larger library is no interpreter's, but the ones that are named here
_LARGE_ONES = ("python", "libpython")
_ALWAYS = frozenset({"etc/passwd", "etc/group", "etc/ld.so.conf", "etc/os-release", "usr/lib/os-release"})
_SITES = frozenset({"site-packages", "dist-packages"})
_INFO = (".dist-info", ".egg-info", ".egg")
_STATIC = (".a", ".o")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A base as it lies in a directory of ours that is gone at the end."""

    tree: FileTree
    directory: Path  # contents, by number

    def content(self, path: str) -> bytes | None:
        """What the file ``path`` holds, links followed; ``None`` for what is no file, or was not kept."""
        found = self.tree.resolve(path)
        if found is None or found[1].held is None:
            return None
        return self._held(found[1]).read_bytes()

    def names(self, path: str) -> list[str]:
        """What the directory ``path`` holds, sorted; nothing where there is none."""
        found = self.tree.resolve(path)
        return sorted(found[1].children) if found is not None else []

    def is_file(self, path: str) -> bool:
        found = self.tree.resolve(path)
        return found is not None and found[1].kind == "file"

    def is_directory(self, path: str) -> bool:
        found = self.tree.resolve(path)
        return found is not None and found[1].kind == "dir"

    def place(self, root: Path) -> None:
        """Write the kept files and the links among them below ``root``, which is made. To be done once."""
        placed: dict[int, Path] = {}
        links = []
        with _disk(root):
            root.mkdir()
            for path, node in self.tree.walk():
                if node.kind == "link":
                    links.append(path)
                elif node.held is not None:
                    self._place(node, root / path[1:], placed)
            for path in links:
                self._link(path, root)

    def _place(self, node: Node, place: Path, placed: dict[int, Path]) -> None:
        assert node.held is not None
        place.parent.mkdir(parents=True, exist_ok=True)
        if node.held in placed:
            os.link(placed[node.held], place)
            return
        os.rename(self._held(node), place)
        placed[node.held] = place
        if node.mode & 0o111:
            place.chmod(0o700)

    def _link(self, path: str, root: Path) -> None:
        found = self.tree.resolve(path)
        # To where it leads in the end, which is no link and lies within; others lead nowhere or out.
        if found is None or not (root / found[0][1:]).exists() or found[0] == "/":
            return
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(found[0], os.path.dirname(path)))

    def _held(self, node: Node) -> Path:
        return self.directory / str(node.held)


@contextlib.contextmanager
def unpacking(content: ImageContent, reference: str, store: Path) -> Iterator[Unpacked]:
    """``content``, read through once, its digests verified; beside what it holds is room for more, until the end.

    Raises ``BaseUnusable`` for layers that are not what their digests say, or that no image may have.
    """
    if len(content.layers) != len(content.config.diff_ids):
        raise BaseUnusable(
            f"{reference} has {len(content.layers)} layers, and its configuration {len(content.config.diff_ids)}",
            hint="make the base anew",
        )
    with _disk(store):
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(store)
        directory = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=store))
    try:
        held = directory / "held"
        held.mkdir()
        tree = FileTree()
        count = 0
        for number, (blob, diff_id) in enumerate(zip(content.layers, content.config.diff_ids, strict=True)):
            with layer_tar(blob, diff_id, reference) as stream:
                try:
                    count = _apply(stream, number, tree, held, count)
                except (tarfile.TarError, BadLayer, ValueError) as error:
                    raise BaseUnusable(
                        f"layer {blob.descriptor.digest} of {reference} is not one to use: {error}",
                        hint="choose another base image",
                    ) from error
        yield Unpacked(tree=tree, directory=held)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def publish(unpacked: Unpacked, name: str, note: bytes, store: Path) -> Path:
    """The directory ``name`` in ``store`` with ``root/`` and ``note.json``; there whole or not at all.

    Where another process has put one there, that one is it.
    """
    staged = unpacked.directory.parent / "whole"
    with _disk(store):
        staged.mkdir()
        unpacked.place(staged / "root")
        (staged / "note.json").write_bytes(note)
    target = store / name
    try:
        os.rename(staged, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    return target


def _apply(stream: IO[bytes], layer: int, tree: FileTree, held: Path, count: int) -> int:
    with tarfile.open(
        fileobj=stream, mode="r|", bufsize=1 << 16, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for member in archive:
            if not member.isreg() or not _wanted(parts_of(member.name), member.size):
                tree.add(member, layer)
                continue
            content = archive.extractfile(member)
            assert content is not None
            place = held / str(count)
            with _disk(held), place.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 18)
            # A .pyc of the base is only used where the time of its source is the same (PEP 3147).
            os.utime(place, (member.mtime, member.mtime))
            tree.add(member, layer, count)
            count += 1
    return count


def _wanted(parts: list[str], size: int) -> bool:
    """Whether the content of a file is of use to an interpreter, or tells of one."""
    if not parts or any(len(os.fsencode(part)) > 255 for part in parts):
        return False
    path, name = "/".join(parts), parts[-1]
    if path in _ALWAYS or path.startswith("etc/ld.so.conf.d/") or name == "pyvenv.cfg":
        return size <= _LARGEST
    for position, part in enumerate(parts[:-1]):
        if part in _SITES:
            return parts[position + 1].endswith((*_INFO, ".pth")) and size <= _LARGEST
    if any(part.lower().endswith(_INFO) or part in ("EGG-INFO", "conda-meta") for part in parts):
        return size <= _LARGEST and not name.endswith((".py", ".pyc", ".so"))
    if name.endswith(_STATIC) or (size > _LARGEST and not name.startswith(_LARGE_ONES)):
        return False
    return "python" in path or ".so" in name or name.startswith("ld-")


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFull(f"no space left for {place}", hint=f"free some: df -h {place.parent}") from error
        raise


def _sweep(store: Path, *, hours: float = 6.0) -> None:
    """Remove what killed processes left, if it has not changed for ``hours``."""
    limit = time.time() - hours * 3600
    for path in store.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if max(path.stat().st_mtime, (path / "held").stat().st_mtime) < limit:
                shutil.rmtree(path, ignore_errors=True)
