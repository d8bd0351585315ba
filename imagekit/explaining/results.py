"""What a build and a look at an image come to; each value is what ``--json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagekit.oci.digest import Digest

if TYPE_CHECKING:
    from imagekit.layers.values import Layer
    from imagekit.plan.values import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLayer:
    """One layer of an image, base layers left out."""

    digest: Digest  #: of the uncompressed layer (diff ID)
    size: int  #: bytes, uncompressed
    title: str  #: what is in it, in short: ``pandas==2.2.3``, ``3 packages``, ``source``
    packages: tuple[str, ...] = ()  #: ``name==version`` of each
    cached: bool = False  #: it was in the layer cache, and was not made now

    def to_json(self) -> dict[str, Any]:
        """The fields by their names."""
        return {
            "digest": self.digest,
            "size": self.size,
            "title": self.title,
            "packages": list(self.packages),
            "cached": self.cached,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """An image that an engine holds."""

    reference: str  #: ``NAME:TAG``
    image_id: str  #: the engine's ID
    digest: Digest  #: of the image's configuration: the same in every store and registry
    layers: tuple[BuiltLayer, ...]  #: above the base, the lowest first
    seconds: float  #: that the build took
    base: str  #: the image that it is built on
    lock_digest: Digest | None = None  #: of the lock; ``None`` where a Dockerfile was built
    up_to_date: bool = False  #: nothing had to be done
    sent: int = 0  #: bytes of layers that the engine lacked
    next: str | None = None  #: the command that runs something in it; ``None`` where that is not known

    def to_json(self) -> dict[str, Any]:
        """As ``imagekit build --json`` has it, which tells of a push besides."""
        return {
            "reference": self.reference,
            "digest": self.digest,
            "image_id": self.image_id,
            "base": self.base,
            "lock_digest": self.lock_digest,
            "layers": [layer.to_json() for layer in self.layers],
            "sent": self.sent,
            "up_to_date": self.up_to_date,
            "seconds": round(self.seconds, 3),
            "next": self.next,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """One platform's image that was written somewhere."""

    platform: str  #: ``linux/amd64``
    digest: Digest  #: of its configuration
    layers: tuple[BuiltLayer, ...]  #: above the base, the lowest first
    base: str  #: the image that it is built on
    lock_digest: Digest  #: of the lock

    def to_json(self) -> dict[str, Any]:
        """The fields by their names."""
        return {
            "platform": self.platform,
            "digest": self.digest,
            "base": self.base,
            "lock_digest": self.lock_digest,
            "layers": [layer.to_json() for layer in self.layers],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenResult:
    """Images that registries, layouts and archives hold, and no engine."""

    reference: str  #: ``NAME:TAG``
    images: tuple[PlatformImage, ...]  #: one for each platform
    written: tuple[Mapping[str, Any], ...]  #: a destination each: ``output``, ``digest``, and what a push tells
    seconds: float  #: that the build took

    @property
    def pushed(self) -> Digest | None:
        """Of the manifest, or of several platforms' index, in the registry; ``None`` where none got it."""
        return next((Digest(each["digest"]) for each in self.written if each["output"] == "registry"), None)

    @property
    def digest(self) -> Digest:
        """The registry's, or what the first destination has."""
        return self.pushed or Digest(self.written[0]["digest"])

    def to_json(self) -> dict[str, Any]:
        """What ``imagekit build --json`` prints."""
        return {
            "reference": self.reference,
            "images": [image.to_json() for image in self.images],
            "written": [dict(each) for each in self.written],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """An image as an engine holds it, layer by layer."""

    reference: str
    image_id: str
    digest: str | None  # of its manifest, where a registry has it
    platform: str
    size: int  # bytes, base included
    layers: tuple[BuiltLayer, ...]  # all of them, the lowest first
    labels: Mapping[str, str]
    user: str
    workdir: str

    def to_json(self) -> dict[str, Any]:
        return {
            "reference": self.reference,
            "image_id": self.image_id,
            "digest": self.digest,
            "platform": self.platform,
            "size": self.size,
            "user": self.user,
            "workdir": self.workdir,
            "labels": dict(self.labels),
            "layers": [{k: v for k, v in layer.to_json().items() if k != "cached"} for layer in self.layers],
        }


def built_layers(plan: Plan, layers: Sequence[Layer]) -> tuple[BuiltLayer, ...]:
    """What ``layers``, which are those of ``plan``, came to."""
    return tuple(
        BuiltLayer(
            digest=layer.diff_id,
            size=layer.size,
            title=planned.title,
            packages=planned.packages,
            cached=layer.cached,
        )
        for layer, planned in zip(layers, plan.layers, strict=True)
    )
