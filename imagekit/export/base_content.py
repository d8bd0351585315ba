"""A base's layers out of an engine as compressed blobs, for a registry or a layout.

The classic store keeps layers unpacked: they are compressed here, once, and the engine is not asked
for them again. The containerd store keeps what it pulled: those blobs stay as they are, so that a
registry that has the base has them already.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from imagekit.engine.client import Engine
from imagekit.engine.stream import PiecesReader
from imagekit.errors import AssemblyFailed, InvalidReference
from imagekit.export.base_layers import require_base
from imagekit.layers.blobs import BlobCache
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import LAYER_GZIP, LAYER_TAR, Descriptor
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter, SilentReporter, Task
from imagekit.registry.hosts import home_of
from imagekit.spec.base import BaseImage

_OCI = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
}
_DIGITS = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A layer of the base: as the engine has it, or, where that is not compressed, as it is compressed here."""

    diff_id: Digest
    packed: Descriptor | None

    @property
    def digest(self) -> Digest:
        """That by which the engine's archive names it."""
        return self.diff_id if self.packed is None else self.packed.digest

    def find(self, cache: BlobCache) -> Blob | None:
        return cache.get(self.diff_id) if self.packed is None else cache.kept(self.packed)


def engine_base_blobs(
    engine: Engine, base: BaseImage, cache: BlobCache, reporter: Reporter | None = None
) -> tuple[Blob, ...]:
    """The layers of ``base``, the lowest first, as compressed blobs; what ``cache`` has is not read again.

    ``held_by`` names the repositories that the engine had the base from, for the blobs that are as they are there.
    Raises ``AssemblyFailed`` where the engine does not give them, ``DamagedLayer`` and ``DiskFull``.
    """
    wanted = _wanted(base)
    found = {each.digest: blob for each in wanted if (blob := each.find(cache)) is not None}
    missing = {each.digest: each for each in wanted if each.digest not in found}
    if missing:
        require_base(engine, base)
        found.update(_read(engine, base, missing, cache, reporter or SilentReporter()))
    lost = [each.digest for each in wanted if each.digest not in found]
    if lost:
        raise AssemblyFailed(
            f"the engine does not give all layers of {base.reference} ({lost[0]})", hint="pull or make the base anew"
        )
    homes = _homes(engine, base) if any(each.packed for each in wanted) else ()
    return tuple(
        found[each.digest] if each.packed is None else replace(found[each.digest], held_by=homes) for each in wanted
    )


def _wanted(base: BaseImage) -> list[_Wanted]:
    diff_ids = base.config.diff_ids
    if len(base.layers) != len(diff_ids):
        return [_Wanted(diff_id, None) for diff_id in diff_ids]
    return [
        _Wanted(diff_id, None if layer.digest == diff_id else _oci(layer))
        for diff_id, layer in zip(diff_ids, base.layers, strict=True)
    ]


def _oci(layer: Descriptor) -> Descriptor:
    return Descriptor(media_type=_OCI.get(layer.media_type, layer.media_type), digest=layer.digest, size=layer.size)


def _homes(engine: Engine, base: BaseImage) -> tuple[str, ...]:
    """``registry/repository`` of each repository that the engine knows the base to be in."""
    image = engine.image(base.image_id)
    homes = []
    for text in image.repo_digests if image is not None else ():
        try:
            homes.append(home_of(Reference.parse(text)))
        except InvalidReference:
            continue
    return tuple(dict.fromkeys(homes))


def _read(
    engine: Engine, base: BaseImage, missing: dict[Digest, _Wanted], cache: BlobCache, reporter: Reporter
) -> dict[Digest, Blob]:
    """The layers of ``missing`` out of the engine's archive of ``base``, which is read no further than to the last."""
    found: dict[Digest, Blob] = {}
    left = dict(missing)
    title = f"reading the layers of {base.reference}"
    with (
        ThreadPoolExecutor(os.cpu_count() or 1, "imagekit-gzip") as pool,
        reporter.task(title, unit="B") as task,
        closing(engine.save(base.image_id)) as pieces,  # type: ignore[type-var]  # it is a generator
        tarfile.open(fileobj=PiecesReader(pieces), mode="r|") as archive,
    ):
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                continue
            name = member.name.rpartition("/")[2]
            if _DIGITS.fullmatch(name):
                each = left.pop(Digest(f"sha256:{name}"), None)
                if each is not None:
                    found[each.digest] = _stored(each, _pieces(content, task), cache, pool)
            elif name == "layer.tar":
                # Engines before 25 name layers by something else: which one it is must be seen.
                found.update(_unnamed(_pieces(content, task), left, cache, pool))
            if not left:
                break
    return found


def _stored(each: _Wanted, pieces: Iterator[bytes], cache: BlobCache, pool: Executor) -> Blob:
    if each.packed is not None:
        return cache.keep(each.packed, pieces)
    return cache.gzip_stream(each.diff_id, pieces, pool=pool)


def _unnamed(
    pieces: Iterator[bytes], left: dict[Digest, _Wanted], cache: BlobCache, pool: Executor
) -> dict[Digest, Blob]:
    with tempfile.TemporaryDirectory(prefix="imagekit-base-") as directory:
        path, sha256, size = Path(directory) / "layer.tar", hashlib.sha256(), 0
        with path.open("wb") as out:
            for piece in pieces:
                out.write(piece)
                sha256.update(piece)
                size += len(piece)
        each = left.pop(Digest("sha256:" + sha256.hexdigest()), None)
        if each is None:
            return {}
        layer = Layer(diff_id=each.diff_id, size=size, pieces=(FileRange(path, 0, size),), cached=True)
        return {each.digest: cache.gzip(layer, pool=pool)}


def _pieces(content: IO[bytes], task: Task) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece
        task.advance(len(piece))
