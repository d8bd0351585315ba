"""What a resolver answers: every package, one file of it for the target, with its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagekit.oci.digest import Digest, digest_of_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A wheel or a source distribution: where it is and what it must hash to."""

    filename: str
    url: str  # https://, http:// or file://
    sha256: str  # 64 hex digits
    size: int | None = None  # bytes, where the index says so

    @property
    def is_wheel(self) -> bool:
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One package of a lock: the one artifact that fits the target best."""

    name: str  # normalized (PEP 503)
    version: str
    artifact: Artifact
    direct: bool = False  # asked for by name, and not only needed by others


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A resolved set for one target, in name order."""

    packages: tuple[LockedPackage, ...]
    inputs: Digest  # of the inputs it was made from: staleness is comparing these
    python: str  # full version that it was resolved for
    platform: str  # linux/amd64
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> Mapping[str, str]:
        """Name → version of the packages that are asked for, or needed, and left to the base, which has them."""
        kept: Mapping[str, str] = (self.extra.get("base") or {}).get("kept") or {}
        return kept

    @property
    def reasons(self) -> Mapping[str, str]:
        """Name → why, of the packages that replace another version of the base's."""
        reasons: Mapping[str, str] = (self.extra.get("base") or {}).get("replaced") or {}
        return reasons

    @property
    def digest(self) -> Digest:
        """The digest of what is installed: names, versions and hashes; not where they lie."""
        return digest_of_json(
            {
                "python": self.python,
                "platform": self.platform,
                "packages": [[p.name, p.version, p.artifact.filename, p.artifact.sha256] for p in self.packages],
            }
        )
