"""What the layers of a plan weigh, as far as the cache knows them; nothing is made, and nothing counts as used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from imagekit.layers import archive
from imagekit.layers.blobs import BlobCache
from imagekit.layers.cache import Entry, LayerCache
from imagekit.plan.cost import Cost, estimated, measured, of_wheels
from imagekit.plan.values import FilesLayer, Plan, PlannedLayer, SourceLayer, WheelsLayer
from imagekit.spec.source_tree import SourceTree

# Bytes of a layer that holds a few small files: the environment, the project's metadata.
_FEW = 10_000


def costs_of(plan: Plan, tree: SourceTree | None, layers: LayerCache, blobs: BlobCache) -> tuple[Cost, ...]:
    """The cost of each layer of ``plan``; ``tree`` is its source."""
    return tuple(_packed(_cost(layer, layers, tree), blobs) for layer in plan.layers)


def _packed(cost: Cost, blobs: BlobCache) -> Cost:
    blob = blobs.look(cost.diff_id) if cost.diff_id is not None else None
    return cost if blob is None else replace(cost, blob=blob.descriptor, blob_size=blob.descriptor.size)


def _cost(layer: PlannedLayer, cache: LayerCache, tree: SourceTree | None) -> Cost:
    if isinstance(layer, WheelsLayer) and len(layer.wheels) > 1:
        entries = [cache.look(wheel.key) for wheel in layer.wheels]
        whole = [entry for entry in entries if entry is not None]
        return _together(whole, layer, cache) if len(whole) == len(entries) else of_wheels(layer)
    entry = cache.look(layer.key)
    if entry is not None:
        return measured(entry.size, entry.diff_id)
    if isinstance(layer, WheelsLayer):
        return of_wheels(layer)
    if isinstance(layer, SourceLayer) and tree is not None:
        return estimated(sum(_in_archive(file.size) for file in tree.files))
    if isinstance(layer, FilesLayer):
        return estimated(sum(_in_archive(_size(file.source)) for file in layer.files))
    return estimated(_FEW)


def _together(entries: Sequence[Entry], layer: WheelsLayer, cache: LayerCache) -> Cost:
    heads = {path for entry in entries for path in entry.directories}
    size = sum(len(archive.directory(path)) for path in heads) + len(archive.END)
    return measured(
        size + sum(end - start for start, end in (entry.body for entry in entries)), cache.look_group(layer.key)
    )


def _in_archive(size: int) -> int:
    return archive.BLOCK + size + len(archive.padding(size))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
