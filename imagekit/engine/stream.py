"""What comes in pieces, an engine's answer or a layer, as a file to read from."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable


class PiecesReader(io.RawIOBase):
    """``pieces`` as the file that ``tarfile`` reads from: small reads of large pieces copy nothing twice."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._piece = b""
        self._at = 0

    def read(self, count: int = -1, /) -> bytes:
        left = sys.maxsize if count < 0 else count
        parts = []
        while left > 0:
            part = self._piece[self._at : self._at + left]
            if part:
                parts.append(part)
                self._at += len(part)
                left -= len(part)
                continue
            # One that is empty is not the end: a decoder may have nothing to give as yet.
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._piece, self._at = piece, 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def drain(self) -> None:
        """Read on to the end, and keep nothing."""
        for _ in self._pieces:
            pass
