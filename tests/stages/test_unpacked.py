"""Layers as they come: compressed, damaged, hostile; and many who unpack the same at once."""

from __future__ import annotations

import gzip
import io
import os
import sys
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.cache.kinds import scan
from imagekit.cache.prune import remove
from imagekit.cache.verify import verify
from imagekit.errors import BaseUnusable
from imagekit.oci.content import Blob, Data, ImageContent
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import LAYER_TAR, Descriptor
from imagekit.progress import SilentReporter
from imagekit.stages.layer_stream import decompressed
from imagekit.stages.unpacked import publish, unpacking

from .contents import archive, image, plain

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LAYER = archive(
    ("etc/passwd", "file", {"data": b"root:x:0:0::/:\n"}),
    ("usr/lib/libx.so.1", "file", {"data": bytes(300_000)}),
    ("usr/lib/libx.so", "link", {"linkname": "libx.so.1"}),
    ("usr/lib/hard.so", "hard", {"linkname": "usr/lib/libx.so.1"}),
    ("usr/bin/python3", "file", {"data": b"program", "mode": 0o4755, "mtime": 1_000_000_000}),
    ("usr/share/much", "file", {"data": bytes(100_000)}),
    ("pipe", "fifo"),
)


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "tar": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1),
    "gzip of several members": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "zstd": lambda data: zstd.compress(data),
    "zstd of several frames": lambda data: zstd.compress(data[:1000]) + zstd.compress(data[1000:]),
}


def _image(blob: Blob) -> ImageContent:
    return replace(image([LAYER]), layers=(blob,))


def _blob(data: bytes) -> Blob:
    # Always the same media type: those that tools write are often wrong.
    return Blob(descriptor=Descriptor(media_type=LAYER_TAR, digest=digest_of(data), size=len(data)), content=Data(data))


@pytest.mark.parametrize("how", COMPRESSED)
def test_what_is_unpacked(how: str, tmp_path: Path) -> None:
    with unpacking(_image(_blob(COMPRESSED[how](LAYER))), "the-base", tmp_path) as files:
        assert files.content("/etc/passwd") == b"root:x:0:0::/:\n"
        assert files.is_file("/usr/share/much")
        assert files.content("/usr/share/much") is None  # of no use to an interpreter
        directory = publish(files, "name", b"{}", tmp_path)
    root = directory / "root"
    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()) == [
        "etc/passwd",
        "usr/bin/python3",
        "usr/lib/hard.so",
        "usr/lib/libx.so",
        "usr/lib/libx.so.1",
    ]
    assert os.readlink(root / "usr/lib/libx.so") == "libx.so.1"
    assert (root / "usr/lib/hard.so").samefile(root / "usr/lib/libx.so.1")
    program = (root / "usr/bin/python3").stat()
    assert (program.st_mode & 0o7777, program.st_mtime) == (0o700, 1_000_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _changed(data: bytes) -> bytes:
    return data[:-700] + b"?" + data[-699:]


@pytest.mark.parametrize("damage", [_cut, _changed])
@pytest.mark.parametrize("how", COMPRESSED)
def test_a_damaged_layer_is_never_used(how: str, damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    good = _blob(COMPRESSED[how](LAYER))
    bad = replace(good, content=Data(damage(good.content.chunks().__next__())))
    with pytest.raises(BaseUnusable, match="layer sha256"), unpacking(_image(bad), "the-base", tmp_path):
        raise AssertionError("it was read")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_is_another_one(tmp_path: Path) -> None:
    other = archive(("etc/passwd", "file", {"data": b"mine"}))
    with pytest.raises(BaseUnusable, match="configuration says"), unpacking(_image(plain(other)), "b", tmp_path):
        pass
    descriptor = replace(plain(other).descriptor, digest=digest_of(gzip.compress(other)))
    wrong = Blob(descriptor=descriptor, content=Data(other))
    with pytest.raises(BaseUnusable, match="not what its digest says"), unpacking(_image(wrong), "b", tmp_path):
        pass
    two = replace(image([LAYER]), layers=(plain(LAYER), plain(LAYER)))
    with pytest.raises(BaseUnusable, match="2 layers"), unpacking(two, "b", tmp_path):
        pass


@pytest.mark.parametrize(
    "members",
    [
        (("../../out.so", "file", {"data": b"x"}),),
        (("usr/lib", "link", {"linkname": "/"}), ("usr/lib/../../../out.so", "file", {"data": b"x"})),
        (("h.so", "hard", {"linkname": "/etc/passwd"}),),
    ],
)
def test_hostile_layers_are_refused(members: tuple[tuple[str, str]], tmp_path: Path) -> None:
    store = tmp_path / "a" / "b"
    with pytest.raises(BaseUnusable, match="is not one to use"), unpacking(image([archive(*members)]), "b", store):
        pass
    assert list(tmp_path.rglob("*.so")) == []


def test_links_that_lead_out_write_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    layer = archive(
        ("lib", "link", {"linkname": str(outside)}),
        ("lib/evil.so", "file", {"data": b"x"}),
        ("up", "link", {"linkname": "../../../../../../.." + str(outside)}),
        ("up/evil2.so", "file", {"data": b"x"}),
        ("dot.so", "link", {"linkname": "."}),
        ("root.so", "link", {"linkname": "/"}),
        ("usr/lib/\n.so", "file", {"data": b"x"}),
        (f"usr/lib/{'n' * 300}.so", "file", {"data": b"x"}),
    )
    with unpacking(image([layer]), "the-base", tmp_path / "store") as files:
        directory = publish(files, "name", b"{}", tmp_path / "store")
    assert list(outside.iterdir()) == []
    found = [path for path in directory.rglob("*") if path.is_symlink()]
    assert all(path.resolve().is_relative_to(directory / "root") for path in found)


def test_many_at_once_have_one(tmp_path: Path) -> None:
    content, failures, found = image([LAYER]), list[BaseException](), set[Path]()

    def work() -> None:
        try:
            with unpacking(content, "the-base", tmp_path) as files:
                found.add(publish(files, "name", b"{}", tmp_path))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert found == {tmp_path / "name"}
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    left, recent = tmp_path / ".new-left", tmp_path / ".new-recent"
    for directory in (left, recent):
        (directory / "held").mkdir(parents=True)
    for path in (left / "held", left):
        os.utime(path, (1, 1))
    with unpacking(image([LAYER]), "the-base", tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".new-recent"]


def test_zeros_are_unpacked_in_small_pieces() -> None:
    for compress in (COMPRESSED["gzip"], COMPRESSED["zstd"]):
        pieces = decompressed(iter([compress(bytes(50_000_000))]))
        lengths = [len(piece) for piece in pieces]
        assert sum(lengths) == 50_000_000
        assert max(lengths) <= 1 << 20


def test_an_empty_layer(tmp_path: Path) -> None:
    out = io.BytesIO()
    tarfile.open(fileobj=out, mode="w").close()
    with unpacking(image([out.getvalue(), bytes(1024)]), "the-base", tmp_path) as files:
        assert files.names("/") == []
    assert digest_of(out.getvalue()) != Digest("")


def test_the_cache_knows_what_it_is(tmp_path: Path) -> None:
    """So that it is counted, verified, and pruned."""
    name, store = "ab" * 32, tmp_path / "unpacked"
    with unpacking(image([LAYER]), "the-base", store) as files:
        directory = publish(files, name, b"{}", store)
    (unit,) = scan(tmp_path).units
    assert (unit.kind.name, unit.key) == ("unpacked", name)
    assert unit.size > 300_000
    assert verify(tmp_path, SilentReporter()) == (1, [])
    (directory / "note.json").write_bytes(b"")
    _, damaged = verify(tmp_path, SilentReporter())
    assert [damage.unit.key for damage in damaged] == [name]
    remove([unit], tmp_path)
    assert not directory.exists()
