"""What an engine holds of the layers that an image will have. Asked each time, never remembered."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain

from imagekit.engine.client import Engine, EngineImage
from imagekit.oci.digest import Digest

# Every image of ours has it; by it the engine finds images that may share layers with a new one.
LABEL = "imagekit.version"
_CANDIDATES = 24


def held(
    engine: Engine,
    below: Sequence[Digest],
    layers: Sequence[Digest | None],
    relatives: Relatives,
    *,
    new: Container[Digest | None] = (None,),
) -> tuple[bool, ...]:
    """Whether ``engine`` has each of ``layers`` (diff IDs; ``None``: not made yet) on those of the base, ``below``.

    The classic store knows a layer by all that is below it, so there only those count that an image
    has in the same order from the lowest on; the containerd store knows blobs. Looked for in the
    images of ``relatives``, until all but ``new`` ones, which only the first of them can have, are found.
    """
    if not engine.info.is_docker:
        # Other engines take no archive that leaves layers out.
        return (False,) * len(layers)
    wanted = [*below, *layers]
    old = {layer for layer in layers if layer not in new}
    reachable = next((n for n, layer in enumerate(wanted) if n >= len(below) and layer in new), len(wanted))
    chain = 0
    blobs: set[Digest | None] = set()
    for image in relatives:
        blobs.update(image.diff_ids)
        common = 0
        for ours, theirs in zip(wanted, image.diff_ids, strict=False):
            if ours != theirs:
                break
            common += 1
        chain = max(chain, common)
        if old <= blobs if engine.info.containerd_store else chain >= reachable:
            break
    if engine.info.containerd_store:
        return tuple(layer in blobs for layer in layers)
    return tuple(len(below) + n < chain for n in range(len(layers)))


class Relatives:
    """Images that may share layers with a new one: those that ``names`` name, those of the same repositories, and ours.

    Each is asked for when it comes to it, and once.
    """

    def __init__(self, engine: Engine, names: Iterable[str]) -> None:
        self._known: list[EngineImage] = []
        self._rest = self._ask(engine, names)

    def __iter__(self) -> Iterator[EngineImage]:
        yield from self._known
        for image in self._rest:
            self._known.append(image)
            yield image

    @staticmethod
    def _ask(engine: Engine, names: Iterable[str]) -> Iterator[EngineImage]:
        seen = set()
        names = list(names)
        # The same repository's under other tags: the newest of ours cannot be told, their times are all one.
        repositories = dict.fromkeys(name.rpartition(":")[0] for name in names)
        others = (tag for repository in repositories for tag in engine.tags(repository)[:_CANDIDATES])
        for name in chain(names, others):
            image = engine.image(name)
            if image is not None and image.id not in seen:
                seen.add(image.id)
                yield image
        for image_id in engine.image_ids(label=LABEL, limit=_CANDIDATES):
            image = engine.image(image_id) if image_id not in seen else None
            if image is not None:
                yield image
