"""Image archives that an engine loads, *thin* where it already has a layer.

Sources: the Docker image specification v1.2 ("Combined Image JSON + Filesystem Changeset
Format") for the classic image store, the OCI image layout for the containerd image store.
Neither store looks for a layer in the archive that it already has, so those can be left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from imagekit.layers import archive
from imagekit.layers.values import Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import manifest_of
from imagekit.oci.digest import Digest, canonical_json
from imagekit.oci.manifest import INDEX, LAYER_TAR, MANIFEST, Descriptor, Manifest


def docker_archive(
    config: ImageConfig, layers: Sequence[Layer], present: Collection[Digest], name: str | None
) -> Iterator[bytes]:
    """An archive for the classic store; layers in ``present`` (by diff ID), and the base's, are left out."""
    data = config.to_bytes()
    config_name = f"{config.digest.removeprefix('sha256:')}.json"
    entry = {
        "Config": config_name,
        "RepoTags": [name] if name else None,
        "Layers": [_layer_name(diff_id) for diff_id in config.diff_ids],
    }
    yield archive.file("manifest.json", canonical_json([entry]))
    yield archive.file(config_name, data)
    for layer in layers:
        if layer.diff_id not in present:
            yield archive.directory(layer.diff_id.removeprefix("sha256:"))
            yield from _member(_layer_name(layer.diff_id), layer)
    yield archive.END


def oci_archive(
    config: ImageConfig, base: Sequence[Descriptor], layers: Sequence[Layer], present: Collection[Digest], name: str
) -> Iterator[bytes]:
    """An OCI layout for the containerd store; blobs in ``present`` (by digest), and the base's, are left out."""
    manifest = image_manifest(config, base, layers)
    top = manifest.descriptor
    named = Descriptor(
        media_type=MANIFEST,
        digest=top.digest,
        size=top.size,
        annotations={"io.containerd.image.name": name},
    )
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [named.to_json()]}
    yield archive.file("oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
    yield archive.file("index.json", canonical_json(index))
    yield archive.directory("blobs")
    yield archive.directory("blobs/sha256")
    yield archive.file(_blob_name(top.digest), manifest.to_bytes())
    yield archive.file(_blob_name(config.digest), config.to_bytes())
    for layer in layers:
        if layer.diff_id not in present:
            yield from _member(_blob_name(layer.diff_id), layer)
    yield archive.END


def image_manifest(config: ImageConfig, base: Sequence[Descriptor], layers: Sequence[Layer]) -> Manifest:
    """The manifest of an image whose own layers are kept uncompressed."""
    own = (Descriptor(media_type=LAYER_TAR, digest=layer.diff_id, size=layer.size) for layer in layers)
    return manifest_of(config, [*base, *own])


def _member(name: str, layer: Layer) -> Iterator[bytes]:
    yield archive.header(name, size=layer.size, mode=0o644)
    yield from layer.chunks()
    yield archive.padding(layer.size)


def _layer_name(diff_id: Digest) -> str:
    return f"{diff_id.removeprefix('sha256:')}/layer.tar"


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.replace(':', '/')}"
