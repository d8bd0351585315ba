"""The layer cache: layers by the key of what went into them, for good.

``<root>/<two hex digits>/<key>.tar`` holds a layer, ``<key>.json`` what is known of it and
``<key>.paths`` its files, a line each. The JSON file is renamed into place last and read
first, so an entry is there whole or not at all, whichever process wrote it. It is a
note (``notes``); its modification time says when the layer was last used, to the hour.

That a layer's bytes are right is seen when they are sent (``values.Layer.chunks``): reading
gigabytes before each build would cost more than a damaged disk is worth.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagekit.atomic import replacing, write_whole
from imagekit.layers.values import FileRange, WrittenLayer, damaged, open_file, read_file
from imagekit.notes import from_note, to_note
from imagekit.oci.digest import Digest, is_digest
from imagekit.sharing.leases import MARKED_EVERY, mark_used
from imagekit.sharing.once import SUFFIX, BeingMade, make_once

__all__ = ["BeingMade", "Entry", "LayerCache", "drop", "read_entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A layer of the cache."""

    path: Path
    diff_id: Digest
    size: int
    body: tuple[int, int]
    directories: tuple[str, ...]
    cached: bool  # it was there before
    title: str  # what it holds: a package's pin
    paths_digest: str  # sha256 of the list of its files

    def paths(self) -> list[str]:
        """Its files' paths in the image, without a leading slash. Raises ``DamagedLayer``."""
        path = self.path.with_suffix(".paths")
        try:
            data = read_file(path)
            if hashlib.sha256(data).hexdigest() != self.paths_digest:
                raise damaged(f"{path} is not what was written", [self.path])
            return data.decode("utf-8").split("\n")[:-1]
        except (OSError, UnicodeDecodeError) as error:
            raise damaged(f"{path} cannot be read: {error}", [self.path]) from error

    @property
    def whole(self) -> FileRange:
        """All of its archive."""
        return FileRange(self.path, 0, self.size, self.diff_id)

    @property
    def members(self) -> FileRange:
        """The members that are no directories."""
        return FileRange(self.path, *self.body, self.diff_id)


class LayerCache:
    """A directory of layers that several processes may share: ``layers`` of the cache directory.

    A ``fresh`` one takes nothing that was there before, and replaces what it finds.
    """

    def __init__(self, root: Path, *, fresh: bool = False) -> None:
        self._root = root
        self._fresh = fresh

    def get(self, key: Digest) -> Entry | None:
        """The layer of ``key``, or ``None`` where there is none or it is not whole."""
        if self._fresh:
            return None
        path = self._path(key)
        try:
            known, marked = _noted(path)
            if time.time() - marked >= MARKED_EVERY:
                mark_used(path.with_suffix(".json"), self._root.parent)
                # It may have been taken away before; what is marked stays.
                known, _ = _noted(path)
        except OSError:
            return None
        return _entry(path, known)

    def put(
        self,
        key: Digest,
        write: Callable[[BinaryIO], WrittenLayer],
        *,
        title: str = "",
        wait: bool = True,
        stop: threading.Event | None = None,
    ) -> Entry:
        """The layer that ``write`` writes, kept under ``key``; ``title`` says what it holds.

        Where another process is at it, its layer is waited for; ``BeingMade`` where ``wait`` is false,
        or when ``stop`` is set.
        """
        path = self._path(key)

        def make() -> Entry:
            try:
                return _write(path, write, title)
            except FileNotFoundError:
                # The cache was removed meanwhile; what ``write`` itself reads raises errors of ours.
                return _write(path, write, title)

        return make_once(path.with_suffix(SUFFIX), lambda: self.get(key), make, wait=wait, stop=stop)

    def group(self, key: Digest) -> Digest | None:
        """The digest of the layer that several of the cache's make together, if it is known."""
        if self._fresh:
            return None
        mark_used(self.group_path(key), self._root.parent)
        return self.look_group(key)

    def look_group(self, key: Digest) -> Digest | None:
        """As ``group``, for who only wants to know: it does not count as used."""
        path = self.group_path(key)
        try:
            text = read_file(path).decode("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return Digest(text) if is_digest(text) else None

    def keep_group(self, key: Digest, diff_id: Digest) -> None:
        """Remember the digest of a layer that several of the cache's make together."""
        path = self.group_path(key)
        _make_way(path)
        write_whole(path, diff_id.encode())

    def group_path(self, key: Digest) -> Path:
        """The file of such a digest."""
        return self._path(key).with_suffix(".group")

    def is_noted(self, key: Digest) -> bool:
        """Whether ``note`` was called with ``key``."""
        path = self._path(key).with_suffix(".note")
        mark_used(path, self._root.parent)
        return not self._fresh and path.is_file()

    def note(self, key: Digest) -> None:
        """Remember that something was seen to, whose name is ``key``."""
        path = self._path(key).with_suffix(".note")
        _make_way(path)
        write_whole(path, b"")

    def drop(self, key: Digest) -> None:
        """Forget the layer of ``key``."""
        drop(self._path(key))

    def look(self, key: Digest) -> Entry | None:
        """The layer of ``key`` as ``get`` has it, for who only wants to know: it does not count as used."""
        return read_entry(self._path(key))

    def look_up(self, digits: str) -> Entry | None:
        """The layer whose key begins with these hex digits, twelve or more; it does not count as used."""
        places = self._root.glob(f"{glob.escape(digits[:2])}/{glob.escape(digits)}*.json")
        return next((entry for place in sorted(places) if (entry := read_entry(place.with_suffix(".tar")))), None)

    def _path(self, key: Digest) -> Path:
        name = key.removeprefix("sha256:")
        return Path(f"{self._root}/{name[:2]}/{name}.tar")


def read_entry(path: Path) -> Entry | None:
    """The entry of the archive at ``path``; ``None`` where there is none or it is not whole."""
    try:
        return _entry(path, _noted(path)[0])
    except OSError:
        return None


def _noted(path: Path) -> tuple[bytes, float]:
    """What is noted of the archive at ``path``, and when it was last used."""
    # A build asks for each of its layers: paths as text, and as few calls as there can be.
    with open_file(f"{os.fspath(path)[:-4]}.json") as source:
        return source.readall(), os.fstat(source.fileno()).st_mtime


def _entry(path: Path, noted: bytes) -> Entry | None:
    try:
        fields = from_note(noted)
        entry = Entry(
            path=path,
            diff_id=Digest(fields["diff_id"]),
            size=fields["size"],
            body=(fields["body"][0], fields["body"][1]),
            directories=tuple(fields["directories"]),
            cached=True,
            title=fields["title"],
            paths_digest=fields["paths"],
        )
        archive = os.fspath(path)
        found = os.stat(archive)
        whole = stat.S_ISREG(found.st_mode) and found.st_size == entry.size
        whole = whole and os.path.isfile(f"{archive[:-4]}.paths")
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        # Missing or damaged: it is made again, which is always right.
        return None
    return entry if whole else None


def drop(path: Path) -> None:
    """Remove the entry that the file ``path`` of a cache belongs to: all that has its name up to the first dot."""
    name = path.name.partition(".")[0]
    for each in sorted(path.parent.glob(f"{glob.escape(name)}.*"), key=lambda p: p.suffix != ".json"):
        if each.suffix != SUFFIX:
            _remove(each)


def _write(path: Path, write: Callable[[BinaryIO], WrittenLayer], title: str) -> Entry:
    for suffix in (".json", ".tar", ".paths"):
        _make_way(path.with_suffix(suffix))
    with replacing(path) as out:
        written = write(out)
    paths = "".join(f"{p}\n" for p in written.paths).encode()
    write_whole(path.with_suffix(".paths"), paths)
    paths_digest = hashlib.sha256(paths).hexdigest()
    note = {
        "diff_id": written.diff_id,
        "size": written.size,
        "body": written.body,
        "directories": written.directories,
        "title": title,
        "paths": paths_digest,
    }
    write_whole(path.with_suffix(".json"), to_note(note))
    return Entry(
        path=path,
        diff_id=written.diff_id,
        size=written.size,
        body=written.body,
        directories=written.directories,
        cached=False,
        title=title,
        paths_digest=paths_digest,
    )


def _make_way(path: Path) -> None:
    # A file takes a file's place when it is renamed there, and no directory's.
    if path.is_dir() and not path.is_symlink():
        _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            os.unlink(path)
