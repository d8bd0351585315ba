"""What a kept layer holds, in words."""

from __future__ import annotations

from dataclasses import dataclass

from imagekit.cache.kinds import Unit
from imagekit.layers.cache import read_entry


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLayer:
    """A layer of the cache."""

    key: str  # 64 hex digits
    title: str  # name==version, environment, source, …
    diff_id: str
    size: int  # bytes
    used: float  # seconds since the epoch


def kept_layer(unit: Unit) -> KeptLayer | None:
    """The layer of ``unit``; ``None`` for what is no layer (a digest of several), or is damaged."""
    archive = next((path for path in unit.paths if path.suffix == ".tar"), None)
    entry = read_entry(archive) if archive is not None else None
    if entry is None:
        return None
    return KeptLayer(
        key=unit.key,
        title=entry.title,
        diff_id=entry.diff_id,
        size=unit.size,
        used=unit.used,
    )
