"""OCI descriptors and manifests (image-spec, descriptor.md and manifest.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.oci.digest import Digest, canonical_json, digest_of

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is, by its content: media type, digest, size in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Descriptor:
        return cls(
            media_type=value["mediaType"],
            digest=Digest(value["digest"]),
            size=value["size"],
            annotations=dict(value.get("annotations") or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One platform's image: its config and its layers, the lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return canonical_json(value)

    @property
    def descriptor(self) -> Descriptor:
        data = self.to_bytes()
        return Descriptor(media_type=MANIFEST, digest=digest_of(data), size=len(data))
