"""Compressed layers: the same bytes always, made once, whole or not there, right when they are read."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import DamagedLayer, DiskFull
from imagekit.layers import gzip_members
from imagekit.layers.blobs import BlobCache
from imagekit.layers.compress import compress_all, compress_each
from imagekit.layers.gzip_members import MEMBER, codec, compressed
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.digest import Digest, digest_of
from imagekit.oci.manifest import LAYER_GZIP, Descriptor
from imagekit.progress import SilentReporter

from .test_cache import small_disk  # noqa: F401

QUIET = SilentReporter()


def _text(size: int, seed: int = 1) -> bytes:
    """Words, which compress, and are others for each seed."""
    chooser = random.Random(seed)
    words = [b"%x" % chooser.getrandbits(40) for _ in range(2000)]
    return b" ".join(chooser.choices(words, k=size // 8 + 1))[:size]


def _layer(data: bytes, path: Path | None = None) -> Layer:
    if path is None:
        return Layer(diff_id=digest_of(data), size=len(data), pieces=(data,), cached=False)
    path.write_bytes(data)
    return Layer(diff_id=digest_of(data), size=len(data), pieces=(FileRange(path, 0, len(data)),), cached=False)


def _read(blob: object) -> bytes:
    return b"".join(blob.content.chunks())  # type: ignore[attr-defined]


def _suffixes(root: Path) -> list[str]:
    return sorted("".join(path.suffixes) for path in root.rglob("*") if path.is_file())


def test_a_blob_is_its_layer_compressed(tmp_path: Path) -> None:
    data = _text(3 * MEMBER + 17)
    blob = BlobCache(tmp_path / "blobs").gzip(_layer(data))
    raw = _read(blob)
    assert gzip.decompress(raw) == data
    assert len(raw) < len(data) / 2
    assert blob.descriptor == Descriptor(media_type=LAYER_GZIP, digest=digest_of(raw), size=len(raw))
    # An upload that begins anew.
    for start in (0, 1, 1 << 20, len(raw) - 1, len(raw)):
        assert b"".join(blob.content.chunks(start)) == raw[start:]


def test_it_is_made_once(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    layer = _layer(_text(100_000))
    assert cache.get(layer.diff_id) is None
    made = cache.gzip(layer)
    read: list[int] = []
    assert cache.gzip(layer, advance=read.append) == made == cache.get(layer.diff_id)
    assert read == []

    def never() -> object:
        raise AssertionError("the cache has it")
        yield b""

    assert cache.gzip_stream(layer.diff_id, never()) == made  # type: ignore[arg-type]
    (note,) = tmp_path.rglob("*.json")
    fields = json.loads(note.read_text().splitlines()[0])
    assert fields == {"blob": made.descriptor.to_json(), "codec": codec(), "diff_id": layer.diff_id}
    name = layer.diff_id.removeprefix("sha256:")
    assert sorted(tmp_path.rglob("*.*")) == [tmp_path / "blobs" / name[:2] / f"{name}{s}" for s in (".json", ".tar.gz")]


SIZES = [0, 1, MEMBER - 1, MEMBER, MEMBER + 1, 2 * MEMBER]


@pytest.mark.parametrize("size", SIZES)
def test_the_same_bytes_by_any_number_of_threads_and_chunks(size: int) -> None:
    data = _text(size)
    once = b"".join(compressed([data]))
    assert gzip.decompress(once) == data
    assert len(once[:10]) == 10
    assert once[:10].hex() == "1f8b08000000000000ff"  # no flags, no time, OS unknown (RFC 1952, section 2.3)
    with ThreadPoolExecutor(3) as pool:
        for step in (1 << 16, 1 << 20, 5 << 20):
            chunks = [data[at : at + step] for at in range(0, size, step)]
            assert b"".join(compressed(chunks)) == once
            assert b"".join(compressed(chunks, pool)) == once


@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400)), length=st.integers(1, 50))
def test_pieces_are_of_one_length(data: bytes, cuts: list[int], length: int) -> None:
    at = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in itertools.pairwise(at)]
    pieces = list(gzip_members._pieces(chunks, length))
    assert b"".join(pieces) == data
    assert all(len(piece) == length for piece in pieces[:-1])
    assert len(pieces) == max(1, -(-len(data) // length))


def test_the_compressors_are_let_go_of_when_the_reader_stops() -> None:
    with ThreadPoolExecutor(2) as pool:
        members = compressed(iter([_text(MEMBER)] * 100), pool)
        next(members)
        members.close()
    # Here they have ended.


DAMAGES = ["gone", "empty", "half", "directory"]


@pytest.mark.parametrize(("suffix", "damage"), [(s, d) for s in (".tar.gz", ".json") for d in DAMAGES])
def test_a_damaged_entry_is_made_anew(suffix: str, damage: str, tmp_path: Path) -> None:
    cache, layer = BlobCache(tmp_path / "blobs"), _layer(_text(50_000))
    made = cache.gzip(layer)
    (path,) = tmp_path.rglob(f"*{suffix}")
    data = path.read_bytes()
    path.unlink()
    if damage == "directory":
        path.mkdir()
    elif damage != "gone":
        path.write_bytes(data[: len(data) // 2] if damage == "half" else b"")
    assert cache.get(layer.diff_id) is None
    assert cache.gzip(layer) == made == cache.get(layer.diff_id)
    assert digest_of(_read(made)) == made.descriptor.digest
    assert _suffixes(tmp_path) == [".json", ".tar.gz"]


@pytest.mark.parametrize("fields", [[], None, {}, {"blob": 1}, {"blob": {"digest": "x"}}, 7])
def test_a_note_of_other_words_is_none(fields: object, tmp_path: Path) -> None:
    cache, layer = BlobCache(tmp_path / "blobs"), _layer(_text(1000))
    cache.gzip(layer)
    (note,) = tmp_path.rglob("*.json")
    known = json.dumps(fields).encode()
    note.write_bytes(known + b"\n" + hashlib.sha256(known).hexdigest().encode())
    assert cache.get(layer.diff_id) is None


def test_what_another_codec_made_is_made_anew(tmp_path: Path) -> None:
    cache, layer = BlobCache(tmp_path / "blobs"), _layer(_text(1000))
    made = cache.gzip(layer)
    (note,) = tmp_path.rglob("*.json")
    known = json.dumps({**json.loads(note.read_text().splitlines()[0]), "codec": "zlib 1"}).encode()
    note.write_bytes(known + b"\n" + hashlib.sha256(known).hexdigest().encode())
    assert cache.get(layer.diff_id) is None
    assert cache.gzip(layer) == made
    assert codec() in note.read_text()


def test_flipped_bytes_are_noticed_when_they_are_read(tmp_path: Path) -> None:
    cache, layer = BlobCache(tmp_path / "blobs"), _layer(_text(50_000))
    blob = cache.gzip(layer)
    (path,) = tmp_path.rglob("*.tar.gz")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for start in (0, len(data) - 1):
        with pytest.raises(DamagedLayer) as caught:
            b"".join(blob.content.chunks(start))
        assert caught.value.paths == (str(path),)


def test_a_layer_that_is_not_what_its_digest_says_leaves_nothing(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    layer = _layer(_text(5 << 20), tmp_path / "layer.tar")
    (tmp_path / "layer.tar").write_bytes(_text(5 << 20, seed=2))
    with pytest.raises(DamagedLayer):
        cache.gzip(layer)
    with pytest.raises(DamagedLayer):
        cache.gzip_stream(layer.diff_id, [b"something else"])
    assert _suffixes(tmp_path / "blobs") == []


def test_a_stream_gives_the_same_blob(tmp_path: Path) -> None:
    data = _text(MEMBER + 5)
    one = BlobCache(tmp_path / "1").gzip(_layer(data))
    other = BlobCache(tmp_path / "2").gzip_stream(
        digest_of(data), (data[at : at + 999] for at in range(0, 5 << 20, 999))
    )
    assert one.descriptor == other.descriptor


def test_a_blob_of_elsewhere_is_kept_as_it_is(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    data = b"\x28\xb5\x2f\xfd" + _text(1000)
    foreign = Descriptor(media_type="application/vnd.oci.image.layer.v1.tar+zstd", digest=digest_of(data), size=1004)
    assert cache.kept(foreign) is None
    kept = cache.keep(foreign, [data[:10], data[10:]])
    assert kept == cache.kept(foreign)
    assert (kept.descriptor, _read(kept)) == (foreign, data)
    next(tmp_path.rglob("*.blob")).write_bytes(data[:-1])
    assert cache.kept(foreign) is None
    with pytest.raises(DamagedLayer):
        cache.keep(foreign, [data[:-1]])
    assert _read(cache.keep(foreign, [data])) == data


@pytest.mark.parametrize("name", ["", "sha256:", "../../x", "sha256:" + "A" * 64])
def test_a_name_that_is_no_digest_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="digest"):
        BlobCache(tmp_path).get(Digest(name))


def test_a_full_disk_is_named_and_nothing_is_left(small_disk: Path) -> None:  # noqa: F811
    cache = BlobCache(small_disk / "blobs")
    with pytest.raises(DiskFull, match=str(small_disk)) as caught:
        cache.gzip(_layer(random.Random(1).randbytes(1 << 20)))
    assert caught.value.hint
    assert _suffixes(small_disk) == []


class _Recorded(SilentReporter):
    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0
        self._guard = threading.Lock()

    def advance(self, amount: int = 1) -> None:
        with self._guard:
            self.done += amount

    def note(self, text: str) -> None:
        pass

    @contextmanager
    def task(self, title, total=None, unit=""):  # type: ignore[no-untyped-def]
        assert unit == "B"
        self.total = total
        yield self


def test_all_layers_in_their_order(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    datas = [_text(size, seed) for seed, size in enumerate((10, 9 << 20, 0, 70_000, MEMBER, 11))]
    layers = [_layer(data, tmp_path / str(n)) for n, data in enumerate(datas)]
    layers.append(layers[1])  # an image may have a layer twice
    cache.gzip(layers[3])
    reporter = _Recorded()
    blobs = compress_all(layers, cache, reporter)
    assert [gzip.decompress(_read(blob)) for blob in blobs] == [*datas, datas[1]]
    # What is in the cache is no work.
    assert reporter.total == reporter.done == sum(len(data) for data in set(datas)) - len(datas[3])
    reporter = _Recorded()
    assert compress_all(layers, cache, reporter, threads=1) == blobs
    assert reporter.total is None
    assert compress_all([], cache, reporter) == []


def test_what_is_there_comes_first(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    layers = [_layer(_text(1000, seed)) for seed in range(4)]
    cache.gzip(layers[2])
    order = [number for number, _ in compress_each(layers, cache, QUIET)]
    assert order[0] == 2
    assert sorted(order) == [0, 1, 2, 3]


def test_a_damaged_layer_among_many(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path / "blobs")
    layers = [_layer(_text(9 << 20, seed), tmp_path / str(seed)) for seed in range(3)]
    (tmp_path / "1").write_bytes(b"damaged")
    with pytest.raises(DamagedLayer) as caught:
        compress_all(layers, cache, QUIET)
    assert caught.value.paths == (str(tmp_path / "1"),)
    (tmp_path / "1").write_bytes(_text(9 << 20, 1))
    assert len(compress_all(layers, cache, QUIET)) == 3


PROGRAM = """
import sys
from pathlib import Path
from imagekit.layers.blobs import BlobCache
from imagekit.layers.values import FileRange, Layer
from imagekit.oci.digest import digest_of
root, source = map(Path, sys.argv[1:])
data = source.read_bytes()
layer = Layer(diff_id=digest_of(data), size=len(data), pieces=(FileRange(source, 0, len(data)),), cached=True)
read = []
blob = BlobCache(root).gzip(layer, advance=read.append)
assert digest_of(b"".join(blob.content.chunks())) == blob.descriptor.digest
print(blob.descriptor.digest, sum(read))
"""


def test_many_processes_make_one_blob_once(tmp_path: Path) -> None:
    source = tmp_path / "layer.tar"
    source.write_bytes(_text(24 << 20))
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "blobs"), str(source)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    words = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len({digest for digest, _ in words}) == 1
    assert sorted(int(read) for _, read in words) == [0, 0, 0, 24 << 20]
    assert _suffixes(tmp_path / "blobs") == [".json", ".tar.gz"]


def test_a_killed_process_leaves_no_entry(tmp_path: Path) -> None:
    source = tmp_path / "layer.tar"
    source.write_bytes(_text(64 << 20))
    root = tmp_path / "blobs"
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PROGRAM), str(root), str(source)])
    while not any(path.stat().st_size for path in root.rglob(".new-*")):
        assert process.poll() is None
    process.kill()
    process.wait()
    data = source.read_bytes()
    layer = Layer(diff_id=digest_of(data), size=len(data), pieces=(FileRange(source, 0, len(data)),), cached=True)
    cache = BlobCache(root)
    assert cache.get(layer.diff_id) is None
    assert gzip.decompress(_read(cache.gzip(layer))) == data
