"""The two sides of a comparison, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.plan.changes import InputChange
from imagekit.store.values import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSide:
    """An image as far as two are compared; what is not known of it is empty or ``None``."""

    reference: str
    image_id: str
    python: str = ""
    base: str = ""  # its name
    distro: str = ""  # the distribution below, compared where a base has no name
    base_digest: str = ""  # of the same kind on both sides where the image is ours
    lock: str = ""
    commit: str = ""
    packages: Mapping[str, str] | None = None  # normalized name → version
    system: Mapping[str, str] | None = None  # Debian package → version
    conda: Mapping[str, str] | None = None  # package of conda's → version and build
    source: str = ""  # digest of the project's files
    files: Mapping[str, str] | None = None  # path in the image → digest, where the layer is still here
    env: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)  # user, workdir, entrypoint, command, platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A run and the image that it ran in, or an image alone."""

    name: str  # as it was asked for
    run: StoredRun | None = None
    image: ImageSide | None = None
    why: str = ""  # there is no image to compare

    def to_json(self) -> dict[str, Any]:
        run, image = self.run, self.image
        return {
            "name": self.name,
            "run": run.id if run else None,
            "image_id": image.image_id if image else run.record.image_id if run else None,
            "reference": run.record.reference if run else image.reference if image else None,
            "state": run.state if run else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is different between two sides."""

    before: Side
    after: Side
    changes: tuple[InputChange, ...]
    resources: Mapping[str, tuple[float | None, float | None]]  # seconds, cpu_seconds, peak_memory of two runs
    unknown: tuple[str, ...]  # what could not be compared, and why

    @property
    def same(self) -> bool:
        return not self.changes

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "same": self.same,
            "changes": [change.to_json() for change in self.changes],
            "resources": {name: list(pair) for name, pair in self.resources.items()},
            "unknown": list(self.unknown),
        }
