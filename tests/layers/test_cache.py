"""The layer cache: whole entries or none, whoever writes and whatever happens."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from imagekit.errors import DiskFull
from imagekit.layers.cache import LayerCache
from imagekit.layers.values import WrittenLayer
from imagekit.oci.digest import Digest

from ..cache.entries import written

KEY = Digest("sha256:" + "ab" * 32)


def _write(out: BinaryIO) -> WrittenLayer:
    return written({"a/b.txt": b"content", "a/ü\u2028\x85.txt": b""}, out)


def _files(root: Path) -> list[str]:
    return sorted(path.suffix for path in root.rglob("*") if path.is_file())


def test_what_was_put_is_found(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    assert cache.get(KEY) is None
    put = cache.put(KEY, _write)
    found = cache.get(KEY)
    assert found is not None
    assert (put.cached, found.cached) == (False, True)
    assert (found.diff_id, found.size, found.body, found.directories) == (put.diff_id, put.size, put.body, ("a",))
    assert found.paths() == ["a/b.txt", "a/ü\u2028\x85.txt"]


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".paths", "gone"), *((suffix, damage) for suffix in (".tar", ".json") for damage in ("gone", "empty", "half"))],
)
def test_a_damaged_entry_is_none(suffix: str, damage: str, tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    path = cache.put(KEY, _write).path.with_suffix(suffix)
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(data[: len(data) // 2] if damage == "half" else b"")
    assert cache.get(KEY) is None
    assert not cache.put(KEY, _write).cached
    assert cache.get(KEY) is not None


@pytest.mark.parametrize("line", [b"[]", b"null", b"{}", b'{"diff_id": 1}', b"\xff"])
@pytest.mark.parametrize("has_sum", [True, False])
def test_an_entry_of_other_words_is_none(line: bytes, has_sum: bool, tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    note = line + b"\n" + hashlib.sha256(line).hexdigest().encode() if has_sum else line
    cache.put(KEY, _write).path.with_suffix(".json").write_bytes(note)
    assert cache.get(KEY) is None


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    def breaks(out: BinaryIO) -> WrittenLayer:
        out.write(b"half a layer")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LayerCache(tmp_path).put(KEY, breaks)
    assert _files(tmp_path) == []


def test_groups_are_remembered(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    assert cache.group(KEY) is None
    cache.keep_group(KEY, KEY)
    assert cache.group(KEY) == KEY
    for damage in (b"", b"sha256:12", b"\xff\xfe"):
        next(tmp_path.rglob("*.group")).write_bytes(damage)
        assert cache.group(KEY) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB. Needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_named_and_nothing_is_left(small_disk: Path) -> None:
    def large(out: BinaryIO) -> WrittenLayer:
        return written({"large": bytes(1 << 20)}, out)

    cache = LayerCache(small_disk)
    with pytest.raises(DiskFull, match=str(small_disk)) as caught:
        cache.put(KEY, large)
    assert caught.value.hint
    assert _files(small_disk) == []
    assert cache.put(KEY, _write).size > 0


def test_many_processes_put_one_key(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from imagekit.layers.cache import LayerCache
        from tests.cache.entries import written
        key, cache = sys.argv[2], LayerCache(Path(sys.argv[1]))
        for _ in range(30):
            entry = cache.put(key, lambda out: written({"a": b"a" * 100_000}, out))
            found = cache.get(key)
            assert found is not None and found.diff_id == entry.diff_id
            assert found.path.stat().st_size == found.size
        """
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, tmp_path, KEY]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert _files(tmp_path) == [".json", ".paths", ".tar"]
