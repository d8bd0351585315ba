"""What a kept layer holds, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagekit.cache.kinds import Unit
from imagekit.layers.cache import read_entry

_DIST_INFO = re.compile(r"(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info")


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
        title=entry.title or _guess(entry.directories),
        diff_id=entry.diff_id,
        size=unit.size,
        used=unit.used,
    )


def _guess(directories: tuple[str, ...]) -> str:
    # Entries of earlier versions do not say it.
    found = (_DIST_INFO.fullmatch(directory.rpartition("/")[2]) for directory in directories)
    return next((f"{each['name'].replace('_', '-').lower()}=={each['version']}" for each in found if each), "(unknown)")
