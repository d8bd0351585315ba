"""What is in an engine, as far as it decides on what may go; and what goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image of an engine, whoever made it."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    diff_ids: tuple[Digest, ...]
    tagged: float  # seconds since 1970; 0 where the engine does not say
    is_known: bool  # made on this machine, or run by this user
    is_child: bool = False  # another program built it on an image of ours, whose labels it has got


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContainer:
    """A container of an engine, whoever made it."""

    id: str
    name: str
    image_id: str
    is_running: bool
    run_id: str | None = None  # of a run of ours
    is_ours: bool = False  # a run's of this machine, whose process is gone or has let go of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that an engine holds."""

    images: tuple[FoundImage, ...]
    containers: tuple[FoundContainer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What nobody needs."""

    images: tuple[FoundImage, ...] = ()
    containers: tuple[FoundContainer, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)  # ID of an image of ours that stays → why
    elsewhere: int = 0  # images of imagekit's that were made elsewhere, and would go if that did not count


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedEngine:
    """What was taken away from an engine, or would be."""

    containers: tuple[FoundContainer, ...]
    images: tuple[FoundImage, ...]
    sizes: Mapping[str, int]  # image ID → bytes of layers that no image has which stays, nor one before it here
    in_use: tuple[str, ...]  # images that were to go, and that something turned out to need
    kept: Mapping[str, str]
    elsewhere: int

    @property
    def freed(self) -> int:
        return sum(self.sizes[image.id] for image in self.images)

    def to_json(self) -> dict[str, Any]:
        return {
            "freed": self.freed,
            "containers": [{"id": each.id, "name": each.name, "run": each.run_id} for each in self.containers],
            "images": [
                {"id": each.id, "names": list(each.tags), "unique": self.sizes[each.id]} for each in self.images
            ],
            "in_use": list(self.in_use),
            "kept": [{"id": image_id, "why": why} for image_id, why in self.kept.items()],
            "elsewhere": self.elsewhere,
        }
