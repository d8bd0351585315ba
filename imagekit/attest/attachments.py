"""The documents that go with an image: its bill of materials, and how it was made where that is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagekit.attest import cyclonedx, provenance, spdx
from imagekit.attest.subject import Subject
from imagekit.oci.artifact import Attachment
from imagekit.oci.manifest import Descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document, and how it is told from others."""

    name: str  # as --format has it
    artifact_type: str
    write: Callable[[Subject], bytes]
    annotations: Mapping[str, str]  # what tools look for beside the type


CYCLONEDX = Kind(name=cyclonedx.FORMAT, artifact_type=cyclonedx.MEDIA_TYPE, write=cyclonedx.document_of, annotations={})
SPDX = Kind(name=spdx.FORMAT, artifact_type=spdx.MEDIA_TYPE, write=spdx.document_of, annotations={})
PROVENANCE = Kind(
    name=provenance.FORMAT,
    artifact_type=provenance.MEDIA_TYPE,
    write=provenance.statement_of,
    # As BuildKit and cosign mark in-toto statements.
    annotations={"in-toto.io/predicate-type": provenance.PREDICATE},
)
KINDS = {kind.name: kind for kind in (CYCLONEDX, SPDX, PROVENANCE)}


def attachments_of(subject: Subject, manifest: Descriptor) -> tuple[Attachment, ...]:
    """What is attached to the image ``subject``, whose manifest is ``manifest``."""
    kinds = (CYCLONEDX,) if subject.materials is None else (CYCLONEDX, PROVENANCE)
    return tuple(
        Attachment(
            artifact_type=kind.artifact_type, data=kind.write(subject), subject=manifest, annotations=kind.annotations
        )
        for kind in kinds
    )
