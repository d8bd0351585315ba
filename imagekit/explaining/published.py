"""What a registry has of an image: read for comparing, quickly or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from imagekit.errors import BaseNotFound, RegistryError
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.plan.image_facts import ImageFacts, image_facts
from imagekit.registry.access import Access
from imagekit.registry.client import Registry
from imagekit.registry.hosts import repository_of
from imagekit.registry.read import RemoteImage, read_image
from imagekit.registry.retry import Patience

# Nobody waits minutes for a foretelling; a push has more patience.
_PATIENCE = Patience(attempts=2, connect=4.0, answer=15.0, step=20.0)
_CHECKS = 8  # small requests at a time


def in_registry(reference: Reference, platform: Platform, access: Access) -> ImageFacts | None:
    """The image of ``reference`` in its registry, ours or not; ``None`` where it has none, or none for ``platform``.

    Raises ``RegistryError`` where the registry cannot be asked.
    """
    with Registry(reference.registry, access, patience=_PATIENCE) as registry:
        image = _read(registry, reference, platform)
        return _facts(image) if image is not None else None


def diff_ids_held(
    references: Iterable[Reference], layers: Iterable[tuple[Digest, Descriptor]], platform: Platform, access: Access
) -> frozenset[Digest] | None:
    """Diff IDs of which the repository that all ``references`` name has the blobs; ``None`` where it cannot be asked.

    They are those of the images under ``references``, and those of ``layers`` (with what they are when
    compressed here) that it has.
    """
    references = tuple(references)
    repository = repository_of(references[0])
    with Registry(references[0].registry, access, patience=_PATIENCE) as registry:
        try:
            images = filter(None, (_read(registry, reference, platform) for reference in references))
            known = {diff_id for image in images for diff_id in image.config.diff_ids}
            asked = [(diff_id, blob) for diff_id, blob in layers if diff_id not in known]
            with ThreadPoolExecutor(_CHECKS, thread_name_prefix="registry-check") as pool:
                found = list(pool.map(lambda each: registry.holds(repository, each[1]), asked))
        except RegistryError:
            return None
    return frozenset(known.union(diff_id for (diff_id, _), is_there in zip(asked, found, strict=True) if is_there))


def _read(registry: Registry, reference: Reference, platform: Platform) -> RemoteImage | None:
    try:
        return read_image(registry, reference, platform)
    except BaseNotFound:
        return None


def _facts(image: RemoteImage) -> ImageFacts:
    config = image.config
    steps = [str(entry.get("created_by") or "") for entry in config.history if not entry.get("empty_layer")]
    return image_facts(
        str(image.reference),
        image.digest,
        config.diff_ids,
        steps,
        config.settings,
        frozenset({image.reference.name}),
    )
