"""What is said about an image and lies beside it: an OCI artifact whose ``subject`` is the image's manifest.

The image itself stays the same bytes. Source: image-spec v1.1, manifest.md ("Guidelines for Artifact Usage").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.oci.content import Blob, Data
from imagekit.oci.digest import canonical_json, digest_of
from imagekit.oci.manifest import MANIFEST, Descriptor

EMPTY = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document about the image whose manifest is ``subject``."""

    artifact_type: str  # its media type: application/vnd.cyclonedx+json
    data: bytes
    subject: Descriptor
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def blobs(self) -> tuple[Blob, Blob]:
        """The document, and the empty configuration that every artifact has."""
        return _blob(self.data, self.artifact_type), _blob(b"{}", EMPTY)

    @property
    def manifest(self) -> bytes:
        """The same bytes wherever it is written."""
        document, empty = (blob.descriptor.to_json() for blob in self.blobs)
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": self.artifact_type,
            "config": empty,
            "layers": [document],
            "subject": Descriptor(
                media_type=self.subject.media_type, digest=self.subject.digest, size=self.subject.size
            ).to_json(),
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return canonical_json(value)

    @property
    def entry(self) -> dict[str, Any]:
        """Its descriptor as lists of referrers have it (distribution-spec, "Listing Referrers")."""
        data = self.manifest
        return {
            "mediaType": MANIFEST,
            "digest": digest_of(data),
            "size": len(data),
            "artifactType": self.artifact_type,
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
        }


def _blob(data: bytes, media_type: str) -> Blob:
    descriptor = Descriptor(media_type=media_type, digest=digest_of(data), size=len(data))
    return Blob(descriptor=descriptor, content=Data(data))
