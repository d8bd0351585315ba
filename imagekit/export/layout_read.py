"""An image out of an OCI image layout on disk, for one platform; its layers are read when they are asked for.

Source: image-spec image-layout.md, image-index.md, manifest.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import BaseNotFound, BaseUnusable, InvalidReference
from imagekit.export.layout_content import CONTAINERD_NAME, REF_NAME, containerd_name
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.digest import Digest, is_digest, short
from imagekit.oci.manifest import INDEX, LAYER_GZIP, LAYER_TAR, MANIFEST, Descriptor
from imagekit.oci.platform import Platform
from imagekit.registry.read import choose

_INDEXES = frozenset({INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"})
_MANIFESTS = frozenset({MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"})
_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
}
_MOST_DOCUMENT = 8 << 20  # bytes
_PIECE = 1 << 20
_HINT = "copy the image into the layout anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutImage:
    """One platform's image in a layout."""

    name: str | None  # that the layout gives it
    digest: Digest  # of this platform's manifest
    index_digest: Digest | None  # of the index that led to it, within the layout's own
    # As it was written: bytes that are digested anew may differ from our canonical ones.
    config_bytes: bytes
    layers: tuple[Blob, ...]  # the lowest first; media types are OCI's

    @property
    def config(self) -> ImageConfig:
        return ImageConfig(json.loads(self.config_bytes))

    @property
    def content(self) -> ImageContent:
        """The image as a value that can be written elsewhere; its configuration becomes canonical JSON."""
        return ImageContent(config=self.config, layers=self.layers)


@dataclass(frozen=True, slots=True)
class LayoutBlob:
    """A blob of a layout, verified as it is read."""

    path: Path
    descriptor: Descriptor

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from offset ``start`` on; ``BaseUnusable`` before the last of them where any is wrong."""
        sha256, held, passed = hashlib.sha256(), b"", 0
        try:
            with open(self.path, "rb", buffering=0) as source:
                while piece := source.read(_PIECE):
                    if len(held) > (skip := max(0, start - passed)):
                        yield held[skip:]
                    passed += len(held)
                    sha256.update(piece)
                    held = piece
        except OSError as error:
            raise BaseUnusable(f"{self.path} cannot be read: {error.strerror}", hint=_HINT) from error
        size, digest = passed + len(held), "sha256:" + sha256.hexdigest()
        if (size, digest) != (self.descriptor.size, self.descriptor.digest):
            raise BaseUnusable(f"{self.path} is not what its name says", hint=_HINT)
        if len(held) > (skip := max(0, start - passed)):
            yield held[skip:]


def read_layout(directory: Path, name_or_digest: str | None, platform: Platform) -> ImageContent:
    """As ``find_image``, as a value to be written elsewhere."""
    return find_image(directory, name_or_digest, platform).content


def find_image(directory: Path, name_or_digest: str | None, platform: Platform) -> LayoutImage:
    """The image in the layout at ``directory`` that has the name, or the digest; ``None``: the only one.

    A name is that of the annotation ``org.opencontainers.image.ref.name``, or containerd's. Raises
    ``BaseNotFound`` where there is none, or none for ``platform``; ``BaseUnusable`` for a damaged layout;
    ``InvalidReference`` for what can be neither name nor digest.
    """
    entries = _entries_of(directory)
    chosen = _named(entries, name_or_digest, directory)
    shown = f"{name_or_digest or 'the image'} in {directory}"
    found = [each for entry in chosen for each in _images(directory, entry, None, shown)]
    digest = choose([entry for entry, _ in found], platform, shown)
    entry, index_digest = next((entry, index) for entry, index in found if entry["digest"] == digest)
    manifest = _document(directory, entry, shown)
    config, layers = _parts(manifest, shown)
    data = _bytes(directory, config)
    image = LayoutImage(
        name=next((known for entry in chosen for known in _names(entry)), None),
        digest=digest,
        index_digest=index_digest,
        config_bytes=data,
        layers=tuple(
            Blob(descriptor=layer, content=LayoutBlob(_path(directory, layer.digest), layer)) for layer in layers
        ),
    )
    _check(image, platform, shown)
    return image


def _entries_of(directory: Path) -> list[Mapping[str, Any]]:
    try:
        (directory / "oci-layout").read_bytes()
        index = json.loads((directory / "index.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BaseNotFound(
            f"{directory} is no OCI image layout: {Path(str(error.filename)).name} is not there",
            hint="write one with: skopeo copy docker://IMAGE oci:DIRECTORY:NAME",
        ) from error
    except OSError as error:
        raise BaseUnusable(f"{directory} cannot be read: {error.strerror}", hint="check its permissions") from error
    except ValueError as error:
        raise BaseUnusable(f"{directory / 'index.json'} is not JSON", hint=_HINT) from error
    manifests = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(manifests, list):
        raise BaseUnusable(f"{directory / 'index.json'} is no image index", hint=_HINT)
    found = [entry for entry in manifests if isinstance(entry, dict) and is_digest(str(entry.get("digest")))]
    # Documents about images are entries, too.
    return [entry for entry in found if not entry.get("artifactType")]


def _named(
    entries: Sequence[Mapping[str, Any]], name_or_digest: str | None, directory: Path
) -> list[Mapping[str, Any]]:
    known = sorted({name for entry in entries for name in _names(entry)[:1]})
    listed = f"it has {', '.join(known[:8])}{' …' if len(known) > 8 else ''}" if known else "its images have no names"
    if name_or_digest is None:
        # Entries of one name are the platforms of one image; one content under several names is one image.
        if len({tuple(_names(entry)[:1]) for entry in entries}) > 1 and len({e["digest"] for e in entries}) > 1:
            raise BaseNotFound(f"{directory} has several images", hint=f"name one: {listed}")
        if not entries:
            raise BaseNotFound(f"{directory} has no image", hint="write one into it")
        return list(entries)
    if not name_or_digest or any(c.isspace() or not c.isprintable() for c in name_or_digest):
        raise InvalidReference(f"{name_or_digest!r} can be no name in an OCI layout", hint=listed)
    if name_or_digest.startswith("sha256:"):
        if not is_digest(name_or_digest):
            raise InvalidReference(
                f"{name_or_digest!r} is no digest", hint="write sha256: and 64 lower-case hex digits, or a name"
            )
        # Also one that only an index in the layout names.
        chosen = [entry for entry in entries if entry["digest"] == name_or_digest]
        chosen = chosen or [e for top in entries for e in _children(directory, top) if e["digest"] == name_or_digest]
    else:
        wanted = {name_or_digest, containerd_name(name_or_digest)} - {None}
        chosen = [entry for entry in entries if name_or_digest in _names(entry)]
        chosen = chosen or [entry for entry in entries if wanted.intersection(_names(entry))]
    if not chosen:
        raise BaseNotFound(f"{name_or_digest} is not in {directory}", hint=listed)
    return chosen


def _names(entry: Mapping[str, Any]) -> list[str]:
    annotations = entry.get("annotations")
    if not isinstance(annotations, Mapping):
        return []
    return [str(annotations[key]) for key in (REF_NAME, CONTAINERD_NAME) if annotations.get(key)]


def _children(directory: Path, entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if entry.get("mediaType") not in _INDEXES:
        return []
    inner = _document(directory, entry, str(entry["digest"])).get("manifests")
    return [e for e in inner if isinstance(e, dict) and is_digest(str(e.get("digest")))] if inner else []


def _images(
    directory: Path, entry: Mapping[str, Any], index: Digest | None, shown: str, depth: int = 4
) -> Iterator[tuple[Mapping[str, Any], Digest | None]]:
    """The manifests that ``entry`` leads to, each with its platform, and the index that names it."""
    media_type = entry.get("mediaType")
    if media_type in _INDEXES and depth:
        for child in _children(directory, entry):
            yield from _images(directory, child, Digest(str(entry["digest"])), shown, depth - 1)
    elif media_type in _MANIFESTS:
        if not isinstance(entry.get("platform"), Mapping):
            # It may be left out: then the configuration alone says it.
            config, _ = _parts(_document(directory, entry, shown), shown)
            try:
                of = json.loads(_bytes(directory, config))
                platform = {key: of.get(key) for key in ("os", "architecture", "variant")}
            except (ValueError, AttributeError):
                raise BaseUnusable(f"{shown} has a configuration that is no JSON object", hint=_HINT) from None
            entry = {**entry, "platform": platform}
        yield entry, index


def _document(directory: Path, entry: Mapping[str, Any], shown: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_bytes(directory, Descriptor.from_json(entry)))
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise BaseUnusable(f"{shown} has a manifest that is no JSON object", hint=_HINT)
    return value


def _bytes(directory: Path, descriptor: Descriptor) -> bytes:
    if descriptor.size > _MOST_DOCUMENT:
        raise BaseUnusable(f"{descriptor.digest} in {directory} is too large for what it is", hint=_HINT)
    return b"".join(LayoutBlob(_path(directory, descriptor.digest), descriptor).chunks())


def _path(directory: Path, digest: Digest) -> Path:
    return directory / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _parts(manifest: Mapping[str, Any], shown: str) -> tuple[Descriptor, list[Descriptor]]:
    """The configuration and the layers, whose media types become OCI's."""
    try:
        config = Descriptor.from_json(manifest["config"])
        layers = [Descriptor.from_json(layer) for layer in manifest["layers"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BaseUnusable(f"{shown} is not an image's manifest", hint=_HINT) from None
    for found in (config, *layers):
        # Anything else could be a path out of the layout.
        if not is_digest(str(found.digest)) or not isinstance(found.size, int) or found.size < 0:
            raise BaseUnusable(f"{shown} has a descriptor that cannot be read", hint=_HINT)
    types = [_LAYERS.get(layer.media_type, layer.media_type) for layer in layers]
    for layer, media_type in zip(layers, types, strict=True):
        if not str(media_type).startswith(LAYER_TAR):
            raise BaseUnusable(
                f"{shown} has the layer {short(layer.digest)} of type {media_type}", hint="choose another base image"
            )
    return config, [
        Descriptor(media_type=media_type, digest=layer.digest, size=layer.size)
        for layer, media_type in zip(layers, types, strict=True)
    ]


def _check(image: LayoutImage, platform: Platform, shown: str) -> None:
    try:
        found, count = image.config.platform, len(image.config.diff_ids)
    except (ValueError, TypeError, AttributeError):
        raise BaseUnusable(f"{shown} has a configuration that is no JSON object", hint=_HINT) from None
    if count != len(image.layers):
        raise BaseUnusable(f"{shown} has {len(image.layers)} layers, and its configuration names {count}", hint=_HINT)
    if (found.os, found.architecture) != (platform.os, platform.architecture):
        raise BaseNotFound(f"{shown} is for {found}, and not for {platform}", hint=f"build for it: --platform {found}")
