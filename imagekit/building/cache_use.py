"""The cache directory while it is worked with: held in use, and trimmed at the end by what came."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.explaining.results import BuiltLayer


class CacheUse:
    """What one process takes from the cache at ``path`` and adds to it; at most ``limit`` bytes stay."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._grown = 0  # bytes of layers that came
        self._ends = ExitStack()
        self._stays = False

    def close(self) -> None:
        """Let go of what stayed in use."""
        self._ends.close()

    def stay_in_use(self) -> None:
        """Nothing that is there now is taken away until ``close``."""
        if not self._stays:
            self._stays = True
            # The last to be entered is the first to end: what is in use is not trimmed.
            self._ends.callback(self.trim)
            self._ends.enter_context(in_use(self.path))

    def add(self, layers: Iterable[BuiltLayer]) -> None:
        """Count what was made."""
        self._grown += sum(layer.size for layer in layers if not layer.cached)

    def trim(self) -> None:
        """Take away what is beyond the limit, where enough came to look."""
        from imagekit.cache.prune import trim

        trim(self.path, self._limit, grown=self._grown)
        self._grown = 0
