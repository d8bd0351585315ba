"""What a push comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagekit.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An image in a registry."""

    reference: str
    digest: Digest  # of its manifest, or of its index
    size: int  # bytes of the manifest, as the registry has it
    seconds: float
    sent: int | None = None  # bytes of blobs that were uploaded, tries that failed counted too; None: not known
    uploaded: int | None = None  # blobs sent
    mounted: int | None = None  # blobs taken from another repository of the registry
    skipped: int | None = None  # blobs that were there
    attached: tuple[str, ...] = ()  # media types of the documents that were attached

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "digest": self.digest,
            "size": self.size,
            "seconds": round(self.seconds, 3),
            "sent": self.sent,
            "uploaded": self.uploaded,
            "mounted": self.mounted,
            "skipped": self.skipped,
            "attached": list(self.attached),
        }
