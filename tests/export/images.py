"""Small images as values, and their layers, for the tests of what writes images."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from imagekit.layers import archive
from imagekit.layers.blobs import BlobCache
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.content import ImageContent
from imagekit.oci.digest import digest_of


def make_layer(path: Path, files: dict[str, bytes]) -> Layer:
    """A layer with ``files``, in the file ``path``."""
    data = b"".join(archive.file(name, content) for name, content in files.items()) + archive.END
    path.write_bytes(data)
    whole = FileRange(path, 0, len(data), digest_of(data))
    return Layer(diff_id=digest_of(data), size=len(data), pieces=(whole,), cached=False)


def make_layers(directory: Path, mark: str = "", count: int = 3) -> list[Layer]:
    directory.mkdir(parents=True, exist_ok=True)
    return [
        make_layer(directory / f"{mark}{n}.tar", {f"srv/{n}{mark}": f"{mark} {n}\n".encode() * 20_000})
        for n in range(count)
    ]


def config_of(layers: list[Layer], architecture: str = "amd64") -> ImageConfig:
    bare = ImageConfig({"os": "linux", "architecture": architecture})
    ours = [(layer.diff_id, History("test")) for layer in layers]
    labels = {"org.opencontainers.image.title": "test"}
    return bare.extended(layers=ours, settings={"Cmd": ["true"]}, env={}, labels=labels, created="2024-01-01T00:00:00Z")


def make_image(directory: Path, mark: str = "", architecture: str = "amd64", count: int = 3) -> ImageContent:
    layers = make_layers(directory / "layers", mark, count)
    cache = BlobCache(directory / "blobs")
    return ImageContent(config=config_of(layers, architecture), layers=tuple(map(cache.gzip, layers)))


def check_layout(directory: Path) -> dict[str, Any]:
    """index.json of a layout in which every blob has its name's digest and all that is named is there."""
    assert json.loads((directory / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert sorted(path.name for path in directory.iterdir()) == ["blobs", "index.json", "oci-layout"]
    blobs = {path.name: path.read_bytes() for path in (directory / "blobs" / "sha256").iterdir()}
    index: dict[str, Any] = json.loads((directory / "index.json").read_text())
    check_blobs(index, blobs)
    return index


def check_blobs(index: dict[str, Any], blobs: dict[str, bytes]) -> None:
    for name, data in blobs.items():
        assert hashlib.sha256(data).hexdigest() == name

    def follow(descriptor: dict[str, Any]) -> None:
        data = blobs[descriptor["digest"].removeprefix("sha256:")]
        assert len(data) == descriptor["size"]
        if descriptor["mediaType"].endswith(("index.v1+json", "manifest.v1+json")):
            document = json.loads(data)
            assert document["mediaType"] == descriptor["mediaType"]
            for inner in [
                *document.get("manifests", []),
                *document.get("layers", []),
                *filter(None, [document.get("config")]),
            ]:
                follow(inner)

    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    for entry in index["manifests"]:
        follow(entry)


def members(data: bytes) -> dict[str, bytes]:
    """The files of a tar archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {m.name: tar.extractfile(m) for m in tar.getmembers() if m.isreg()}
        return {name: stream.read() for name, stream in found.items() if stream is not None}
