"""A whole image as values that can be written anywhere: its configuration and its blobs.

What reads images (an engine, a registry, a layout) gives these; what writes them (a registry,
a layout, an archive) takes these; so neither knows of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import canonical_json, digest_of
from imagekit.oci.manifest import CONFIG, INDEX, Descriptor, Manifest
from imagekit.oci.platform import Platform

_ANNOTATIONS = ("org.opencontainers.image.", "imagekit.version", "imagekit.lock")


class Bytes(Protocol):
    """Where a blob's bytes come from; may be asked several times, since an upload may begin anew."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from offset ``start`` on, in pieces."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes held in memory: a configuration, a manifest."""

    data: bytes

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield self.data[start:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob: what it is, and where its bytes come from."""

    descriptor: Descriptor
    content: Bytes
    # ``registry/repository`` names that are thought to hold it: on the same registry it is mounted from there.
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContent:
    """One platform's image, ready to be written."""

    config: ImageConfig
    layers: tuple[Blob, ...]  # all of them, the base's included, the lowest first

    @property
    def config_blob(self) -> Blob:
        data = self.config.to_bytes()
        return Blob(
            descriptor=Descriptor(media_type=CONFIG, digest=digest_of(data), size=len(data)), content=Data(data)
        )

    @property
    def manifest(self) -> Manifest:
        """The same manifest wherever it is written."""
        return manifest_of(self.config, [blob.descriptor for blob in self.layers])


def manifest_of(config: ImageConfig, layers: Sequence[Descriptor]) -> Manifest:
    """The manifest of ``config`` with ``layers``, the lowest first."""
    data = config.to_bytes()
    return Manifest(
        config=Descriptor(media_type=CONFIG, digest=digest_of(data), size=len(data)),
        layers=tuple(layers),
        # The same words as labels, where tools look that never read the configuration.
        annotations={k: v for k, v in config.labels.items() if k.startswith(_ANNOTATIONS)},
    )


def index_bytes(manifests: Sequence[tuple[Descriptor, Platform]]) -> bytes:
    """An image index (image-spec, image-index.md) of one manifest a platform, in the order given."""
    entries = []
    for descriptor, platform in manifests:
        of = {"architecture": platform.architecture, "os": platform.os}
        if platform.variant:
            of["variant"] = platform.variant
        entries.append({**descriptor.to_json(), "platform": of})
    return canonical_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
