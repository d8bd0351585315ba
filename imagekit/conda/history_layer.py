"""The layer with an environment's history, by which conda's tools know a directory for an environment."""

from __future__ import annotations

from typing import BinaryIO

from imagekit.layers import archive
from imagekit.layers.values import WrittenLayer


def write_history(path: str, data: bytes, out: BinaryIO) -> WrittenLayer:
    """One file at the absolute ``path``; its directories are there, and 0755 root's in packages' layers, too."""
    name = path.lstrip("/")
    writer = archive.DigestingWriter(out)
    writer.write(archive.file(name, data))
    end = writer.size
    writer.write(archive.END)
    return WrittenLayer(diff_id=writer.digest, size=writer.size, body=(0, end), directories=(), paths=(name,))
