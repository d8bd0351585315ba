"""Steps of a Dockerfile between a base and all layers of ours, and the files of the context that they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.oci.digest import Digest, digest_of_json

# Where it lies in a context; what an earlier one left there is replaced.
RECIPES = "recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneath:
    """What recipes put on a base."""

    lines: tuple[str, ...]  # instructions that follow FROM
    files: Mapping[str, bytes] = field(default_factory=dict)  # path in the context → content
    layers: tuple[str, ...] = ()  # the recipe of each layer that they make, the lowest first

    @property
    def digest(self) -> Digest:
        """Of all that it says."""
        return digest_of_json([list(self.lines), {path: data.hex() for path, data in sorted(self.files.items())}])

    def write(self, context: Path) -> None:
        """Write the files into the directory ``context``."""
        for path, data in self.files.items():
            place = context / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            # Part of what BuildKit compares.
            place.chmod(0o644)
            place.parent.chmod(0o755)
