"""Files that are there whole or not at all."""

import errno
import os
import time
from pathlib import Path

import pytest

from imagekit.atomic import is_disk_full, replacing, rewrite, sweep_unfinished, write_as_named, write_whole
from imagekit.errors import InvalidConfig


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"old")

    def fail() -> None:
        with replacing(path) as out:
            out.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_pipe_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    terminal, device = os.openpty()
    try:
        write_as_named(pipe, b"whole")
        assert os.read(reader, 10) == b"whole"
        link = tmp_path / "link"
        link.symlink_to(os.ttyname(device))
        write_as_named(link, b"shown")
        assert os.read(terminal, 10) == b"shown"
    finally:
        for each in (reader, terminal, device):
            os.close(each)
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_what_lies_in_our_own_directories_is_replaced_whatever_it_is(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    os.mkfifo(entry)
    write_whole(entry, b"whole")
    assert entry.read_bytes() == b"whole"


def test_the_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    write_whole(tmp_path / "secret", b"")
    write_whole(tmp_path / "public", b"", mode=0o644)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("secret", "public")] == [0o600, 0o644]


def test_what_a_killed_process_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    (tmp_path / "ab").mkdir()
    old, young, kept = (tmp_path / "ab" / name for name in (".new-old", ".new-young", "kept"))
    for path in (old, young, kept):
        path.touch()
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    os.utime(kept, (long_ago, long_ago))
    sweep_unfinished(tmp_path)
    assert sorted(p.name for p in (tmp_path / "ab").iterdir()) == [".new-young", "kept"]


def test_what_is_being_written_is_left_however_old_it_looks(tmp_path: Path) -> None:
    with replacing(tmp_path / "ab" / "file") as out:
        (unfinished,) = (tmp_path / "ab").iterdir()
        long_ago = time.time() - 7200
        os.utime(unfinished, (long_ago, long_ago))
        sweep_unfinished(tmp_path)
        out.write(b"1")
    assert (tmp_path / "ab" / "file").read_bytes() == b"1"


def test_a_user_s_file_keeps_its_mode_behind_its_link(tmp_path: Path) -> None:
    rewrite(tmp_path / "new", b"1", InvalidConfig, hint="")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644
    (tmp_path / "new").chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to("new")
    rewrite(link, b"2", InvalidConfig, hint="")
    assert link.is_symlink()
    assert ((tmp_path / "new").read_bytes(), (tmp_path / "new").stat().st_mode & 0o777) == (b"2", 0o600)


def test_what_the_file_system_refuses_is_the_error_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(InvalidConfig, match=r"cannot be written: [A-Z]") as raised:
            rewrite(path, b"", InvalidConfig, hint="elsewhere", details="more")
        assert (raised.value.hint, raised.value.details) == ("elsewhere", "more")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_used_up_quota_is_a_full_disk() -> None:
    full = [OSError(number, "") for number in (errno.ENOSPC, errno.EDQUOT)]
    assert [is_disk_full(each) for each in (*full, OSError(errno.EIO, ""), ValueError(), None)] == [
        *(True, True),
        *(False, False, False),
    ]
