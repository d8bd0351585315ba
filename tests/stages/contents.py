"""Images of an engine, and of files, as ``ImageContent``."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import LAYER_GZIP, LAYER_TAR, Descriptor


@dataclass(frozen=True)
class FileBytes:
    path: Path

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            stream.seek(start)
            while piece := stream.read(1 << 20):
                yield piece


def content_of_engine(engine: Engine, image: str, directory: Path) -> ImageContent:
    """The image as the engine saves it, its layers as plain archives in ``directory``."""
    saved = directory / "saved.tar"
    with saved.open("wb") as out:
        for piece in engine.save(image):
            out.write(piece)
    with tarfile.open(saved) as archive:

        def read(name: str) -> bytes:
            stream = archive.extractfile(name)
            assert stream is not None
            return stream.read()

        (entry,) = json.loads(read("manifest.json"))
        config = ImageConfig(json.loads(read(entry["Config"])))
        blobs = []
        for number, name in enumerate(entry["Layers"]):
            path = directory / f"layer-{number}.tar"
            path.write_bytes(read(name))
            blobs.append(file_blob(path, config.diff_ids[number]))
    saved.unlink()
    return ImageContent(config=config, layers=tuple(blobs))


def file_blob(path: Path, digest: Digest) -> Blob:
    descriptor = Descriptor(media_type=LAYER_TAR, digest=digest, size=path.stat().st_size)
    return Blob(descriptor=descriptor, content=FileBytes(path))


def image(layers: Sequence[bytes], *, architecture: str = "amd64", **settings: object) -> ImageContent:
    """An image of ``layers``, uncompressed archives; ``settings`` are its configuration's."""
    config = ImageConfig(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin:/bin"], **settings},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    )
    return ImageContent(config=config, layers=tuple(plain(layer) for layer in layers))


def plain(layer: bytes) -> Blob:
    descriptor = Descriptor(media_type=LAYER_TAR, digest=digest_of(layer), size=len(layer))
    return Blob(descriptor=descriptor, content=Data(layer))


def gzipped(layer: bytes) -> Blob:
    data = gzip.compress(layer, 1)
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=digest_of(data), size=len(data))
    return Blob(descriptor=descriptor, content=Data(data))


def archive(*members: tuple[str, str, dict[str, object]] | tuple[str, str]) -> bytes:
    """A tar archive of ``(name, kind, fields of TarInfo)``: ``dir``, ``file``, ``link``, ``hard``, ``fifo``.

    ``data`` among the fields is a file's content.
    """
    kinds = {"dir": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, *rest in members:
            fields = dict(rest[0]) if rest else {}  # type: ignore[call-overload]
            data = fields.pop("data", b"")
            entry = tarfile.TarInfo(name)
            entry.type = kinds.get(kind, tarfile.FIFOTYPE)
            entry.mode = 0o755 if kind == "dir" else 0o644
            entry.size = len(data)
            for field, value in fields.items():
                setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
