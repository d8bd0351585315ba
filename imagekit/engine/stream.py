"""An engine's answer, which comes in pieces, as a file to read from."""

from __future__ import annotations

import io
from collections.abc import Iterator


class PiecesReader(io.RawIOBase):
    """An iterator of pieces as the file that ``tarfile`` reads from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def read(self, count: int = -1, /) -> bytes:
        parts = [self._held]
        held = len(self._held)
        while held < count:
            piece = next(self._chunks, b"")
            if not piece:
                break
            parts.append(piece)
            held += len(piece)
        data = b"".join(parts)
        self._held = data[count:]
        return data[:count]
