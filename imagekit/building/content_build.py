"""An image as blobs, and its way into registries, layouts and archives; an engine is needed only for a base in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.attest.material_note import material_note
from imagekit.building.assembly import make_layers
from imagekit.building.outputs import LAYOUT, OCI_ARCHIVE, REGISTRY, Output
from imagekit.building.preflighting import check_libraries
from imagekit.explaining.results import PlatformImage, built_layers
from imagekit.layers.blobs import BlobCache
from imagekit.layers.mending import mended
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.plan.config import image_config
from imagekit.progress import Reporter

if TYPE_CHECKING:
    from imagekit.building.base_source import BaseSource
    from imagekit.building.cache_use import CacheUse
    from imagekit.building.planned import Planned
    from imagekit.layers.values import Layer
    from imagekit.lock.fetch import WheelStore
    from imagekit.oci.artifact import Attachment
    from imagekit.registry.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One platform's image, made."""

    layers: tuple[Layer, ...]  # ours, the lowest first
    content: ImageContent
    facts: PlatformImage
    note: Mapping[str, Any]  # what documents about it are written of


Documents = Callable[[Made], "tuple[Attachment, ...]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An image at one destination."""

    output: Output
    digest: Digest  # of its manifest, or of the index of several platforms; of its configuration in a Docker archive
    more: dict[str, Any]  # what a push tells besides

    def to_json(self) -> dict[str, Any]:
        return {"output": str(self.output), "digest": self.digest, **self.more}


def make_content(
    planned: Planned,
    source: BaseSource,
    *,
    cache: CacheUse,
    fresh: bool,
    store: Callable[[], WheelStore],
    reporter: Reporter,
) -> Made:
    """The planned image with every layer made and compressed, or taken from ``cache``, which stays in use.

    Raises ``DamagedLayer``.
    """
    from imagekit.layers.cache import LayerCache
    from imagekit.layers.compress import compress_all

    cache.stay_in_use()
    base = planned.plan.base
    layers = make_layers(
        planned,
        store=store,
        cache=LayerCache(cache.path / "layers", fresh=fresh),
        compiler=lambda: source.compiler(base),
        contents=lambda: source.contents(base),
        reporter=reporter,
    )
    check_libraries(planned, cache.path, reporter)
    config = image_config(planned.plan, [layer.diff_id for layer in layers])
    own = compress_all(layers, BlobCache(cache.path / "blobs"), reporter)
    made = Made(
        layers=tuple(layers),
        content=ImageContent(config=config, layers=(*source.blobs(base), *own)),
        facts=PlatformImage(
            platform=str(config.platform),
            digest=config.digest,
            layers=built_layers(planned.plan, layers),
            base=base.reference,
            lock_digest=planned.lock.digest,
        ),
        note=material_note(planned.plan, planned.lock, planned.working_tree),
    )
    cache.add(made.facts.layers)
    return made


def make_and_write(
    make: Callable[[bool], list[Made]],
    references: Sequence[Reference],
    outputs: Sequence[Output],
    access: Access,
    reporter: Reporter,
    cache: Path,
    *,
    fresh: bool = False,
    documents: Documents | None = None,
) -> tuple[list[Made], list[Written]]:
    """What ``make`` makes, and where ``write_content`` wrote it, under each of its names; what is found damaged on the
    way is made again.

    ``make`` is called with ``fresh`` first. What it made then is not made again but for what is damaged.
    ``documents`` gives what goes with an image to registries and layouts; ``cache`` remembers what registries got.
    """
    attempts = count()

    def once() -> tuple[list[Made], list[Written]]:
        made = make(fresh and next(attempts) == 0)
        written = [
            write_content(made, reference, outputs, access, reporter, cache, documents=documents)
            for reference in references
        ]
        return made, [each for under_one_name in written for each in under_one_name]

    return mended(once, reporter)


def write_content(
    images: Sequence[Made],
    reference: Reference,
    outputs: Sequence[Output],
    access: Access,
    reporter: Reporter,
    cache: Path,
    *,
    documents: Documents | None = None,
) -> list[Written]:
    """Write ``images``, one a platform, to each of ``outputs`` that is no engine; what each has then."""
    has_place = any(output.kind in (REGISTRY, LAYOUT) for output in outputs)
    attachments = [each for image in images for each in documents(image)] if documents and has_place else []
    return [_write(images, reference, output, access, reporter, cache, attachments) for output in outputs]


def _write(
    images: Sequence[Made],
    reference: Reference,
    output: Output,
    access: Access,
    reporter: Reporter,
    cache: Path,
    attachments: Sequence[Attachment],
) -> Written:
    name, path = str(reference), output.path or Path()
    contents = [image.content for image in images]
    if output.kind == REGISTRY:
        from imagekit.building.homes import push_remembering
        from imagekit.building.pushing import attached
        from imagekit.registry.client import Registry

        with Registry(reference.registry, access) as registry:
            pushed = push_remembering(contents, reference, registry, reporter, cache)
            if attachments:
                pushed = attached(pushed, attachments, registry, reference, reporter)
        return Written(output=output, digest=pushed.digest, more=pushed.to_json())
    if output.kind == LAYOUT:
        from imagekit.export.layout import write_layout

        digest = write_layout(contents, path, name, reporter=reporter, attachments=attachments)
    elif output.kind == OCI_ARCHIVE:
        from imagekit.export.archive_files import write_oci_archive

        digest = write_oci_archive(contents, path, name, reporter=reporter)
    else:
        from imagekit.export.archive_files import write_docker_archive

        (image,) = images
        below = image.content.layers[: -len(image.layers)] if image.layers else image.content.layers
        digest = write_docker_archive(image.content.config, below, image.layers, path, name, reporter=reporter)
    return Written(output=output, digest=digest, more={})
