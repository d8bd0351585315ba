"""Images out of OCI layouts, of ours and of other tools, whole or refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import BaseNotFound, BaseUnusable, InvalidReference
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import find_image, read_layout
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import LAYER_GZIP, LAYER_TAR
from imagekit.oci.platform import Platform

from .images import make_image
from .test_layout import skopeo

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_layout([make_image(tmp_path, "a")], tmp_path / "oci", "orders:v1")
    write_layout([make_image(tmp_path, "b"), make_image(tmp_path, "c", "arm64")], tmp_path / "oci", "orders:v2")
    return tmp_path / "oci"


def test_what_was_written_is_read(tmp_path: Path, place: Path) -> None:
    image = make_image(tmp_path, "a")
    for name in ("orders:v1", "docker.io/library/orders:v1", image.manifest.descriptor.digest):
        found = read_layout(place, name, AMD64)
        assert found.config == image.config
        assert found.manifest == image.manifest
        for ours, theirs in zip(image.layers, found.layers, strict=True):
            data = b"".join(ours.content.chunks())
            assert b"".join(theirs.content.chunks()) == data
            assert b"".join(theirs.content.chunks(7)) == data[7:]
    write_layout([read_layout(place, "orders:v1", AMD64)], tmp_path / "copy", "orders:v1")
    assert find_image(tmp_path / "copy", None, AMD64).digest == image.manifest.descriptor.digest


def test_a_platform_of_several(place: Path) -> None:
    one, other = (find_image(place, "orders:v2", platform) for platform in (AMD64, ARM64))
    assert one.digest != other.digest
    assert one.index_digest == other.index_digest is not None
    assert find_image(place, one.index_digest, ARM64) == other
    # A manifest that only the index names.
    assert find_image(place, other.digest, ARM64).config == other.config
    with pytest.raises(BaseNotFound, match="linux/arm64") as caught:
        find_image(place, "orders:v1", ARM64)
    assert caught.value.hint == "it is for linux/amd64"
    with pytest.raises(BaseNotFound):
        find_image(place, one.digest, ARM64)


@pytest.mark.parametrize(
    ("options", "media_type"),
    [
        (["--dest-compress-format", "zstd"], "application/vnd.oci.image.layer.v1.tar+zstd"),
        (["--dest-compress-format", "gzip"], LAYER_GZIP),
    ],
)
def test_what_skopeo_wrote(tmp_path: Path, place: Path, options: list[str], media_type: str) -> None:
    skopeo("copy", "--dest-compress", *options, f"oci:{place}:orders:v1", f"dir:{tmp_path}/dir")
    skopeo("copy", f"dir:{tmp_path}/dir", f"oci:{tmp_path}/theirs:latest")
    found = read_layout(tmp_path / "theirs", "latest", AMD64)
    assert found.config.diff_ids == read_layout(place, "orders:v1", AMD64).config.diff_ids
    assert {blob.descriptor.media_type for blob in found.layers} == {media_type}
    # Its index.json has no platforms: the configuration says it.
    with pytest.raises(BaseNotFound):
        read_layout(tmp_path / "theirs", "latest", ARM64)


def test_dockers_media_types_become_ocis(tmp_path: Path, place: Path) -> None:
    skopeo("copy", "--format", "v2s2", f"oci:{place}:orders:v1", f"dir:{tmp_path}/dir")
    source, target = tmp_path / "dir", tmp_path / "theirs"
    blobs = target / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for path in source.iterdir():
        blobs.joinpath(digest_of(path.read_bytes())[7:]).write_bytes(path.read_bytes())
    data = (source / "manifest.json").read_bytes()
    entry = {"mediaType": json.loads(data)["mediaType"], "digest": digest_of(data), "size": len(data)}
    assert entry["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    (target / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    found = find_image(target, None, AMD64)
    assert {blob.descriptor.media_type for blob in found.layers} == {LAYER_GZIP}
    first = b"".join(found.layers[0].content.chunks())
    assert digest_of(gzip.decompress(first)) == found.config.diff_ids[0]


def test_names_that_are_not_there(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseNotFound, match="orders:v3") as caught:
        read_layout(place, "orders:v3", AMD64)
    assert caught.value.hint == "it has orders:v1, orders:v2"
    with pytest.raises(BaseNotFound, match="several") as caught:
        read_layout(place, None, AMD64)
    assert "orders:v1" in str(caught.value.hint)
    for word in ("sha256:12", "", "a b", "sha256:" + "A" * 64):
        with pytest.raises(InvalidReference):
            read_layout(place, word, AMD64)
    with pytest.raises(BaseNotFound):
        read_layout(place, "sha256:" + "0" * 64, AMD64)
    for directory in (tmp_path, tmp_path / "nothing", place / "index.json"):
        with pytest.raises(BaseNotFound, match="no OCI image layout") as caught:
            read_layout(directory, None, AMD64)
        assert "skopeo" in str(caught.value.hint)


def test_a_damaged_layout(tmp_path: Path) -> None:
    image = make_image(tmp_path, "a")
    place = tmp_path / "oci"

    def fresh() -> Path:
        write_layout([image], place, "orders:v1", verify=True)
        return place / "blobs" / "sha256"

    def damage(name: str, data: bytes | None) -> None:
        path = fresh() / name[7:]
        path.unlink() if data is None else path.write_bytes(data)

    for blob in (image.config_blob.descriptor, image.manifest.descriptor):
        for data in (None, b"", b"{}", b"x" * blob.size):
            damage(blob.digest, data)
            with pytest.raises(BaseUnusable) as caught:
                read_layout(place, "orders:v1", AMD64)
            assert caught.value.hint
    layer = image.layers[0]
    whole = b"".join(layer.content.chunks())
    for data in (None, whole[:-1], whole + b"x", b"x" * len(whole)):
        damage(layer.descriptor.digest, data)
        found = read_layout(place, "orders:v1", AMD64)
        for start in (0, 5):
            with pytest.raises(BaseUnusable):
                b"".join(found.layers[0].content.chunks(start))
    fresh()
    for text in ("", "[]", "{}", '{"manifests": {}}'):
        (place / "index.json").write_text(text)
        with pytest.raises(BaseUnusable):
            read_layout(place, None, AMD64)


@pytest.mark.parametrize(
    "change",
    [
        {"config": None},
        {"layers": None},
        {"layers": []},
        {"layers": [{"mediaType": LAYER_TAR, "digest": "sha256:../../../../etc/passwd", "size": 1}]},
        {"layers": [{"mediaType": LAYER_TAR, "digest": "sha256:" + "0" * 64, "size": -1}]},
        {"layers": [{"mediaType": "application/x-other", "digest": "sha256:" + "0" * 64, "size": 1}]},
        {"layers": 7},
    ],
)
def test_manifests_that_are_none(tmp_path: Path, change: dict[str, Any]) -> None:
    image, place = make_image(tmp_path), tmp_path / "oci"
    write_layout([image], place, None)
    data = json.dumps({**json.loads(image.manifest.to_bytes()), **change}).encode()
    (place / "blobs" / "sha256" / digest_of(data)[7:]).write_bytes(data)
    index = json.loads((place / "index.json").read_text())
    index["manifests"][0].update(digest=digest_of(data), size=len(data))
    (place / "index.json").write_text(json.dumps(index))
    with pytest.raises(BaseUnusable) as caught:
        read_layout(place, None, AMD64)
    assert "passwd" not in caught.value.message


def test_an_index_that_names_itself_ends(tmp_path: Path) -> None:
    place = tmp_path / "oci"
    write_layout([make_image(tmp_path)], place, None)
    # It cannot name its own digest, but may be nested without end in what a careless tool writes.
    data = (place / "index.json").read_bytes()
    for _ in range(8):
        (place / "blobs" / "sha256" / digest_of(data)[7:]).write_bytes(data)
        entry = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest_of(data), "size": len(data)}
        data = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    (place / "index.json").write_bytes(data)
    with pytest.raises(BaseNotFound):
        read_layout(place, None, AMD64)
