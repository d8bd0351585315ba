"""What an image has installed, read from wherever its layers lie: the layer cache, an engine's archive, blobs.

Nothing of the image runs. A layer that was read before on this machine is not read again.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from imagekit.attest.layer_contents import ContentsCache, LayerContents, read_layer, read_stream
from imagekit.errors import BaseUnusable
from imagekit.layers.values import FileRange, Layer, damaged, open_file
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest, digest_of
from imagekit.progress import Reporter
from imagekit.stages.layer_stream import layer_tar
from imagekit.stages.saved_archive import read_saved, unreadable

_READS = 4  # blobs at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """An image out of an engine's archive."""

    config: ImageConfig
    config_digest: Digest
    layers: tuple[LayerContents, ...]  # the lowest first


def read_blobs(
    blobs: Sequence[Blob], config: ImageConfig, name: str, kept: ContentsCache, reporter: Reporter
) -> tuple[LayerContents, ...]:
    """What the layers ``blobs`` of ``config`` say; only those that are not in ``kept`` are fetched.

    Raises ``BaseUnusable`` for a layer that is damaged, and what reading a blob raises.
    """
    known = [kept.get(diff_id) for diff_id in config.diff_ids]
    missing = sum(blob.descriptor.size for blob, found in zip(blobs, known, strict=True) if found is None)

    def read(blob: Blob, diff_id: Digest, found: LayerContents | None) -> LayerContents:
        if found is not None:
            return found
        with layer_tar(blob, diff_id, name) as stream:
            try:
                contents = read_stream(stream)
            except tarfile.TarError as error:
                raise BaseUnusable(
                    f"layer {blob.descriptor.digest} of {name} cannot be read: {error}", hint="push or copy it anew"
                ) from error
        task.advance(blob.descriptor.size)
        return kept.keep(diff_id, contents)

    if not missing:
        return tuple(found for found in known if found is not None)
    with (
        reporter.task(f"reading the packages of {name}", total=missing, unit="B") as task,
        ThreadPoolExecutor(_READS, thread_name_prefix="imagekit-contents") as pool,
    ):
        return tuple(pool.map(read, blobs, config.diff_ids, known))


def read_layers(layers: Sequence[Layer], kept: ContentsCache) -> tuple[LayerContents, ...]:
    """What layers of the layer cache say. Raises ``DamagedLayer`` where one is gone from there."""
    return tuple(kept.get(layer.diff_id) or kept.keep(layer.diff_id, _read(layer)) for layer in layers)


def _read(layer: Layer) -> LayerContents:
    try:
        # What is not read of it is passed over, so a layer of a gigabyte takes no longer than its list of files.
        with (
            io.BufferedReader(_LayerFile(layer), 1 << 13) as stream,
            tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as archive,
        ):
            return read_layer(archive)
    except (tarfile.TarError, OSError) as error:
        paths = [piece.path for piece in layer.pieces if isinstance(piece, FileRange)]
        raise damaged(f"{layer.diff_id} cannot be read: {error}", paths) from error


class _LayerFile(io.RawIOBase):
    """A layer as one file that can be sought in."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self._pieces = [(piece, len(piece) if isinstance(piece, bytes) else piece.end - piece.start)
                        for piece in layer.pieces]  # fmt: skip
        self._size = layer.size
        self._at = 0
        self._open: dict[str, io.FileIO] = {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        start = 0
        for piece, length in self._pieces:
            if self._at < start + length:
                inner, most = self._at - start, min(len(buffer), start + length - self._at)
                data = piece[inner : inner + most] if isinstance(piece, bytes) else self._range(piece, inner, most)
                buffer[: len(data)] = data
                self._at += len(data)
                return len(data)
            start += length
        return 0

    def _range(self, piece: FileRange, inner: int, most: int) -> bytes:
        path = str(piece.path)
        if path not in self._open:
            self._open[path] = open_file(piece.path)
        self._open[path].seek(piece.start + inner)
        return self._open[path].read(most) or b""

    def close(self) -> None:
        for stream in self._open.values():
            stream.close()
        super().close()


def read_archive(pieces: Iterable[bytes], kept: ContentsCache) -> SavedImage:
    """The image in an engine's archive (``docker save``). Raises ``EngineError`` for one that cannot be read."""
    known: dict[str, LayerContents] = {}

    def is_known(name: str) -> bool:
        # On the classic store a layer's name in the archive is its diff ID; elsewhere nothing is kept by that name.
        digits = name.rpartition("/")[2]
        contents = kept.get(Digest(f"sha256:{digits}")) if len(digits) == 64 else None
        if contents is not None:
            known[f"sha256:{digits}"] = contents
        return contents is not None

    saved = read_saved(pieces, read_layer, is_known)
    try:
        config = ImageConfig(json.loads(saved.config))
        found = list(zip(config.diff_ids, saved.layers, strict=True))
        layers = tuple(known[diff_id] if contents is None else contents for diff_id, contents in found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(error) from error
    for diff_id, contents in found:
        if contents is not None and kept.get(diff_id) is None:
            kept.keep(diff_id, contents)
    return SavedImage(config=config, config_digest=digest_of(saved.config), layers=layers)
