"""What an OCI layout has about its images: documents that are entries of ``index.json`` without a name.

Such an entry has an ``artifactType``, and its manifest names the image as its ``subject``: by that ORAS finds it,
and by that who looks for images passes over it. Source: image-spec v1.1, image-layout.md, image-index.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from imagekit.errors import BaseUnusable
from imagekit.export.layout_read import LayoutBlob
from imagekit.oci.artifact import Attachment
from imagekit.oci.content import Blob, Data
from imagekit.oci.digest import Digest, is_digest
from imagekit.oci.manifest import INDEX, MANIFEST, Descriptor

SUBJECT = "imagekit.subject"  # annotation of an entry of ours: the manifest that it is about
_MOST = 64 << 20


def attached_blobs(attachments: Iterable[Attachment]) -> list[Blob]:
    """The blobs of ``attachments``, each once, manifests included."""
    found: dict[str, Blob] = {}
    for attachment in attachments:
        data = attachment.manifest
        entry = attachment.entry
        own = Descriptor(media_type=MANIFEST, digest=entry["digest"], size=entry["size"])
        for blob in (*attachment.blobs, Blob(descriptor=own, content=Data(data))):
            found.setdefault(blob.descriptor.digest, blob)
    return list(found.values())


def with_attachments(place: Path, entries: Sequence[Any], attachments: Sequence[Attachment]) -> list[Any]:
    """``entries`` of the index.json at ``place`` with those of ``attachments``.

    They take the place of older ones of their kind; ones of ours about images that are no longer there are left out.
    """
    new = [_entry(attachment) for attachment in attachments]
    kinds = [(each["artifactType"], each["annotations"]) for each in new]
    there = _image_digests(place, entries)
    kept = []
    for each in entries:
        said = each.get("annotations") if isinstance(each, Mapping) else None
        subject = said.get(SUBJECT) if isinstance(said, Mapping) else None
        is_gone = subject is not None and subject not in there
        if not is_gone and not (isinstance(each, Mapping) and _kind(each) in kinds):
            kept.append(each)
    return [*kept, *new]


def _image_digests(place: Path, entries: Sequence[Any]) -> set[str]:
    """The manifests that ``entries`` name, and those that an index among them does."""
    found = set()
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.get("artifactType"):
            continue
        found.add(str(entry.get("digest")))
        if entry.get("mediaType") == INDEX and is_digest(str(entry.get("digest"))):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                path = place / "blobs" / "sha256" / str(entry["digest"]).removeprefix("sha256:")
                found.update(str(child["digest"]) for child in json.loads(path.read_bytes())["manifests"])
    return found


def _entry(attachment: Attachment) -> dict[str, Any]:
    entry = attachment.entry
    return {**entry, "annotations": {**(entry.get("annotations") or {}), SUBJECT: attachment.subject.digest}}


def _kind(entry: Mapping[str, Any]) -> tuple[object, object]:
    return entry.get("artifactType"), entry.get("annotations")


def read_attached(directory: Path, subject: Digest, artifact_type: str, annotations: Mapping[str, str]) -> bytes | None:
    """The document of ``artifact_type`` about the manifest ``subject`` in the layout; ``None`` where there is none.

    Raises ``BaseUnusable`` for one that is damaged.
    """
    try:
        entries = json.loads((directory / "index.json").read_bytes())["manifests"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for entry in reversed(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict) or entry.get("artifactType") != artifact_type:
            continue
        said = entry.get("annotations") or {}
        if not isinstance(said, Mapping) or any(said.get(key) != value for key, value in annotations.items()):
            continue
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            document = json.loads(_bytes(directory, Descriptor.from_json(entry)))
            (layer,) = document["layers"]
            if document["subject"]["digest"] == subject:
                return _bytes(directory, Descriptor.from_json(layer))
    return None


def _bytes(directory: Path, descriptor: Descriptor) -> bytes:
    size = descriptor.size if isinstance(descriptor.size, int) else 0
    if not is_digest(str(descriptor.digest)) or not 0 < size <= _MOST:
        raise BaseUnusable(f"{directory} has a descriptor that cannot be read", hint="write the image into it anew")
    path = directory / "blobs" / "sha256" / descriptor.digest.removeprefix("sha256:")
    return b"".join(LayoutBlob(path, descriptor).chunks())
