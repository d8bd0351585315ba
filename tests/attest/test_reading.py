"""Packages of an image out of an engine's archive of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from imagekit.attest.layer_contents import ContentsCache, LayerContents
from imagekit.attest.reading import read_archive
from imagekit.errors import EngineError
from imagekit.oci.digest import Digest, digest_of

from .layers import archive, contents, metadata

SITE = "usr/lib/python3/dist-packages"
LOWER = [("etc/os-release", "ID=debian\n")]
UPPER = [(f"{SITE}/alpha-1.0.dist-info/METADATA", metadata("alpha", "1.0"))]


def saved(files: Mapping[str, bytes]) -> Iterator[bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    data = out.getvalue()
    return (data[at : at + 777] for at in range(0, len(data), 777))


def image(blobs: list[bytes], diff_ids: list[Digest], *, head: str = "") -> dict[str, bytes]:
    names = [f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}" for blob in blobs]
    config = head.encode() + json.dumps({"rootfs": {"diff_ids": diff_ids}}).encode()
    manifest = [{"Config": "blobs/sha256/config", "Layers": names}]
    files = dict(zip(names, blobs, strict=True))
    return {**files, "blobs/sha256/config": config, "manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_layers_are_read_and_kept(pack, tmp_path: Path) -> None:
    layers = [archive(LOWER), archive(UPPER)]
    diff_ids = [digest_of(layer) for layer in layers]
    kept = ContentsCache(tmp_path)
    # Some write white space before the brace.
    files = image([pack(layer) for layer in layers], diff_ids, head="\n  ")
    found = read_archive(saved(files), kept)
    assert found.layers == (contents(LOWER), contents(UPPER))
    assert found.config_digest == digest_of(files["blobs/sha256/config"])
    assert [kept.get(diff_id) for diff_id in diff_ids] == list(found.layers)


def test_what_is_known_of_a_layer_is_not_read_again_nor_written_over(tmp_path: Path) -> None:
    layers = [archive(LOWER), archive(UPPER)]
    diff_ids = [digest_of(layer) for layer in layers]
    kept, known = ContentsCache(tmp_path), LayerContents({"known": "before"})
    kept.keep(diff_ids[0], known)
    assert read_archive(saved(image(layers, diff_ids)), kept).layers == (known, contents(UPPER))
    # By another name in the archive it is read, and what is known of it stays.
    packed = [gzip.compress(layer) for layer in layers]
    assert read_archive(saved(image(packed, diff_ids)), kept).layers == (contents(LOWER), contents(UPPER))
    assert kept.get(diff_ids[0]) == known


def test_an_archive_that_is_not_of_its_configuration_is_refused(tmp_path: Path) -> None:
    layer = archive(LOWER)
    kept = ContentsCache(tmp_path)
    kept.keep(digest_of(layer), contents(LOWER))
    for diff_ids in ([digest_of(b"another")], [], [digest_of(layer)] * 2):
        with pytest.raises(EngineError, match="cannot be read"):
            read_archive(saved(image([layer], diff_ids)), kept)


@pytest.mark.parametrize("config", [b"", b"[]", b"{", b'{"rootfs": 1}'])
def test_an_archive_without_a_configuration_is_refused(config: bytes, tmp_path: Path) -> None:
    layer = archive(UPPER)
    files = {**image([layer], [digest_of(layer)]), "blobs/sha256/config": config}
    with pytest.raises(EngineError, match="cannot be read"):
        read_archive(saved(files), ContentsCache(tmp_path))
