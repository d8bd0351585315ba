"""Several layers of the cache as one: the union of their directories, and their files one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from imagekit.layers import archive
from imagekit.layers.cache import Entry, LayerCache
from imagekit.layers.directories import Directories
from imagekit.layers.values import FileRange, Layer, damaged
from imagekit.oci.digest import Digest


def together(
    cache: LayerCache, key: Digest, entries: Sequence[Entry], special: Iterable[tuple[str, int, int, int]]
) -> Layer:
    """The layer of ``entries``, read from where they lie; its digest is kept under ``key``.

    ``special`` are the directories that are not 0755 root's. One entry is a layer by itself.
    """
    if len(entries) == 1:
        return whole(entries[0])
    found = Directories(special)
    head = b"".join(map(found.member, _union(entry.directories for entry in entries)))
    pieces: tuple[bytes | FileRange, ...] = (head, *(entry.members for entry in entries), archive.END)
    size = len(head) + sum(end - start for start, end in (entry.body for entry in entries)) + len(archive.END)
    diff_id = cache.group(key)
    if diff_id is None:
        diff_id = _digest_together(head, entries)
        cache.keep_group(key, diff_id)
    return Layer(
        diff_id=diff_id,
        size=size,
        pieces=pieces,
        cached=all(entry.cached for entry in entries),
        noted=cache.group_path(key),
    )


def whole(entry: Entry) -> Layer:
    """A layer of the cache as it is."""
    return Layer(diff_id=entry.diff_id, size=entry.size, pieces=(entry.whole,), cached=entry.cached)


def _digest_together(head: bytes, entries: Iterable[Entry]) -> Digest:
    """The digest of the layer that ``entries`` make under ``head``; each is verified along the way."""
    every = hashlib.sha256(head)
    for entry in entries:
        own, (start, end), passed = hashlib.sha256(), entry.body, 0
        for chunk in entry.whole.chunks():
            own.update(chunk)
            every.update(chunk[max(0, start - passed) : max(0, end - passed)])
            passed += len(chunk)
        if "sha256:" + own.hexdigest() != entry.diff_id:
            # What is remembered of wrong bytes would make them right.
            raise damaged(f"{entry.path} is not what was written", [entry.path])
    every.update(archive.END)
    return Digest("sha256:" + every.hexdigest())


def _union(directories: Iterable[Iterable[str]]) -> list[str]:
    return sorted({path for several in directories for path in several})
