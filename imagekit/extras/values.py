"""What came of ``EXTRA_PIP_PACKAGES``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Names of derived images: below it, a tag for each image and each set of packages.
REPOSITORY = "imagekit/extras"
# Labels of a derived image.
LABEL_ORIGIN = "imagekit.extras.image"  # the ID of the image that it was derived from
LABEL_LOCK = "imagekit.extras.lock"  # the digest of what was added
LABEL_REQUIREMENTS = "imagekit.extras.requirements"  # what was asked for, a line each


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The image to run in: one with the packages, or the very one that was named where it has them all."""

    image_id: str
    reference: str  # a name of it in the engine: ``imagekit/extras:…``, or the one that was named
    origin_id: str  # of the image that was named
    origin: str  # as it was named
    requirements: tuple[str, ...]  # as they were asked for, each in its one spelling
    packages: tuple[str, ...]  # ``name==version`` of what was added, in name order; empty where nothing was
    kept: tuple[str, ...]  # the same, of what was asked for or needed and is the image's own
    lock_digest: str | None  # of what was added; None where nothing was
    up_to_date: bool  # the engine had it

    @property
    def adds_nothing(self) -> bool:
        """Whether the image has all that was asked for."""
        return self.image_id == self.origin_id

    def to_record(self) -> dict[str, Any]:
        """What is kept with a run: enough to ask for the same again."""
        return {
            "requirements": list(self.requirements),
            "packages": list(self.packages),
            "lock_digest": self.lock_digest,
            "image": self.reference,
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "image_id": self.image_id,
            "reference": self.reference,
            "origin": {"image_id": self.origin_id, "reference": self.origin},
            "requirements": list(self.requirements),
            "packages": list(self.packages),
            "kept": list(self.kept),
            "lock_digest": self.lock_digest,
            "up_to_date": self.up_to_date,
        }
