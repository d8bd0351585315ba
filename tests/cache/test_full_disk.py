"""A cache on a disk that is full, read-only, or taken away. Needs root: real file systems are mounted."""

from __future__ import annotations

import errno
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit.atomic import write_whole
from imagekit.cache.prune import prune, trim
from imagekit.errors import DiskFull, ImagekitError
from imagekit.layers.blobs import BlobCache
from imagekit.layers.cache import LayerCache
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Artifact
from imagekit.sharing.leases import in_use

from .entries import DAY, aged, files, kept, key, put, written

SIZE = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB and 100 files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},nr_inodes=100", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path, size: int) -> None:
    """Files of ``size`` bytes until there is no room for another."""
    for number in range(200):
        try:
            (disk / f"{number}").write_bytes(bytes(size))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return
            raise
    raise AssertionError("the disk is not full")


def layer(root: Path) -> None:
    LayerCache(root / "layers").put(key(1), lambda out: written({"large": bytes(SIZE)}, out))


def group(root: Path) -> None:
    LayerCache(root / "layers").keep_group(key(1), key(2))


def wheel(root: Path) -> None:
    source = root.parent / "a-1-py3-none-any.whl"
    source.write_bytes(bytes(SIZE))
    sha256 = hashlib.sha256(bytes(SIZE)).hexdigest()
    WheelStore(root / "wheels").get(Artifact(filename=source.name, url=source.as_uri(), sha256=sha256))


def blob(root: Path) -> None:
    with (root.parent / "random").open("wb") as out:
        subprocess.run(["head", "-c", str(2 * SIZE), "/dev/urandom"], stdout=out, check=True)
    data = (root.parent / "random").read_bytes()
    made = LayerCache(root.parent / "elsewhere" / "layers").put(key(1), lambda out: written({"large": data}, out))
    from imagekit.layers.values import Layer

    whole = Layer(diff_id=made.diff_id, size=made.size, pieces=(made.whole,), cached=True)
    BlobCache(root / "blobs").gzip(whole)


def note(root: Path) -> None:
    write_whole(root / "checked" / ("a" * 64), bytes(SIZE))


@pytest.mark.parametrize("what", [layer, wheel, blob, note])
def test_a_full_disk_is_named_and_nothing_is_left(what: Callable[[Path], None], disk: Path) -> None:
    (disk / "ballast").write_bytes(bytes(SIZE // 4))
    with pytest.raises(DiskFull, match=str(disk)) as caught:
        what(disk)
    assert caught.value.hint
    assert files(disk) == ["ballast"]


@pytest.mark.parametrize("what", [layer, group, wheel, blob, note])
def test_no_room_for_another_file(what: Callable[[Path], None], disk: Path) -> None:
    """A disk may have bytes left, and no inode."""
    fill(disk, 0)
    before = files(disk)
    with pytest.raises(DiskFull, match=str(disk)):
        what(disk)
    assert files(disk) == before


def test_it_works_again_when_there_is_room(disk: Path) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(SIZE - 100_000))
    with pytest.raises(DiskFull):
        put(disk, 1, size=200_000)
    ballast.unlink()
    put(disk, 1, size=200_000)
    assert kept(disk, 1) == [1]


@pytest.mark.parametrize("size", [0, 20_000])
def test_a_full_cache_can_be_pruned(size: int, disk: Path) -> None:
    """Not even a directory, or a lock's file, can be made on it."""
    put(disk, 1, age=DAY, size=300_000)
    put(disk, 2, size=300_000)
    fill(disk, size)
    assert prune(disk, keep=400_000).entries == 1
    assert kept(disk, 1, 2) == [2]
    write_whole(disk / "layers" / "room", b"")


def test_a_read_only_cache_is_used_and_left_alone(disk: Path) -> None:
    entry = put(disk, 1, age=DAY)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    cache = LayerCache(disk / "layers")
    with in_use(disk):
        found = cache.get(key(1))
        assert found is not None
        assert sum(map(len, found.whole.chunks())) == entry.size
        with pytest.raises((ImagekitError, OSError)) as caught:
            put(disk, 2)
        assert "Read-only" in str(caught.value)
    trim(disk, 0, grown=1)
    assert kept(disk, 1) == [1]


def test_one_that_is_removed_while_it_is_written(tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "cache"
    times = []

    def write(out):  # type: ignore[no-untyped-def]
        if not times:
            times.append(1)
            shutil.rmtree(root)
        return written({"a": b"content"}, out)

    with in_use(root):
        entry = LayerCache(root / "layers").put(key(1), write)
        assert entry.path.stat().st_size == entry.size
    assert kept(root, 1) == [1]
    assert aged(entry.path, 0).exists()
