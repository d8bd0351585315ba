"""What the removal of images frees: bytes of layers that nothing has which stays. Pure.

The classic store keeps a layer unpacked, once for each stack of layers that it lies on (its chain ID, image-spec
config.md). The containerd store keeps the same unpacked (a snapshot each), and beside them each layer's blob, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagekit.oci.digest import Digest
from imagekit.pruning.values import FoundImage


def unique_sizes(
    going: Sequence[FoundImage],
    staying: Sequence[FoundImage],
    sizes: Mapping[str, Sequence[int]],
    *,
    containerd_store: bool,
) -> dict[str, int]:
    """Bytes that each of ``going`` frees when they go in this order; ``sizes``: image ID → bytes of each layer.

    A layer of several that go is counted with the last of them.
    """
    stacks = {stack for image in staying for stack in _stacks(image.diff_ids)}
    blobs = {diff_id for image in staying for diff_id in image.diff_ids}
    freed: dict[str, int] = {}
    for image in reversed(going):
        total = 0
        for stack, size in zip(_stacks(image.diff_ids), sizes[image.id], strict=True):
            if stack not in stacks:
                stacks.add(stack)
                total += size
            if containerd_store and stack[-1] not in blobs:
                blobs.add(stack[-1])
                total += size
        freed[image.id] = total
    return {image.id: freed[image.id] for image in going}


def _stacks(diff_ids: Sequence[Digest]) -> list[tuple[Digest, ...]]:
    return [tuple(diff_ids[: n + 1]) for n in range(len(diff_ids))]
