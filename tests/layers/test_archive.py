"""Layers' archives are read by others as they were meant: by Python's tarfile and by GNU tar."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagekit.layers import archive

_PART = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"), min_size=1, max_size=120
).filter(archive.is_safe_member)
_PATH = st.lists(_PART, min_size=1, max_size=8).map("/".join)
_ID = st.sampled_from([0, 1000, 8**7 - 1, 8**7, 1_000_620_000])


def _read(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data + archive.END), mode="r:") as tar:
        return tar.getmembers()


@given(path=_PATH, content=st.binary(max_size=1500), mode=st.sampled_from([0o644, 0o755]), uid=_ID, gid=_ID)
def test_a_file_comes_out_as_it_went_in(path: str, content: bytes, mode: int, uid: int, gid: int) -> None:
    data = archive.file(path, content, mode=mode, uid=uid, gid=gid)
    assert len(data) % archive.BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(data + archive.END), mode="r:") as tar:
        (member,) = tar.getmembers()
        extracted = tar.extractfile(member)
        assert extracted is not None
        assert extracted.read() == content
    assert (member.name, member.mode, member.uid, member.gid) == (path, mode, uid, gid)
    assert (member.uname, member.gname, member.mtime) == ("", "", archive.MTIME)
    assert member.isreg()


@given(path=_PATH, target=st.one_of(_PATH, _PATH.map("/{}".format), _PATH.map("../{}".format)), uid=_ID)
def test_links_come_out_as_they_went_in(path: str, target: str, uid: int) -> None:
    (member,) = _read(archive.symlink(path, target, uid=uid))
    assert (member.name, member.linkname, member.uid) == (path, target, uid)
    assert member.issym()


@given(path=_PATH, mode=st.sampled_from([0o755, 0o1777, 0o700]), gid=_ID)
def test_directories_come_out_as_they_went_in(path: str, mode: int, gid: int) -> None:
    (member,) = _read(archive.directory(path, mode=mode, gid=gid))
    assert (member.name, member.mode, member.gid) == (path, mode, gid)
    assert member.isdir()


@given(length=st.integers(1, 1200))
def test_a_record_counts_its_own_digits(length: int) -> None:
    # Where the length itself gets another digit (97, 98, 99 …) a naive count is one too small.
    name = "é" * length
    (member,) = _read(archive.file(name, b""))
    assert member.name == name


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 20 * 2**30])
def test_sizes_beyond_eight_gibibytes_are_told(size: int) -> None:
    info = tarfile.TarInfo.frombuf(archive.header("large", size=size, mode=0o644)[-512:], "utf-8", "strict")
    blocks = archive.header("large", size=size, mode=0o644)
    if size < 8**11:
        assert info.size == size
    else:
        assert f"size={size}\n".encode() in blocks


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    paths=st.lists(_PATH, min_size=1, max_size=12, unique=True).filter(
        lambda paths: not any(a != b and b.startswith(f"{a}/") for a in paths for b in paths)
    )
)
def test_gnu_tar_lists_the_same(paths: list[str]) -> None:
    tar = shutil.which("tar")
    assert tar is not None
    directories = archive.parents(paths)
    data = b"".join(map(archive.directory, directories)) + b"".join(archive.file(p, p.encode()) for p in paths)
    found = subprocess.run(
        [tar, "--list", "--quoting-style=literal", "--file", "-"],
        input=data + archive.END,
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    assert found.stderr == b""
    assert found.stdout.decode().split("\n")[:-1] == [f"{d}/" for d in directories] + paths


def test_gnu_tar_unpacks_the_same(tmp_path: Path) -> None:
    deep = "/".join(["tief" * 10] * 9) + "/ü.txt"
    data = archive.file("run", b"#!", mode=0o755) + archive.symlink("link", "x" * 140)
    data += b"".join(map(archive.directory, archive.parents([deep]))) + archive.file(deep, b"deep")
    subprocess.run(["tar", "-x", "-C", tmp_path], input=data + archive.END, check=True, env={"LC_ALL": "C.UTF-8"})
    assert (tmp_path / deep).read_bytes() == b"deep"
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "link").readlink() == Path("x" * 140)
    assert int((tmp_path / "run").stat().st_mtime) == archive.MTIME


@pytest.mark.parametrize(
    "path", ["a", "a/b", "a/..b", "a/b..", "..a", ".hidden", "wh.x", "a/.whx", "a b", "ünï/ço", "a/-x", "a\u2028b"]
)
def test_members_that_stay_in_their_place(path: str) -> None:
    assert archive.is_safe_member(path)


@pytest.mark.parametrize(
    "path",
    [
        *"a/. a// ../a .. . ./a /a / a//b a/./b a/../b a/.. a/ .wh.a a/.wh.b .wh..wh..opq".split(),
        *("", "a\nb", "a\0b", "a\x7f", "a\rb/c"),
    ],
)
def test_members_that_would_leave_it_or_hide_others(path: str) -> None:
    assert not archive.is_safe_member(path)


def test_parents_come_before_what_they_hold() -> None:
    assert archive.parents(["a/b/c", "a/x", "d", "/e/f"]) == ["/e", "a", "a/b"]


def test_files_are_found_where_tarfile_finds_them(tmp_path: Path) -> None:
    paths = ["a", "opt/b.so", "x" * 99 + "/y", "deep/" * 40 + "end", "ü" * 60, "p" * 101, "link-to"]
    members = [archive.directory("opt"), archive.symlink("opt/link", "a")]
    members += [archive.file(path, secrets.token_bytes(number * 300)) for number, path in enumerate(paths)]
    place = tmp_path / "layer.tar"
    place.write_bytes(b"".join(members) + archive.END)
    with place.open("rb") as stream, tarfile.open(place) as read:
        found = list(archive.files_in(stream.fileno()))
        assert found == [(m.name, m.offset_data, m.size) for m in read if m.isreg()]
    assert [path for path, _, _ in found] == paths


@pytest.mark.parametrize("damage", [b"-0000000001", b"99999999999", b"\xff" * 11])
def test_an_archive_that_is_none_ends(tmp_path: Path, damage: bytes) -> None:
    place = tmp_path / "layer.tar"
    block = bytearray(archive.file("a", b"1"))
    block[124:135] = damage
    place.write_bytes(bytes(block) + archive.END)
    with place.open("rb") as stream, pytest.raises(ValueError, match=r"bytes|literal|digits"):
        list(archive.files_in(stream.fileno()))
