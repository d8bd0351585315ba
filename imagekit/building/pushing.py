"""Pushing an image that an engine holds: from the layer cache where it was assembled here, else by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.homes import push_remembering
from imagekit.building.made_images import MadeImage, made_image
from imagekit.engine.client import Engine
from imagekit.errors import AssemblyFailed, DamagedLayer, EngineError, EngineLost, EngineTimeout, PushError
from imagekit.layers.blobs import BlobCache
from imagekit.layers.compress import compress_all
from imagekit.layers.mending import mended
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import short
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.access import Access
from imagekit.registry.client import Registry
from imagekit.registry.hosts import repository_of
from imagekit.registry.values import Pushed

if TYPE_CHECKING:
    from imagekit.oci.artifact import Attachment
    from imagekit.registry.read import RemoteImage

_CHECKS = 8  # small requests at a time


def push_engine_image(
    engine: Engine, reference: Reference, cache: Path, access: Access, reporter: Reporter, *, attest: bool = False
) -> Pushed:
    """Push ``reference``, and see that its manifest and all blobs are in the registry. Raises ``RegistryError``.

    ``attest``: documents about it are attached.
    """
    image = engine.image(str(reference))
    if image is None:
        raise PushError(
            f"{reference} is not in the engine",
            hint=f"build it under that name: imagekit build -t {reference}; "
            f"or give an image that name: docker tag IMAGE {reference}",
        )
    made = made_image(cache, image.id)
    if made is not None and _is_of(made, engine, image.id):
        try:
            return _push_made(engine, made, reference, cache, access, reporter, attest=attest)
        except (EngineLost, EngineTimeout):
            raise
        except (DamagedLayer, AssemblyFailed, EngineError) as error:
            # Layers that are gone from the cache, or a base that is gone from the engine: the engine has the image.
            reporter.line(f"{error.message}: the engine pushes it")
    from imagekit.export.push import push_image

    pushed = push_image(engine, reference, reporter)
    with Registry(reference.registry, access) as registry:
        found = _see(registry, reference, pushed, image.platform, reporter)
        if attest:
            from imagekit.building.attesting import Places, saved_attachments

            documents = saved_attachments(engine, image.id, found, registry, Places(cache, reporter))
            pushed = attached(pushed, documents, registry, reference, reporter)
    return pushed


def attached(
    pushed: Pushed, documents: Sequence[Attachment], registry: Registry, reference: Reference, reporter: Reporter
) -> Pushed:
    """``pushed`` with ``documents`` written beside it."""
    from imagekit.registry.referrers import attach

    attach(registry, repository_of(reference), documents, reporter)
    return replace(pushed, attached=tuple(document.artifact_type for document in documents))


def _is_of(made: MadeImage, engine: Engine, image_id: str) -> bool:
    """Whether ``image_id`` is made of this: what is pushed instead of it must be the same."""
    from imagekit.export.engine_load import expected_id

    diff_ids = (*made.base.config.diff_ids, *(layer.diff_id for layer in made.layers))
    if tuple(made.config.diff_ids) != diff_ids:
        return False
    return expected_id(engine, made.config, made.base, made.layers) == image_id


def _push_made(
    engine: Engine,
    made: MadeImage,
    reference: Reference,
    cache: Path,
    access: Access,
    reporter: Reporter,
    *,
    attest: bool,
) -> Pushed:
    def once() -> Pushed:
        content = _content(engine, made, BlobCache(cache / "blobs"), reporter)
        # A push that failed leaves its registry closed.
        with Registry(reference.registry, access) as registry:
            pushed = push_remembering([content], reference, registry, reporter, cache)
            if not attest:
                return pushed
            from imagekit.building.attesting import Places, content_attachments

            places = Places(cache, reporter)
            documents = content_attachments(content, made.layers, made.note, str(reference), places)
            return attached(pushed, documents, registry, reference, reporter)

    return mended(once, reporter)


def _content(engine: Engine, made: MadeImage, blobs: BlobCache, reporter: Reporter) -> ImageContent:
    from imagekit.export.base_content import engine_base_blobs

    own = compress_all(made.layers, blobs, reporter)
    return ImageContent(config=made.config, layers=(*engine_base_blobs(engine, made.base, blobs, reporter), *own))


def _see(
    registry: Registry, reference: Reference, pushed: Pushed, platform: Platform, reporter: Reporter
) -> RemoteImage:
    """Look at what the engine pushed: it asks for nothing once a registry has said yes."""
    from imagekit.registry.read import read_image

    with (
        reporter.task(f"looking at {reference} in the registry"),
        ThreadPoolExecutor(_CHECKS, thread_name_prefix="registry-check") as pool,
    ):
        image = read_image(registry, reference, platform)
        blobs = [blob.descriptor for blob in image.layers]
        there = list(pool.map(lambda blob: registry.holds(repository_of(reference), blob), blobs))
    lost = [blob.digest for blob, is_there in zip(blobs, there, strict=True) if not is_there]
    # An engine may push an index of several platforms.
    if pushed.digest not in (image.digest, image.index_digest) or lost:
        what = f"the blob {short(lost[0])}" if lost else "another manifest"
        raise PushError(
            f"{reference} was pushed, and the registry has {'not ' if lost else ''}{what}", hint="push again"
        )
    return image
