"""Whole images as one file: a tar of an OCI layout, or what ``docker load`` takes on any engine.

The bytes depend on the images and the name alone. Sources: image-spec image-layout.md; the Docker image
specification v1.2 ("Combined Image JSON + Filesystem Changeset Format").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from imagekit.atomic import replacing
from imagekit.errors import InputError
from imagekit.export.archives import docker_archive
from imagekit.export.destination import beside, file_destination
from imagekit.export.layout import verified
from imagekit.export.layout_content import LAYOUT, containerd_name, layout_content
from imagekit.layers import archive
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.digest import Digest, canonical_json
from imagekit.oci.manifest import INDEX
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter, SilentReporter

_MODE = 0o644
_PIECE = 1 << 20


def write_oci_archive(
    images: Sequence[ImageContent], path: Path, name: str | None, *, reporter: Reporter | None = None
) -> Digest:
    """A tar of an OCI layout with ``images`` (one a platform) as ``name``, in the place of the file ``path``.

    The digest is that of the manifest, or of the index of several. Raises ``InputError``, ``InvalidReference``,
    ``DiskFull``, and what reading a blob raises; then the file is what it was.
    """
    digest = layout_content(images, name).top.digest
    _write(lambda directory: whole_oci_archive(images, name), path, reporter)
    return digest


def write_docker_archive(
    config: ImageConfig,
    base: Sequence[Blob],
    layers: Sequence[Layer],
    path: Path,
    name: str | None,
    *,
    reporter: Reporter | None = None,
) -> Digest:
    """An archive for ``docker load``, in the place of the file ``path``: ``layers`` on the blobs of ``base``.

    ``base`` may be all of an image (``image.layers``) and ``layers`` empty. The digest is the configuration's,
    which is the image's ID in an engine of the classic store. Raises as ``write_oci_archive`` does, and
    ``BaseUnusable`` where a blob does not unpack to its diff ID.
    """
    _write(lambda directory: whole_docker_archive(config, base, layers, name, directory), path, reporter)
    return config.digest


def whole_oci_archive(images: Sequence[ImageContent], name: str | None) -> Iterator[bytes]:
    """The pieces of a tar of an OCI layout. For one image it says also what ``docker load`` asks for."""
    content = layout_content(images, name)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [dict(content.entry)]}
    yield archive.file("oci-layout", canonical_json(LAYOUT))
    yield archive.file("index.json", canonical_json(index))
    if len(images) == 1:
        # As docker save has it: the classic store reads this and not the index.
        (image,) = images
        entry = {
            "Config": _blob_name(image.config_blob),
            # A layout's name may be any word.
            "RepoTags": [_tagged(name)] if name is not None and containerd_name(name) else None,
            "Layers": [_blob_name(blob) for blob in image.layers],
        }
        yield archive.file("manifest.json", canonical_json([entry]))
    yield archive.directory("blobs")
    yield archive.directory("blobs/sha256")
    for blob in content.blobs:
        yield archive.header(_blob_name(blob), size=blob.descriptor.size, mode=_MODE)
        yield from verified(blob)
        yield archive.padding(blob.descriptor.size)
    yield archive.END


def whole_docker_archive(
    config: ImageConfig, base: Sequence[Blob], layers: Sequence[Layer], name: str | None, directory: Path
) -> Iterator[bytes]:
    """The pieces of an archive for ``docker load``; ``base`` is unpacked into ``directory`` before the first."""
    if len(base) + len(layers) != len(config.diff_ids):
        raise InputError(
            f"there are {len(base) + len(layers)} layers, and the configuration names {len(config.diff_ids)}",
            hint="this is a mistake in imagekit: report it",
        )
    tag = None if name is None else _tagged(name)
    all_layers = {layer.diff_id: layer for layer in layers}
    for blob, diff_id in zip(base, config.diff_ids, strict=False):
        if diff_id not in all_layers:
            all_layers[diff_id] = unpacked(blob, diff_id, directory)
    # An image may have a layer twice, and an archive a path once.
    ordered = [all_layers[diff_id] for diff_id in dict.fromkeys(config.diff_ids)]
    yield from docker_archive(config, ordered, frozenset(), tag)


def unpacked(blob: Blob, diff_id: Digest, directory: Path) -> Layer:
    """The archive of ``blob``, whatever compresses it, as a file in ``directory``. Raises ``BaseUnusable``."""
    from imagekit.stages.layer_stream import layer_tar

    # A tar's head says its length, which a compressed blob does not: so it is unpacked first.
    path = directory / diff_id.removeprefix("sha256:")
    size = 0
    with replacing(path) as out, layer_tar(blob, diff_id, "the base") as stream:
        while piece := stream.read(_PIECE):
            out.write(piece)
            size += len(piece)
    return Layer(diff_id=diff_id, size=size, pieces=(FileRange(path, 0, size, diff_id),), cached=True)


def _write(pieces: Callable[[Path], Iterable[bytes]], path: Path, reporter: Reporter | None) -> None:
    """Make what ``pieces`` gives, which may use the directory it is called with, the file at ``path``."""
    place = file_destination(path)
    reporter = reporter or SilentReporter()
    try:
        with reporter.task(f"writing {path}", unit="B") as task, beside(place) as directory:
            with replacing(directory / "whole", mode=_MODE) as out:
                for piece in pieces(directory):
                    out.write(piece)
                    task.advance(len(piece))
            os.replace(directory / "whole", place)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", hint="choose another path") from error


def _tagged(name: str) -> str:
    """The name as ``docker load`` takes it: with a tag. Raises ``InvalidReference``."""
    reference = Reference.parse(name, target=True)
    return str(reference if reference.tag else reference.with_tag("latest"))


def _blob_name(blob: Blob) -> str:
    return f"blobs/{blob.descriptor.digest.replace(':', '/')}"
