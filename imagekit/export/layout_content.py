"""Images as the content of an OCI image layout: the blobs, and the descriptor that leads to them.

Sources: image-spec image-layout.md, annotations.md; containerd's ``AnnotationImageName``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.errors import InputError, InvalidReference
from imagekit.oci.content import Blob, Data, ImageContent, index_bytes
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import INDEX, Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.registry.hosts import home_of

REF_NAME = "org.opencontainers.image.ref.name"
# By it, containerd and Docker name what they load.
CONTAINERD_NAME = "io.containerd.image.name"
LAYOUT = {"imageLayoutVersion": "1.0.0"}
# image-spec's grammar, and the "__" and "---" that Docker allows in names.
_NAME = re.compile(
    r"[A-Za-z0-9]+(?:(?:[._:@+]|__|-+)[A-Za-z0-9]+)*(?:/[A-Za-z0-9]+(?:(?:[._:@+]|__|-+)[A-Za-z0-9]+)*)*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutContent:
    """What a layout must hold for one name."""

    entry: Mapping[str, Any]  # of index.json: the descriptor of the manifest, or of an index of several
    top: Descriptor
    blobs: tuple[Blob, ...]  # each digest once; what names others comes after them


def layout_content(images: Sequence[ImageContent], name: str | None) -> LayoutContent:
    """The content of a layout for ``images``, one a platform; several are put together by an image index.

    Raises ``InvalidReference`` for a ``name`` that a layout cannot have, and ``InputError`` for two images of
    one platform.
    """
    if not images:
        raise InputError("there is no image to write", hint="name at least one platform")
    annotations = name_annotations(name) if name is not None else {}
    blobs: dict[str, Blob] = {}
    manifests: list[tuple[Descriptor, Platform]] = []
    for image in images:
        platform = image.config.platform
        if platform in (other for _, other in manifests):
            raise InputError(f"there are two images for {platform}", hint="name each platform once")
        manifest = image.manifest
        data = manifest.to_bytes()
        own = Blob(descriptor=manifest.descriptor, content=Data(data))
        blobs.update((blob.descriptor.digest, blob) for blob in (*image.layers, image.config_blob, own))
        manifests.append((manifest.descriptor, platform))
    if len(manifests) == 1:
        top, platform = manifests[0]
        entry = {**top.to_json(), "platform": _platform_json(platform)}
    else:
        data = index_bytes(manifests)
        top = Descriptor(media_type=INDEX, digest=digest_of(data), size=len(data))
        blobs[top.digest] = Blob(descriptor=top, content=Data(data))
        entry = top.to_json()
    if annotations:
        entry["annotations"] = annotations
    return LayoutContent(entry=entry, top=top, blobs=tuple(blobs.values()))


def name_annotations(name: str) -> dict[str, str]:
    """What an entry of index.json says of its name. Raises ``InvalidReference``."""
    if not _NAME.fullmatch(name):
        raise InvalidReference(
            f"{name!r} cannot be a name in an OCI layout",
            hint="write NAME or NAME:TAG, such as orders:v1",
        )
    full = containerd_name(name)
    return {REF_NAME: name} if full is None else {REF_NAME: name, CONTAINERD_NAME: full}


def containerd_name(name: str) -> str | None:
    """``name`` with all that Docker fills in, or ``None`` where it is no image reference but some other word."""
    try:
        reference = Reference.parse(name)
    except InvalidReference:
        return None
    if reference.digest is not None:
        return None
    return f"{home_of(reference)}:{reference.tag or 'latest'}"


def _platform_json(platform: Platform) -> dict[str, str]:
    found = {"architecture": platform.architecture, "os": platform.os}
    return {**found, "variant": platform.variant} if platform.variant else found
