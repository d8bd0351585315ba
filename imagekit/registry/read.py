"""Reading an image from a registry, for one platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.errors import BaseNotFound, RegistryError
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest, digest_of, is_digest, short
from imagekit.oci.manifest import LAYER_GZIP, LAYER_TAR, Descriptor
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.registry.client import HeldManifest, Registry
from imagekit.registry.hosts import home_of, repository_of

_MOST_CONFIG = 8 << 20  # bytes
_LAYERS = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteImage:
    """One platform's image in a registry. Its layers' bytes come from there when they are asked for."""

    reference: Reference
    digest: Digest  # of this platform's manifest
    index_digest: Digest | None  # of the index that led to it
    # As it was written: bytes that are digested anew may differ from our canonical ones.
    config_bytes: bytes
    layers: tuple[Blob, ...]  # the lowest first; media types are OCI's

    @property
    def config(self) -> ImageConfig:
        import json

        return ImageConfig(json.loads(self.config_bytes))


@dataclass(frozen=True, slots=True)
class _Remote:
    registry: Registry
    repository: str
    descriptor: Descriptor

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        return self.registry.read_blob(self.repository, self.descriptor, start)


def read_image(registry: Registry, reference: Reference, platform: Platform) -> RemoteImage:
    """The image of ``reference`` for ``platform``: two or three requests, and none for its layers.

    ``registry`` is the reference's own, and must stay open while layers are read. Raises ``BaseNotFound``
    where there is no such image, or none for the platform; ``RegistryError`` where it cannot be used.
    """
    repository = repository_of(reference)
    name = str(reference)
    wanted = reference.digest or reference.tag or "latest"
    held = registry.manifest(repository, wanted)
    if held is None:
        raise BaseNotFound(f"there is no image {name} in {registry.name}", hint=f"check it: docker pull {name}")
    index_digest = None
    if held.is_index:
        index_digest = held.digest
        chosen = choose(_entries(held), platform, name)
        held = registry.manifest(repository, chosen)
        if held is None:
            raise BaseNotFound(
                f"{name} names a manifest for {platform} that is not in {registry.name}", hint="push the image anew"
            )
    config, layers = _descriptors(held, name)
    if config.size > _MOST_CONFIG:
        raise RegistryError(f"{name} has a configuration of {config.size} bytes", hint="choose another base image")
    data = b"".join(registry.read_blob(repository, config))
    if digest_of(data) != config.digest:
        raise RegistryError(f"{name}: its configuration is not what its digest says", hint="push it anew")
    image = RemoteImage(
        reference=reference,
        digest=held.digest,
        index_digest=index_digest,
        config_bytes=data,
        layers=tuple(
            Blob(
                descriptor=layer,
                content=_Remote(registry, repository, layer),
                held_by=(home_of(reference),),
            )
            for layer in layers
        ),
    )
    _check_config(image, platform, name)
    return image


def choose(entries: Sequence[Mapping[str, Any]], platform: Platform, name: str) -> Digest:
    """The digest of the manifest in an index that is for ``platform``; ``BaseNotFound`` where none is.

    ``linux/arm64`` and ``linux/arm64/v8`` are one platform, as containerd has it.
    """
    here = []
    for entry in entries:
        of = entry.get("platform")
        if not isinstance(of, Mapping) or not is_digest(str(entry.get("digest"))):
            continue
        if of.get("os") == "unknown":
            continue  # attestations
        found = Platform(str(of.get("os")), str(of.get("architecture")), of.get("variant") or None)
        if _plain(found) == _plain(platform):
            return Digest(str(entry["digest"]))
        here.append(str(found))
    raise BaseNotFound(
        f"{name} is not there for {platform}",
        hint=f"it is for {', '.join(sorted(set(here)))}" if here else "choose another base image",
    )


def _plain(platform: Platform) -> tuple[str, str, str | None]:
    implied = {"arm64": "v8", "amd64": "v1"}.get(platform.architecture)
    return platform.os, platform.architecture, None if platform.variant == implied else platform.variant


def _entries(held: HeldManifest) -> Sequence[Mapping[str, Any]]:
    manifests = held.document.get("manifests")
    return [entry for entry in manifests if isinstance(entry, dict)] if isinstance(manifests, list) else []


def _descriptors(held: HeldManifest, name: str) -> tuple[Descriptor, list[Descriptor]]:
    """The configuration and the layers, whose media types become OCI's."""
    document = held.document
    try:
        config = Descriptor.from_json(document["config"])
        layers = [Descriptor.from_json(layer) for layer in document["layers"]]
    except (KeyError, TypeError, ValueError):
        raise _unusable(name, "its manifest is not an image's (schema version 2)") from None
    for found in (config, *layers):
        if not is_digest(found.digest) or not isinstance(found.size, int) or found.size < 0:
            raise _unusable(name, "its manifest has a descriptor that cannot be read")
    for layer in layers:
        media_type = _LAYERS.get(layer.media_type, layer.media_type)
        if not media_type.startswith(LAYER_TAR):
            raise _unusable(name, f"its layer {short(layer.digest)} is of the type {layer.media_type}")
    return config, [
        Descriptor(media_type=_LAYERS.get(d.media_type, d.media_type), digest=d.digest, size=d.size) for d in layers
    ]


def _check_config(image: RemoteImage, platform: Platform, name: str) -> None:
    try:
        config = image.config
        found, count = config.platform, len(config.diff_ids)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _unusable(name, "its configuration is no JSON object") from None
    if count != len(image.layers):
        raise _unusable(name, f"it has {len(image.layers)} layers, and its configuration names {count}")
    if (found.os, found.architecture) != (platform.os, platform.architecture):
        raise BaseNotFound(f"{name} is for {found}, and not for {platform}", hint=f"build for it: --platform {found}")


def _unusable(name: str, why: str) -> RegistryError:
    return RegistryError(f"{name} cannot be used: {why}", hint="choose another base image, or push it anew")
