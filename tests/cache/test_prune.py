"""Room is made by taking what was unused for longest, and nothing that is in use."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imagekit.cache.kinds import scan
from imagekit.cache.prune import prune, trim
from imagekit.errors import DamagedLayer
from imagekit.layers.cache import LayerCache
from imagekit.sharing.leases import in_use

from ..sharing.test_leases import ended, holder
from .entries import DAY, HOUR, aged, files, kept, key, put, wheel


def test_the_ones_unused_for_longest_go(tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path, number, age=number * DAY)
    whole = scan(tmp_path).size
    each = scan(tmp_path).units[0].size
    done = prune(tmp_path, keep=whole - each - 1)
    assert (done.entries, done.freed + done.kept, done.in_use) == (2, whole, 0)
    assert kept(tmp_path, *range(5)) == [0, 1, 2]
    assert scan(tmp_path).size == done.kept


def test_what_was_used_again_stays(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, number, age=(3 - number) * DAY)
    assert LayerCache(tmp_path / "layers").get(key(0)) is not None
    prune(tmp_path, keep=15_000)
    assert kept(tmp_path, 0, 1, 2) == [0]


def test_by_age(tmp_path: Path) -> None:
    put(tmp_path, 1, age=2 * DAY)
    put(tmp_path, 2, age=4 * DAY)
    old, new = wheel(tmp_path, b"old", age=5 * DAY), wheel(tmp_path, b"new")
    assert prune(tmp_path, older_than=3 * DAY).entries == 2
    assert kept(tmp_path, 1, 2) == [1]
    assert (old.parent.exists(), new.exists()) == (False, True)


def test_a_dry_run_takes_nothing(tmp_path: Path) -> None:
    put(tmp_path, 1)
    before = files(tmp_path)
    done = prune(tmp_path, everything=True, dry_run=True)
    assert (done.entries, done.kept) == (1, 0)
    assert done.freed > 10_000
    assert [name for name in files(tmp_path) if name != ".gate"] == before


def test_all_but_what_is_unknown(tmp_path: Path) -> None:
    put(tmp_path, 1)
    wheel(tmp_path)
    LayerCache(tmp_path / "layers").keep_group(key(7), key(8))
    notes = ["checked/" + "a" * 64, "locks/" + "b" * 64 + ".toml", "bases/" + "c" * 64 + ".v1.json.gz"]
    notes += ["builds/" + "e" * 64 + ".json", "images/" + "f" * 64 + ".json"]
    for path in notes:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    unknown = ["layers/README", "layers/ab/notes.txt", "mine/" + "d" * 64 + ".tar", "wheels/file.whl"]
    for path in unknown:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    assert scan(tmp_path).other_size == 4
    assert prune(tmp_path, everything=True).entries == 8
    assert files(tmp_path) == sorted([".gate", *unknown])


def test_notes_do_not_make_room(tmp_path: Path) -> None:
    note = tmp_path / "checked" / ("a" * 64)
    note.parent.mkdir()
    note.write_bytes(b"x" * 100)
    aged(note, 30 * DAY)
    put(tmp_path, 1)
    prune(tmp_path, keep=200)
    assert note.exists()
    assert kept(tmp_path, 1) == []
    aged(note, 100 * DAY)
    prune(tmp_path, keep=200)
    assert not note.exists()


@pytest.mark.parametrize("directory", ["builds", "images"])
def test_what_comes_with_every_build_is_bounded(directory: str, tmp_path: Path) -> None:
    paths = [tmp_path / directory / f"{number:064x}.json" for number in range(503)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        path.write_bytes(b"{}")
        aged(path, (600 - number) * HOUR)
    put(tmp_path, 1, age=40 * DAY)
    assert prune(tmp_path, keep=10**9).entries == 3
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 500
    assert kept(tmp_path, 1) == [1]
    aged(paths[-1], 100 * DAY)
    assert prune(tmp_path).entries == 1
    assert not paths[-1].exists()


def test_what_a_running_process_may_use_stays(tmp_path: Path) -> None:
    put(tmp_path, 1, age=HOUR / 2)
    put(tmp_path, 2, age=3 * DAY)
    process = holder(tmp_path)
    try:
        done = prune(tmp_path, everything=True)
        assert (done.entries, done.in_use) == (1, 1)
        assert kept(tmp_path, 1, 2) == [1]
    finally:
        ended(process)
    # Killed, it uses nothing any more.
    assert prune(tmp_path, everything=True).entries == 1


USES = """
import sys
from pathlib import Path
from imagekit.layers.cache import LayerCache
from imagekit.sharing.leases import in_use
from tests.cache.entries import key
root = Path(sys.argv[1])
for _ in range(100):
    with in_use(root):
        cache = LayerCache(root / "layers")
        entries = [entry for number in range(20) if (entry := cache.get(key(number))) is not None]
        for entry in entries:
            for chunk in entry.whole.chunks():
                pass
print("fine")
"""


def test_nothing_that_was_found_vanishes_before_it_is_read(tmp_path: Path) -> None:
    """Entries grow old and are pruned all the time, while others find and read them."""
    for number in range(20):
        put(tmp_path, number, age=3 * DAY)
    process = subprocess.Popen([sys.executable, "-c", USES, tmp_path], stdout=subprocess.PIPE, text=True)
    rounds, gone = 0, 0
    while process.poll() is None:
        gone += prune(tmp_path, older_than=2 * DAY).entries
        for number in range(rounds % 2, 20, 2):
            if not kept(tmp_path, number):
                # Old before it can be found: made elsewhere, and moved.
                made = put(tmp_path / "aside", number, age=3 * DAY).path
                for suffix in (".tar", ".paths", ".json"):
                    there = made.with_suffix(suffix)
                    os.replace(there, tmp_path / there.relative_to(tmp_path / "aside"))
        rounds += 1
    assert process.communicate()[0] == "fine\n"
    assert gone > 0


def test_the_same_without_a_lease_is_found_out(tmp_path: Path) -> None:
    """What leases are for: without one an entry may vanish, which is an error that can be mended."""
    entry = put(tmp_path, 1, age=3 * DAY)
    assert LayerCache(tmp_path / "layers").get(key(1)) is not None
    prune(tmp_path, everything=True)
    with pytest.raises(DamagedLayer):
        list(entry.whole.chunks())


def test_trimming_leaves_some_room(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path, number, age=number * DAY)
    whole = scan(tmp_path).size
    done = trim(tmp_path, whole - 1, grown=0)
    assert done is not None
    assert whole * 0.8 < done.kept <= whole * 0.9


def test_all_is_looked_at_only_when_it_may_be_too_much(tmp_path: Path) -> None:
    put(tmp_path, 1)
    limit = scan(tmp_path).size + 1000
    assert trim(tmp_path, limit, grown=0) is not None
    assert trim(tmp_path, limit, grown=0) is None
    assert trim(tmp_path, limit, grown=400) is None
    # What came since counts, too, until it was looked at.
    assert trim(tmp_path, limit, grown=400) is not None
    assert trim(tmp_path, limit, grown=400) is None
    assert trim(tmp_path, 100, grown=0) is not None


@pytest.mark.parametrize("text", ["", "x", "0\n100\n", "99999999999\n100\n", "1e999\n1\n", "\xff"])
def test_what_was_found_before_is_not_believed_for_ever(text: str, tmp_path: Path) -> None:
    put(tmp_path, 1)
    (tmp_path / ".size").write_text(text, "latin-1")
    assert trim(tmp_path, 10**6, grown=0) is not None
    assert trim(tmp_path, 10**6, grown=0) is None


def test_trimming_never_fails(tmp_path: Path) -> None:
    done = trim(tmp_path / "missing", 1, grown=1)
    assert done is None or done.entries == 0
    assert not (tmp_path / "missing").exists()
    (tmp_path / "file").write_text("")
    trim(tmp_path / "file", 1, grown=1)


def test_the_build_that_just_ended_is_pruned_last(tmp_path: Path) -> None:
    put(tmp_path, 1, age=DAY)
    with in_use(tmp_path):
        put(tmp_path, 2)
    trim(tmp_path, 15_000, grown=10_000)
    assert kept(tmp_path, 1, 2) == [2]


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    shard = put(tmp_path, 1).path.parent
    left = [shard / ".new-abc", shard / ("a" * 64 + ".lock")]
    for path in left:
        path.write_bytes(b"half")
    # One is as an earlier version named it.
    for name in (".new-def", "rootfs-ghi"):
        left.append(tmp_path / "debian" / "debs" / name)
        (left[-1] / "repository").mkdir(parents=True)
    (tmp_path / "trash" / "x").mkdir(parents=True)
    (tmp_path / "trash" / "x" / "old.tar").write_bytes(b"old")
    prune(tmp_path)
    assert all(path.exists() for path in left)
    assert not (tmp_path / "trash").exists()
    for path in left:
        aged(path, 2 * HOUR)
    prune(tmp_path)
    assert not any(path.exists() for path in left)
    assert kept(tmp_path, 1) == [1]


def test_many_prune_and_put_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 20):
                put(tmp_path, number % 30, age=number * HOUR)
                trim(tmp_path, 100_000, grown=10_000)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    prune(tmp_path, keep=100_000)
    assert scan(tmp_path).size <= 100_000
    for unit in scan(tmp_path).units:
        assert {path.suffix for path in unit.paths} == {".tar", ".json", ".paths"}


def test_a_cache_that_cannot_be_read_whole(tmp_path: Path) -> None:
    put(tmp_path, 1)
    os.symlink("nowhere", tmp_path / "layers" / "ab")
    os.symlink("/etc", tmp_path / "wheels")
    contents = scan(tmp_path)
    assert [unit.kind.name for unit in contents.units] == ["layers"]
    prune(tmp_path, everything=True)
    assert os.path.lexists(tmp_path / "layers" / "ab")
