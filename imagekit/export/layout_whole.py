"""All of an OCI image layout that holds one image of several platforms: its documents byte for byte, and its blobs.

Source: image-spec image-layout.md, image-index.md, manifest.md. As BuildKit writes it (``type=oci,tar=false``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import BaseUnusable
from imagekit.export.layout_read import LayoutBlob
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.manifest import Descriptor
from imagekit.registry.push import Document

_MOST_DOCUMENT = 8 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenImage:
    """One platform's image: its configuration and its layers, the lowest first."""

    config: ImageConfig
    layers: tuple[Blob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeLayout:
    """What a layout holds; ``documents``: those that others name first, and the top one last."""

    documents: tuple[Document, ...]
    blobs: tuple[Blob, ...]
    images: tuple[WrittenImage, ...]  # attestations are none


def read_whole(directory: Path) -> WholeLayout:
    """The one image in the layout at ``directory``; ``BaseUnusable`` where it is damaged."""
    try:
        (top,) = json.loads((directory / "index.json").read_bytes())["manifests"]
        found = list(_below(directory, top, is_image=True))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaseUnusable(f"{directory} is no layout of one image ({error})", hint="build it once more") from error
    blobs = {blob.descriptor.digest: blob for _, parts, _ in found for blob in parts}
    images = [
        WrittenImage(config=ImageConfig(json.loads(_bytes(parts[0]))), layers=tuple(parts[1:]))
        for _, parts, is_image in found
        if parts and is_image
    ]
    return WholeLayout(
        documents=tuple(document for document, _, _ in found), blobs=tuple(blobs.values()), images=tuple(images)
    )


def _below(directory: Path, entry: Mapping[str, Any], *, is_image: bool) -> Iterator[tuple[Document, list[Blob], bool]]:
    """The document of ``entry`` after those that it names; of a manifest, its blobs, and whether it is an image's."""
    data = _bytes(_blob(directory, entry))
    value = json.loads(data)
    for child in value.get("manifests", ()):
        of = child.get("platform") or {}
        yield from _below(directory, child, is_image=of.get("os") != "unknown")
    parts = [_blob(directory, part) for part in (value["config"], *value["layers"])] if "config" in value else []
    yield Document.of(data, str(entry["mediaType"])), parts, is_image


def _blob(directory: Path, entry: Mapping[str, Any]) -> Blob:
    descriptor = Descriptor.from_json(entry)
    path = directory / "blobs" / "sha256" / descriptor.digest.removeprefix("sha256:")
    return Blob(descriptor=descriptor, content=LayoutBlob(path, descriptor))


def _bytes(blob: Blob) -> bytes:
    if blob.descriptor.size > _MOST_DOCUMENT:
        raise ValueError(f"{blob.descriptor.digest} is too large for what it is")
    return b"".join(blob.content.chunks())
