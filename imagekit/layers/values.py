"""A finished layer: its digest, and where its bytes lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagekit.oci.digest import Digest

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes ``start`` to ``end`` of a file of the layer cache."""

    path: Path
    start: int
    end: int

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from offset ``start`` of the range on."""
        with open(self.path, "rb") as source:
            source.seek(self.start + start)
            left = self.end - self.start - start
            while left > 0:
                piece = source.read(min(_PIECE, left))
                if not piece:
                    raise OSError(f"{self.path} ends {left} bytes early")
                left -= len(piece)
                yield piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An uncompressed layer (media type ``application/vnd.oci.image.layer.v1.tar``)."""

    diff_id: Digest
    size: int  # bytes
    pieces: tuple[bytes | FileRange, ...]
    cached: bool  # nothing had to be written for it

    def chunks(self) -> Iterator[bytes]:
        """The archive's bytes."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.chunks()
