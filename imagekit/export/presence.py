"""What an engine holds of the layers that an image will have. Asked each time, never remembered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagekit.engine.client import Engine
from imagekit.oci.digest import Digest

# Every image of ours has it; by it the engine finds images that may share layers with a new one.
LABEL = "imagekit.version"
_CANDIDATES = 24


def held(
    engine: Engine, below: Sequence[Digest], layers: Sequence[Digest | None], names: Iterable[str]
) -> tuple[bool, ...]:
    """Whether ``engine`` has each of ``layers`` (diff IDs; ``None``: not made yet) on those of the base, ``below``.

    The classic store knows a layer by all that is below it, so there only those count that an image
    has in the same order from the lowest on; the containerd store knows blobs. Looked for in the
    images that ``names`` name and in the newest of ours.
    """
    if not engine.info.is_docker:
        # Other engines take no archive that leaves layers out.
        return (False,) * len(layers)
    wanted = [*below, *layers]
    chain = 0
    blobs: set[Digest] = set()
    candidates = dict.fromkeys([*names, *engine.image_ids(label=LABEL, limit=_CANDIDATES)])
    for image in filter(None, map(engine.image, candidates)):
        blobs.update(image.diff_ids)
        common = 0
        for ours, theirs in zip(wanted, image.diff_ids, strict=False):
            if ours != theirs:
                break
            common += 1
        chain = max(chain, common)
    if engine.info.containerd_store:
        return tuple(layer in blobs for layer in layers)
    return tuple(len(below) + n < chain for n in range(len(layers)))
