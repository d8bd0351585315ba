"""The layer cache: layers by the key of what went into them, for good.

``<root>/<two hex digits>/<key>.tar`` holds a layer, ``<key>.json`` what is known of it and
``<key>.paths`` its files, a line each. The JSON file is renamed into place last and read
first, so an entry is there whole or not at all, whichever process wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagekit.atomic import replacing, write_whole
from imagekit.layers.wheel_layer import WrittenLayer
from imagekit.oci.digest import Digest, is_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A layer of the cache."""

    path: Path
    diff_id: Digest
    size: int
    body: tuple[int, int]
    directories: tuple[str, ...]
    cached: bool  # it was there before

    def paths(self) -> list[str]:
        """Its files' paths in the image, without a leading slash."""
        return self.path.with_suffix(".paths").read_text("utf-8").split("\n")[:-1]


class LayerCache:
    """A directory of layers that several processes may share.

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
            known = json.loads(path.with_suffix(".json").read_bytes())
            entry = Entry(
                path=path,
                diff_id=Digest(known["diff_id"]),
                size=known["size"],
                body=(known["body"][0], known["body"][1]),
                directories=tuple(known["directories"]),
                cached=True,
            )
            whole = path.stat().st_size == entry.size and path.with_suffix(".paths").exists()
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            # Missing or damaged: it is made again, which is always right.
            return None
        return entry if whole else None

    def put(self, key: Digest, write: Callable[[BinaryIO], WrittenLayer]) -> Entry:
        """The layer that ``write`` writes, kept under ``key``."""
        path = self._path(key)
        with replacing(path) as out:
            written = write(out)
        write_whole(path.with_suffix(".paths"), "".join(f"{p}\n" for p in written.paths).encode())
        known = {
            "diff_id": written.diff_id,
            "size": written.size,
            "body": written.body,
            "directories": written.directories,
        }
        write_whole(path.with_suffix(".json"), json.dumps(known).encode())
        return Entry(
            path=path,
            diff_id=written.diff_id,
            size=written.size,
            body=written.body,
            directories=written.directories,
            cached=False,
        )

    def group(self, key: Digest) -> Digest | None:
        """The digest of the layer that several of the cache's make together, if it is known."""
        try:
            text = self._path(key).with_suffix(".group").read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return Digest(text) if is_digest(text) else None

    def keep_group(self, key: Digest, diff_id: Digest) -> None:
        """Remember the digest of a layer that several of the cache's make together."""
        write_whole(self._path(key).with_suffix(".group"), diff_id.encode())

    def _path(self, key: Digest) -> Path:
        name = key.removeprefix("sha256:")
        return self._root / name[:2] / f"{name}.tar"
