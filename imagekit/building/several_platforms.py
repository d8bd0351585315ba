"""A user's Dockerfile for several platforms, which no engine holds: built into a layout, looked at, pushed from there.

What the registry gets is byte for byte what was looked at, BuildKit's own documents about it, too.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.leak_gate import reads_layers_of, refuse_found
from imagekit.building.outputs import REGISTRY
from imagekit.check.leaks import Leak, leaks_of_config, leaks_of_member
from imagekit.errors import ImagekitError, InvalidReference
from imagekit.explaining.results import WrittenResult
from imagekit.export.layout_whole import WrittenImage, read_whole
from imagekit.oci.config import ImageConfig
from imagekit.oci.reference import Reference
from imagekit.stages.layer_stream import layer_tar
from imagekit.stages.saved_archive import members

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.progress import Reporter
    from imagekit.registry.access import Access
    from imagekit.secrets.needles import Needles
    from imagekit.settings import Settings
    from imagekit.stages.dockerfile import DockerfileBuild


def build_and_push(
    connect: Callable[[], Engine], build: DockerfileBuild, settings: Settings, reporter: Reporter, began: float
) -> WrittenResult:
    """Build for all platforms and push; ``CheckFailed`` before anything leaves, where a credential is found."""
    from imagekit.registry.client import Registry
    from imagekit.registry.push import push_written
    from imagekit.stages.dockerfile import build_dockerfile

    reference, access, cache = Reference.parse(build.reference), settings.registry_access(), settings.usable_cache_dir()
    with tempfile.TemporaryDirectory(prefix="imagekit-built-") as temporary:
        layout = Path(temporary, "layout")
        build_dockerfile(replace(build.without_caches(), layout=layout), settings.engine_address, reporter)
        whole = read_whole(layout)
        reads_layers, found = reads_layers_of(build, cache), list[Leak]()
        with reporter.task("looking for credentials in the images") if reads_layers else nullcontext():
            for image in whole.images:
                base = _base_of(image, build, connect, access)
                found += _leaks(image, base, build.handed.needles, reads_layers=reads_layers)
        layers = [diff_id for image in whole.images for diff_id in image.config.diff_ids]
        refuse_found(found, layers, cache, build.handed, reporter)
        if (caches := build.caches()) is not None:
            build_dockerfile(caches, settings.engine_address, reporter)
        with Registry(reference.registry, access) as registry:
            pushed = push_written(whole.blobs, whole.documents, reference, registry, reporter)
    return WrittenResult(
        reference=build.reference,
        images=(),
        written=({"output": REGISTRY, "digest": pushed.digest},),
        seconds=time.monotonic() - began,
    )


def _leaks(image: WrittenImage, base: ImageConfig | None, needles: Needles, *, reads_layers: bool) -> list[Leak]:
    found = leaks_of_config(image.config.document, base.document if base is not None else None, needles)
    below = len(base.diff_ids) if base is not None else 0
    for blob, diff_id in list(zip(image.layers, image.config.diff_ids, strict=True))[below:] if reads_layers else ():
        with layer_tar(blob, diff_id, "what was built") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in members(archive):
                found += [leak._replace(layer=diff_id) for leak in leaks_of_member(archive, member, needles)]
    return found


def _base_of(
    image: WrittenImage, build: DockerfileBuild, connect: Callable[[], Engine], access: Access
) -> ImageConfig | None:
    """The configuration of the image that ``image`` lies on, the nearest of those that the Dockerfile names."""
    from imagekit.building.image_leaks import bases_named

    found: ImageConfig | None = None
    for name in bases_named(build.dockerfile.read_bytes().decode("utf-8", "replace")):
        # A name may also be a stage's; and a base that is not to be had is looked at with the rest.
        with suppress(InvalidReference, ImagekitError):
            config = _config_of(Reference.parse(name), image, connect, access)
            height = len(config.diff_ids)
            if image.config.diff_ids[:height] == config.diff_ids and (found is None or height > len(found.diff_ids)):
                found = config
    return found


def _config_of(reference: Reference, image: WrittenImage, connect: Callable[[], Engine], access: Access) -> ImageConfig:
    from imagekit.building.image_leaks import document_of
    from imagekit.registry.client import Registry
    from imagekit.registry.read import read_image

    engine = connect()
    held = engine.image(str(reference))
    if held is not None and image.config.diff_ids[: len(held.diff_ids)] == held.diff_ids:
        layers = {"rootfs": {"type": "layers", "diff_ids": list(held.diff_ids)}}
        return ImageConfig({**image.config.document, **document_of(engine, held), **layers})
    with Registry(reference.registry, access) as registry:
        return read_image(registry, reference, image.config.platform).config
