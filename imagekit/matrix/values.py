"""What a matrix is made of, once its file is read: cells, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STANDARD, CONDA = "standard", "conda"
FLAVORS = (STANDARD, CONDA)
DEBIAN, REGISTRY, LOCAL = "debian", "registry", "local"  # where bare bases come from


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of the framework: a release of an index, or a commit."""

    version: str  # PEP 440, normalized; "0" for a commit, whose version only its source says
    commit: str | None = None  # 40 hex digits
    url: str | None = None  # of the commit: git+https://…@COMMIT

    @property
    def shown(self) -> str:
        return self.commit[:7] if self.commit else self.version

    def requirement(self, package: str) -> str:
        """``package`` at this release, as a requirement (PEP 508); a marker may follow."""
        return f"{package} @ {self.url} " if self.url else f"{package}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One image of a matrix. ``python`` is ``X.Y``; ``release`` is ``None`` where there is no framework."""

    python: str
    flavor: str
    category: str
    release: Release | None

    @property
    def label(self) -> str:
        """What it is called where people choose: ``3.8.8-python3.11-conda-core``."""
        parts = [self.release.shown] if self.release else []
        parts += [f"python{self.python}", *([] if self.flavor == STANDARD else [self.flavor]), self.category]
        return "-".join(parts)

    def to_json(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "python": self.python,
            "flavor": self.flavor,
            "category": self.category,
            "version": self.release.version if self.release and not self.release.commit else None,
            "commit": self.release.commit if self.release else None,
        }


Tags = Mapping[Cell, tuple[str, ...]]
