"""Images as subjects of documents, wherever they are: what they have is read, and nothing of them runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from imagekit.attest.attachments import Kind, attachments_of
from imagekit.attest.layer_contents import ContentsCache, LayerContents, merged
from imagekit.attest.materials import Materials
from imagekit.attest.packages import packages_of
from imagekit.attest.reading import read_archive, read_blobs, read_layers
from imagekit.attest.subject import Subject, subject_of
from imagekit.building.made_images import made_image
from imagekit.engine.client import Engine
from imagekit.errors import BaseNotFound, DamagedLayer, EngineError
from imagekit.layers.values import Layer
from imagekit.oci.artifact import Attachment
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.client import Registry
from imagekit.spec.base import BaseImage


def content_attachments(
    content: ImageContent, own: Sequence[Layer], materials: Materials, name: str, cache: Path, reporter: Reporter
) -> tuple[Attachment, ...]:
    """The documents about an image of ours that is about to be written; ``own`` are its layers above the base."""
    kept = ContentsCache(cache)
    below = len(content.layers) - len(own)
    base = ImageConfig({"rootfs": {"diff_ids": content.config.diff_ids[:below]}})
    contents = (*read_blobs(content.layers[:below], base, "the base", kept, reporter), *read_layers(own, kept))
    manifest = content.manifest.descriptor
    subject = subject_of(
        name, content.config, content.config.digest, manifest.digest, packages_of(merged(contents)), materials
    )
    return attachments_of(subject, manifest)


def engine_subject(engine: Engine, reference: str, cache: Path, reporter: Reporter) -> Subject | None:
    """The image that ``reference`` names in ``engine``; ``None`` where there is none."""
    image = engine.image(reference)
    if image is None:
        return None
    kept = ContentsCache(cache)
    made = made_image(cache, image.id)
    contents: tuple[LayerContents, ...] | None = None
    if made is not None:
        with suppress(DamagedLayer, EngineError):
            contents = (*base_contents(made.base, engine, kept, reporter), *read_layers(made.layers, kept))
    if made is None or contents is None:
        with reporter.task(f"reading the packages of {reference}"):
            saved = read_archive(engine.save(image.id), kept)
        config, digest, contents = saved.config, saved.config_digest, saved.layers
    else:
        config, digest = made.config, made.config.digest
    name = next(iter(image.tags), reference) if reference.startswith("sha256:") else reference
    materials = made.materials if made is not None else None
    return subject_of(name, config, digest, None, packages_of(merged(contents)), materials)


def base_contents(
    base: BaseImage, engine: Engine, kept: ContentsCache, reporter: Reporter
) -> tuple[LayerContents, ...]:
    """What the layers of a base of ``engine`` say. Raises ``EngineError`` where it is gone from there."""
    known = [kept.get(diff_id) for diff_id in base.config.diff_ids]
    found = tuple(each for each in known if each is not None)
    if len(found) == len(known):
        return found
    with reporter.task(f"reading the packages of {base.reference}"):
        return read_archive(engine.save(base.image_id), kept).layers


def registry_document(
    registry: Registry, reference: Reference, platform: Platform, kind: Kind, cache: Path, reporter: Reporter
) -> bytes:
    """The document of ``kind`` about an image in ``registry``: the attached one, else what its layers come to.

    Raises ``BaseNotFound``, ``RegistryError``.
    """
    from imagekit.registry.hosts import repository_of
    from imagekit.registry.read import read_image
    from imagekit.registry.referrers import read_attached

    image = read_image(registry, reference, platform)
    known = read_attached(registry, repository_of(reference), image.digest, kind.artifact_type, kind.annotations)
    if known is not None:
        return known
    contents = read_blobs(image.layers, image.config, str(reference), ContentsCache(cache), reporter)
    packages = packages_of(merged(contents))
    return kind.write(subject_of(str(reference), image.config, digest_of(image.config_bytes), image.digest, packages))


def layout_document(place: str, platform: Platform, kind: Kind, cache: Path, reporter: Reporter) -> bytes:
    """As ``registry_document``, of the image that ``DIRECTORY[:NAME]`` names in an OCI layout."""
    from imagekit.building.file_bases import layout_place
    from imagekit.export.layout_attachments import read_attached
    from imagekit.export.layout_read import find_image

    directory, name = layout_place(place)
    image = find_image(directory, name, platform)
    known = read_attached(directory, image.digest, kind.artifact_type, kind.annotations)
    if known is not None:
        return known
    shown = image.name or directory.name
    contents = read_blobs(image.layers, image.config, shown, ContentsCache(cache), reporter)
    packages = packages_of(merged(contents))
    return kind.write(subject_of(shown, image.config, digest_of(image.config_bytes), image.digest, packages))


def document(
    target: str,
    kind: Kind,
    platform: Platform,
    *,
    engine: Callable[[], Engine],
    registry: Callable[[Reference], Registry],
    cache: Path,
    reporter: Reporter,
) -> bytes:
    """The document of ``kind`` about the image that ``target`` names: in the engine, else in its registry."""
    reference = Reference.parse(target)
    missing: EngineError | None = None
    try:
        subject = engine_subject(engine(), target, cache, reporter)
        if subject is not None:
            return kind.write(subject)
    except BaseNotFound:
        raise
    except EngineError as error:
        # An image of a registry needs no engine.
        missing = error
    try:
        with registry(reference) as found:
            return registry_document(found, reference, platform, kind, cache, reporter)
    except BaseNotFound as error:
        raise missing or error from error
