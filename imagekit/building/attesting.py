"""Images as subjects of documents, wherever they are: what they have is read, and nothing of them runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.attest.attachments import Kind, attachments_of
from imagekit.attest.layer_contents import ContentsCache, LayerContents, merged
from imagekit.attest.material_note import material_note
from imagekit.attest.materials import Materials, materials_from
from imagekit.attest.packages import packages_of
from imagekit.attest.reading import read_archive, read_blobs, read_layers
from imagekit.attest.subject import Subject, subject_of
from imagekit.building.made_images import made_image, note_of
from imagekit.engine.client import Engine
from imagekit.errors import BaseNotFound, DamagedLayer, EngineError, InputError, PushError, RegistryError
from imagekit.export.replaced import given_names
from imagekit.layers.mending import mended
from imagekit.layers.values import Layer
from imagekit.oci.artifact import Attachment
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.registry.access import Access
from imagekit.registry.client import Registry
from imagekit.registry.hosts import repository_of
from imagekit.spec.base import BaseImage
from imagekit.spec.image import OCI_LAYOUT

if TYPE_CHECKING:
    from imagekit.building.base_source import BaseSource
    from imagekit.building.content_build import Made
    from imagekit.building.planned import Planned
    from imagekit.lock.fetch import WheelStore
    from imagekit.registry.read import RemoteImage


@dataclass(frozen=True, slots=True)
class Places:
    """Where what was read is kept, and where progress goes."""

    cache: Path
    reporter: Reporter


def content_attachments(
    content: ImageContent, own: Sequence[Layer], note: Mapping[str, Any], name: str, places: Places
) -> tuple[Attachment, ...]:
    """The documents about an image of ours that is about to be written.

    ``own`` are its layers above the base, and ``note`` is what it was made from.
    """
    kept = ContentsCache(places.cache)
    below = len(content.layers) - len(own)
    base = ImageConfig({"rootfs": {"diff_ids": content.config.diff_ids[:below]}})
    contents = (*read_blobs(content.layers[:below], base, "the base", kept, places.reporter), *read_layers(own, kept))
    manifest = content.manifest.descriptor
    subject = subject_of(
        name,
        content.config,
        content.config.digest,
        manifest.digest,
        packages_of(merged(contents)),
        materials_from(note),
    )
    return attachments_of(subject, manifest)


def made_attachments(made: Made, name: str, places: Places) -> tuple[Attachment, ...]:
    """The documents about an image that was made here."""
    return content_attachments(made.content, made.layers, made.note, name, places)


def saved_attachments(
    engine: Engine, image_id: str, image: RemoteImage, registry: Registry, places: Places
) -> tuple[Attachment, ...]:
    """The documents about an image that the engine pushed as ``image``; provenance where it was made here."""
    with places.reporter.task(f"reading the packages of {image.reference}"):
        saved = read_archive(engine.save(image_id), ContentsCache(places.cache))
    held = registry.manifest(repository_of(image.reference), image.digest)
    if held is None:
        raise PushError(f"{image.reference} was pushed, and its manifest is gone", hint="push again")
    digest, packages = digest_of(image.config_bytes), packages_of(merged(saved.layers))
    subject = subject_of(
        str(image.reference), image.config, digest, image.digest, packages, _materials(places.cache, image_id)
    )
    manifest = Descriptor(media_type=held.media_type, digest=held.digest, size=len(held.data))
    return attachments_of(subject, manifest)


def engine_subject(engine: Engine, reference: str, places: Places) -> Subject | None:
    """The image that ``reference`` names in ``engine``; ``None`` where there is none."""
    image = engine.image(reference)
    if image is None:
        return None
    kept = ContentsCache(places.cache)
    made = made_image(places.cache, image.id)
    contents: tuple[LayerContents, ...] | None = None
    if made is not None:
        with suppress(DamagedLayer, EngineError):
            contents = (*base_contents(made.base, engine, places), *read_layers(made.layers, kept))
    if made is None or contents is None:
        with places.reporter.task(f"reading the packages of {reference}"):
            saved = read_archive(engine.save(image.id), kept)
        config, digest, contents = saved.config, saved.config_digest, saved.layers
    else:
        config, digest = made.config, made.config.digest
    name = next(iter(given_names(image)), reference) if reference.startswith("sha256:") else reference
    materials = _materials(places.cache, image.id)
    return subject_of(name, config, digest, None, packages_of(merged(contents)), materials)


def _materials(cache: Path, image_id: str) -> Materials | None:
    note = note_of(cache, image_id)
    return None if note is None else materials_from(note)


def base_contents(base: BaseImage, engine: Engine, places: Places) -> tuple[LayerContents, ...]:
    """What the layers of a base of ``engine`` say. Raises ``EngineError`` where it is gone from there."""
    kept = ContentsCache(places.cache)
    known = [kept.get(diff_id) for diff_id in base.config.diff_ids]
    found = tuple(each for each in known if each is not None)
    if len(found) == len(known):
        return found
    with places.reporter.task(f"reading the packages of {base.reference}"):
        return read_archive(engine.save(base.image_id), kept).layers


def _registry_document(
    registry: Registry, reference: Reference, platform: Platform, kind: Kind, places: Places
) -> bytes:
    """The document of ``kind`` about an image in ``registry``: the attached one, else what its layers come to.

    Raises ``BaseNotFound``, ``RegistryError``.
    """
    from imagekit.registry.read import read_image
    from imagekit.registry.referrers import read_attached

    image = read_image(registry, reference, platform)
    known = read_attached(registry, repository_of(reference), image.digest, kind.artifact_type, kind.annotations)
    if known is not None:
        return known
    contents = read_blobs(image.layers, image.config, str(reference), ContentsCache(places.cache), places.reporter)
    packages = packages_of(merged(contents))
    return kind.write(subject_of(str(reference), image.config, digest_of(image.config_bytes), image.digest, packages))


def _layout_document(place: str, platform: Platform, kind: Kind, places: Places) -> bytes:
    """As ``_registry_document``, of the image that ``DIRECTORY[:NAME]`` names in an OCI layout."""
    from imagekit.building.file_bases import layout_place
    from imagekit.export.layout_attachments import read_attached
    from imagekit.export.layout_read import find_image

    directory, name = layout_place(place)
    image = find_image(directory, name, platform)
    known = read_attached(directory, image.digest, kind.artifact_type, kind.annotations)
    if known is not None:
        return known
    shown = image.name or directory.name
    contents = read_blobs(image.layers, image.config, shown, ContentsCache(places.cache), places.reporter)
    packages = packages_of(merged(contents))
    return kind.write(subject_of(shown, image.config, digest_of(image.config_bytes), image.digest, packages))


def image_document(
    target: str, kind: Kind, platform: Platform, engine: Callable[[], Engine], access: Access, places: Places
) -> bytes:
    """The document of ``kind`` about the image that ``target`` names: in a layout, in the engine, or in a registry.

    What is attached to it there is given as it is; else it is written now.
    """
    if target.startswith(OCI_LAYOUT):
        return _layout_document(target.removeprefix(OCI_LAYOUT), platform, kind, places)
    reference = Reference.parse(target)
    missing: EngineError | None = None
    try:
        subject = engine_subject(engine(), target, places)
        if subject is not None:
            return kind.write(subject)
    except EngineError as error:
        # An image of a registry needs no engine.
        missing = error
    try:
        with Registry(reference.registry, access) as registry:
            return _registry_document(registry, reference, platform, kind, places)
    except RegistryError as error:
        where = "is not in the engine" if missing is None else "can be asked of no engine"
        said = "\n".join(part for part in (missing.message if missing else None, error.details) if part)
        raise type(error)(f"{target} {where}; {error.message}", hint=error.hint, details=said or None) from error
    except BaseNotFound as error:
        raise missing or error from error


def project_document(
    planned: Planned,
    kind: Kind,
    name: str,
    *,
    source: BaseSource,
    engine: Callable[[], Engine],
    store: Callable[[], WheelStore],
    places: Places,
) -> bytes:
    """The document of ``kind`` about the image that a build of ``planned`` makes; its layers are made, and no image."""
    from imagekit.building.assembly import make_layers
    from imagekit.layers.cache import LayerCache
    from imagekit.plan.config import image_config

    base, plan = planned.plan.base, planned.plan
    if plan.commands:
        raise InputError(
            "what the project's own Dockerfile commands bring is known only when they have run",
            hint="build the image, and name it: imagekit sbom NAME:TAG",
        )
    kept = ContentsCache(places.cache)

    def once() -> bytes:
        layers = make_layers(
            planned,
            store=store,
            cache=LayerCache(places.cache / "layers"),
            compiler=lambda: source.compiler(base),
            contents=lambda: source.contents(base),
            reporter=places.reporter,
        )
        config = image_config(plan, [layer.diff_id for layer in layers])
        contents = (*_base_contents(base, engine, source, places), *read_layers(layers, kept))
        materials = materials_from(material_note(plan, planned.lock, planned.working_tree))
        return kind.write(subject_of(name, config, config.digest, None, packages_of(merged(contents)), materials))

    return mended(once, places.reporter)


def _base_contents(
    base: BaseImage, engine: Callable[[], Engine], source: BaseSource, places: Places
) -> tuple[LayerContents, ...]:
    with suppress(EngineError):
        if engine().image(base.image_id) is not None:
            return base_contents(base, engine(), places)
    return read_blobs(source.blobs(base), base.config, base.reference, ContentsCache(places.cache), places.reporter)
