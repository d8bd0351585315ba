"""A base's layers as blobs: read from the engine once, and as they are where they are compressed there."""

from __future__ import annotations

import gzip
import io
import secrets
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import AssemblyFailed
from imagekit.export.archive_files import whole_oci_archive
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.base_layers import base_layers
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import read_layout
from imagekit.layers.blobs import BlobCache
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import digest_of
from imagekit.oci.manifest import LAYER_TAR, Descriptor
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.spec.base import BaseImage
from imagekit.stages.probe import read_base

from ..own_engine import OwnEngine
from .images import config_of, make_layers
from .test_layout import skopeo

QUIET = SilentReporter()


class _Silent(Engine):
    """The engine, which must not be asked for archives."""

    def save(self, reference: str) -> Iterator[bytes]:
        raise AssertionError("it was asked for an archive")


class _Giving(Engine):
    """The engine, which gives another archive."""

    archive = b""

    def save(self, reference: str) -> Iterator[bytes]:
        for at in range(0, len(self.archive), 1000):
            yield self.archive[at : at + 1000]


@pytest.fixture
def base(engine: Engine, python_image: str, tmp_path: Path) -> BaseImage:
    found = engine.image(python_image)
    assert found is not None
    return read_base(engine, python_image, found.id, tmp_path / "facts", QUIET)


def test_the_classic_store(engine: Engine, base: BaseImage, tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    blobs = engine_base_blobs(engine, base, cache)
    assert [digest_of(gzip.decompress(b"".join(blob.content.chunks()))) for blob in blobs] == [*base.config.diff_ids]
    # The same as when they are compressed from files: one base, one blob.
    (tmp_path / "unpacked").mkdir()
    layers = base_layers(engine, base, tmp_path / "unpacked")
    other = BlobCache(tmp_path / "other")
    assert [other.gzip(layer).descriptor for layer in layers] == [blob.descriptor for blob in blobs]
    silent = _Silent(engine.address)
    assert engine_base_blobs(silent, base, cache) == blobs
    # What is damaged is read anew, and nothing else.
    next((tmp_path / "blobs").rglob("*.tar.gz")).write_bytes(b"")
    assert engine_base_blobs(engine, base, cache) == blobs
    assert engine_base_blobs(silent, base, cache) == blobs

    image = ImageContent(config=base.config, layers=blobs)
    write_layout([image], tmp_path / "oci", "base")
    skopeo("copy", f"oci:{tmp_path}/oci:base", f"docker-archive:{tmp_path}/copy.tar:base:1")
    assert read_layout(tmp_path / "oci", "base", Platform.host()).manifest == image.manifest


def _old_archive(datas: list[bytes]) -> bytes:
    """As ``docker save`` had it before version 25: layers by an ID of their own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for data in datas:
            member = tarfile.TarInfo(f"{secrets.token_hex(32)}/layer.tar")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def test_archives_of_older_engines(engine: Engine, base: BaseImage, tmp_path: Path) -> None:
    layers = make_layers(tmp_path)
    datas = [b"".join(layer.chunks()) for layer in layers]
    ours = replace(base, config=config_of(layers), layers=())
    older = _Giving(engine.address)
    older.archive = _old_archive([datas[2], b"another image's", datas[0], datas[1]])
    cache = BlobCache(tmp_path / "blobs")
    blobs = engine_base_blobs(older, ours, cache)
    assert [gzip.decompress(b"".join(blob.content.chunks())) for blob in blobs] == datas
    older.archive = _old_archive(datas[:2])
    with pytest.raises(AssemblyFailed, match=layers[2].diff_id) as caught:
        engine_base_blobs(older, ours, BlobCache(tmp_path / "empty"))
    assert caught.value.hint


@pytest.mark.xdist_group("own_engine")
def test_the_containerd_store(own_engine: Callable[..., OwnEngine], base: BaseImage, tmp_path: Path) -> None:
    from backports import zstd

    layers = make_layers(tmp_path)
    datas = [b"".join(layer.chunks()) for layer in layers]
    # Compressed by others than us, and one that is not compressed.
    packed = [(gzip.compress(datas[0], 1), "+gzip"), (zstd.compress(datas[1]), "+zstd"), (datas[2], "")]
    content = tuple(
        Blob(
            descriptor=Descriptor(media_type=LAYER_TAR + suffix, digest=digest_of(data), size=len(data)),
            content=Data(data),
        )
        for data, suffix in packed
    )
    name = "localhost:5001/imagekit-test/packed:1"
    config = config_of(layers)
    cache = BlobCache(tmp_path / "blobs")
    with own_engine(containerd_store=True).connect() as ours:
        ours.load(whole_oci_archive([ImageContent(config=config, layers=content)], name))
        found = ours.image(name)
        assert found is not None
        descriptors = tuple(blob.descriptor for blob in content)
        there = replace(base, reference=name, image_id=found.id, config=config, layers=descriptors)
        blobs = engine_base_blobs(ours, there, cache)
        # The same digests as in the registry that they may have come from.
        assert [blob.descriptor for blob in blobs[:2]] == [*descriptors[:2]]
        assert [b"".join(blob.content.chunks()) for blob in blobs[:2]] == [data for data, _ in packed[:2]]
        assert [blob.held_by for blob in blobs] == [*[("localhost:5001/imagekit-test/packed",)] * 2, ()]
        assert gzip.decompress(b"".join(blobs[2].content.chunks())) == datas[2]
        assert engine_base_blobs(_Silent(ours.address), there, cache) == blobs
        ours.remove_image(name, force=True)
