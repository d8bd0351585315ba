"""What goes into an archive for an engine, and what is left out because the engine has it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from imagekit.errors import DamagedLayer
from imagekit.export.archives import docker_archive, image_manifest, oci_archive
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.digest import Digest
from imagekit.oci.manifest import LAYER_GZIP, MANIFEST, Descriptor

BASE = (Descriptor(media_type=LAYER_GZIP, digest=Digest("sha256:" + "b" * 64), size=7),)


def _digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


@pytest.fixture
def layers(tmp_path: Path) -> list[Layer]:
    found = []
    for number in range(3):
        data = f"layer {number} ".encode() * 1000
        path = tmp_path / str(number)
        path.write_bytes(data)
        pieces = (data[:10], FileRange(path, 10, len(data)))
        found.append(Layer(diff_id=_digest(data), size=len(data), pieces=pieces, cached=False))
    return found


@pytest.fixture
def config(layers: list[Layer]) -> ImageConfig:
    base = ImageConfig({"rootfs": {"diff_ids": ["sha256:" + "d" * 64]}, "history": [{"created_by": "base"}]})
    ours = [(layer.diff_id, History("ours")) for layer in layers]
    return base.extended(layers=ours, settings={}, env={}, labels={}, created=None)


def _contents(pieces: object) -> dict[str, bytes]:
    data = b"".join(pieces)  # type: ignore[call-overload]
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {m.name: tar.extractfile(m) for m in tar.getmembers() if m.isreg()}
        return {name: stream.read() for name, stream in members.items() if stream is not None}


@pytest.mark.parametrize("present", [set(), {0}, {0, 1}, {0, 1, 2}])
def test_the_classic_stores_archive(present: set[int], layers: list[Layer], config: ImageConfig) -> None:
    there = {layers[number].diff_id for number in present}
    found = _contents(docker_archive(config, layers, there, "orders:v1"))
    (entry,) = json.loads(found.pop("manifest.json"))
    assert entry["RepoTags"] == ["orders:v1"]
    assert _digest(found.pop(entry["Config"])) == config.digest
    # Every layer is named, the base's too; only those that are not there are sent.
    assert [name.partition("/")[0] for name in entry["Layers"]] == [d.partition(":")[2] for d in config.diff_ids]
    assert {_digest(data) for data in found.values()} == {layer.diff_id for layer in layers} - there
    assert set(found) <= set(entry["Layers"])


@pytest.mark.parametrize("present", [set(), {1}, {0, 1, 2}])
def test_the_containerd_stores_archive(present: set[int], layers: list[Layer], config: ImageConfig) -> None:
    there = {layers[number].diff_id for number in present}
    found = _contents(oci_archive(config, BASE, layers, there, "docker.io/library/orders:v1"))
    assert json.loads(found.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    (named,) = json.loads(found.pop("index.json"))["manifests"]
    assert named["annotations"] == {"io.containerd.image.name": "docker.io/library/orders:v1"}
    assert named["mediaType"] == MANIFEST
    # Every blob is under its digest.
    assert all(name == f"blobs/{_digest(data).replace(':', '/')}" for name, data in found.items())
    manifest = json.loads(found.pop(f"blobs/{named['digest'].replace(':', '/')}"))
    assert manifest["config"]["digest"] == config.digest
    assert found.pop(f"blobs/{config.digest.replace(':', '/')}") == config.to_bytes()
    assert [layer["digest"] for layer in manifest["layers"]] == [BASE[0].digest, *(layer.diff_id for layer in layers)]
    assert manifest["layers"][0]["mediaType"] == LAYER_GZIP
    assert {_digest(data) for data in found.values()} == {layer.diff_id for layer in layers} - there


def test_the_manifests_digest_is_of_its_bytes(layers: list[Layer], config: ImageConfig) -> None:
    manifest = image_manifest(config, BASE, layers)
    assert manifest.descriptor.digest == _digest(manifest.to_bytes())
    assert manifest.descriptor.size == len(manifest.to_bytes())


def test_a_layer_whose_file_was_cut_is_noticed(layers: list[Layer], config: ImageConfig, tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(b"short")
    with pytest.raises(DamagedLayer, match="early"):
        _contents(docker_archive(config, layers, set(), None))
