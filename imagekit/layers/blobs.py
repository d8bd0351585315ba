"""The blob cache: layers as registries and layouts hold them, compressed once.

``<root>/<two hex digits>/<name>.tar.gz`` holds a blob, and ``<name>.json``, renamed into place
last and read first, what is known of it (``notes``). The name is the diff ID of what was
compressed here. A blob that was made elsewhere is kept under its own digest, as ``<name>.blob``.

That a blob's bytes are right is seen whenever they are read.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from imagekit.atomic import replacing, write_whole
from imagekit.errors import DamagedLayer
from imagekit.layers.cache import drop
from imagekit.layers.gzip_members import codec, compressed
from imagekit.layers.values import FileRange, Layer
from imagekit.notes import from_note, to_note
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest, is_digest
from imagekit.oci.manifest import LAYER_GZIP, Descriptor
from imagekit.sharing.leases import mark_used
from imagekit.sharing.once import SUFFIX, make_once

_GZIP, _AS_IT_CAME = ".tar.gz", ".blob"
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class BlobFile:
    """A blob in a file, verified as it is read."""

    path: Path
    digest: Digest
    size: int

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from offset ``start`` on; ``DamagedLayer`` before the last of them where any is wrong."""
        whole = Layer(diff_id=self.digest, size=self.size, pieces=(FileRange(self.path, 0, self.size),), cached=True)
        return whole.chunks(start)


class BlobCache:
    """A directory of compressed layers that several processes may share: ``blobs`` of the cache directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, diff_id: Digest) -> Blob | None:
        """The layer of ``diff_id`` as it is compressed here, or ``None`` where it is not there or not whole."""
        return self._find(diff_id, _GZIP)

    def look(self, diff_id: Digest) -> Blob | None:
        """As ``get``, for who only wants to know: it does not count as used."""
        return self._find(diff_id, _GZIP, is_used=False)

    def gzip(self, layer: Layer, *, pool: Executor | None = None, advance: Advance | None = None) -> Blob:
        """``layer`` compressed (media type tar+gzip), from the cache or made now, by the threads of ``pool``.

        ``advance`` is called with the number of uncompressed bytes that were read. Raises ``DamagedLayer``
        where the layer is not what its diff ID says, and ``DiskFull``.
        """

        def make() -> Blob:
            try:
                return self._compress(layer.diff_id, layer.chunks(), pool, advance)
            except FileNotFoundError:
                # The cache was removed meanwhile; the layer's own files raise errors of ours.
                return self._compress(layer.diff_id, layer.chunks(), pool, advance)

        return self._once(layer.diff_id, _GZIP, make)

    def gzip_stream(self, diff_id: Digest, chunks: Iterable[bytes], *, pool: Executor | None = None) -> Blob:
        """As ``gzip``, of a layer that comes by once; nothing of it is read where the cache has it."""
        verified = _verified(chunks, diff_id)
        return self._once(diff_id, _GZIP, lambda: self._compress(diff_id, verified, pool, None))

    def kept(self, descriptor: Descriptor) -> Blob | None:
        """The blob of ``descriptor`` as ``keep`` kept it, or ``None``."""
        blob = self._find(descriptor.digest, _AS_IT_CAME)
        return blob and Blob(descriptor=descriptor, content=blob.content)

    def keep(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> Blob:
        """Keep a blob that was made elsewhere as it is, whatever compressed it. Raises ``DamagedLayer``."""

        def make() -> Blob:
            path = self._way_to(descriptor.digest, _AS_IT_CAME)
            with replacing(path) as out:
                for chunk in _verified(chunks, descriptor.digest):
                    out.write(chunk)
            return self._note(descriptor.digest, path, descriptor, "as it came")

        made = self._once(descriptor.digest, _AS_IT_CAME, make)
        return Blob(descriptor=descriptor, content=made.content)

    def _once(self, name: Digest, suffix: str, make: Callable[[], Blob]) -> Blob:
        return make_once(self._path(name, SUFFIX), lambda: self._find(name, suffix), make)

    def _compress(
        self, diff_id: Digest, chunks: Iterable[bytes], pool: Executor | None, advance: Advance | None
    ) -> Blob:
        path = self._way_to(diff_id, _GZIP)
        sha256, size = hashlib.sha256(), 0
        with replacing(path) as out:
            for member in compressed(_counted(chunks, advance), pool):
                out.write(member)
                sha256.update(member)
                size += len(member)
        digest = Digest("sha256:" + sha256.hexdigest())
        return self._note(diff_id, path, Descriptor(media_type=LAYER_GZIP, digest=digest, size=size), codec())

    def _note(self, name: Digest, path: Path, descriptor: Descriptor, made_by: str) -> Blob:
        fields = {"blob": descriptor.to_json(), "codec": made_by}
        if path.name.endswith(_GZIP):
            fields["diff_id"] = name
        write_whole(self._path(name, ".json"), to_note(fields))
        return _blob(descriptor, path)

    def _find(self, name: Digest, suffix: str, *, is_used: bool = True) -> Blob | None:
        path, note = self._path(name, suffix), self._path(name, ".json")
        # Before it is looked at: what is marked stays.
        if is_used:
            mark_used(note, self._root.parent)
        try:
            fields = from_note(note.read_bytes())
            descriptor = Descriptor.from_json(fields["blob"])
            found = path.stat()
            # What another codec made has another digest, and the cache's past must not decide an image's.
            right = (
                descriptor.digest == name
                if suffix == _AS_IT_CAME
                else (fields["codec"], fields["diff_id"]) == (codec(), name)
            )
            if not (right and stat.S_ISREG(found.st_mode) and found.st_size == descriptor.size):
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Missing or damaged: it is made again, which is always right.
            return None
        return _blob(descriptor, path)

    def _way_to(self, name: Digest, suffix: str) -> Path:
        """The path of an entry that is about to be written, where a file can be renamed to."""
        path = self._path(name, suffix)
        if path.is_dir() or self._path(name, ".json").is_dir():
            drop(path)
        return path

    def _path(self, name: Digest, suffix: str) -> Path:
        if not is_digest(name):
            raise ValueError(f"{name!r} is no digest")
        digits = name.removeprefix("sha256:")
        return self._root / digits[:2] / f"{digits}{suffix}"


def _blob(descriptor: Descriptor, path: Path) -> Blob:
    return Blob(descriptor=descriptor, content=BlobFile(path, descriptor.digest, descriptor.size))


def _verified(chunks: Iterable[bytes], digest: Digest) -> Iterator[bytes]:
    sha256 = hashlib.sha256()
    for chunk in chunks:
        sha256.update(chunk)
        yield chunk
    if "sha256:" + sha256.hexdigest() != digest:
        raise DamagedLayer(f"{digest} came as other bytes", hint="try again: where it came from may be damaged")


def _counted(chunks: Iterable[bytes], advance: Advance | None) -> Iterable[bytes]:
    if advance is None:
        return chunks
    return _telling(chunks, advance)


def _telling(chunks: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        advance(len(chunk))
