"""What a layer weighs: as it was measured when it was made, or estimated from what goes in. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.oci.digest import Digest
from imagekit.oci.manifest import Descriptor
from imagekit.plan.layering import HEAVY
from imagekit.plan.values import WheelsLayer

# A layer's bytes for each byte of its wheel, uncompressed and compressed (gzip -6), bytecode
# included: what 123 wheels of data projects came to, the small and the large ones together.
_SMALL, _LARGE = (7.3, 2.0), (4.2, 1.3)
# The same for text, compressed.
_TEXT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One planned layer as far as it is known before it is made."""

    is_cached: bool  # the layer cache has it, so that a build makes nothing
    size: int  # bytes, uncompressed; an estimate unless it is cached
    blob_size: int  # bytes, compressed; an estimate unless there is a ``blob``
    diff_id: Digest | None = None  # where it is known
    blob: Descriptor | None = None  # the compressed layer, where it was made before


def measured(size: int, diff_id: Digest | None) -> Cost:
    """The cost of a layer that the cache has."""
    return Cost(is_cached=True, size=size, blob_size=int(size * _LARGE[1] / _LARGE[0]), diff_id=diff_id)


def estimated(size: int, blob_size: int | None = None) -> Cost:
    """The cost of a layer that was never made, of about ``size`` bytes."""
    return Cost(
        is_cached=False,
        size=size,
        blob_size=int(size * _TEXT) if blob_size is None else blob_size,
    )


def of_wheels(layer: WheelsLayer) -> Cost:
    """The cost of wheels whose layer was never made, by their sizes."""
    size = blob_size = 0.0
    for wheel in layer.wheels:
        whole, packed = _LARGE if wheel.size >= HEAVY else _SMALL
        size += wheel.size * whole
        blob_size += wheel.size * packed
    return estimated(int(size), int(blob_size))
