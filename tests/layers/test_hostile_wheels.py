"""Wheels that are damaged, that lie or that would write where they must not are refused."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from imagekit.errors import WheelRefused
from imagekit.layers.archive import is_safe_member

from .wheels import In, Members, files_of, layer, metadata, prefix_at, record_of, write_wheel, write_zip


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "a/../../b",
        "tricky/.wh.data",
        ".wh..wh..opq",
        "./a.py",
        "a//b.py",
        "a\nb.py",
        "tricky\\..\\b.py",
        "tricky-1.0.data/scripts/../../../bin/sh",
        "tricky-1.0.data/data//etc/passwd",
    ],
)
def test_members_out_of_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(WheelRefused, match="would leave its place"):
        layer(write_wheel(tmp_path, {name: b"x"}))


def test_members_that_share_bytes(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"a.py": b"1" * 100, "b.py": b"1" * 100})
    with zipfile.ZipFile(path, "a") as archive:
        one, other = archive.getinfo("a.py"), archive.getinfo("b.py")
        other.header_offset = one.header_offset
        archive.writestr("c.py", b"")  # so that the directory is written anew
    with pytest.raises(WheelRefused, match="inside another member"):
        layer(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_members_that_are_no_files(kind: int, tmp_path: Path) -> None:
    with pytest.raises(WheelRefused, match="no regular file"):
        layer(write_wheel(tmp_path, {"tricky/link": In(b"/etc/passwd", kind | 0o777)}))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"tricky-1.0.data/purelib/a.py": b"1", "a.py": b"2"}, "twice"),
        ({"a": b"1", "a/b.py": b"2"}, "as a file and as a directory"),
        ({"tricky-1.0.data/elsewhere/a.py": b"1"}, "scheme is unknown"),
        ({"tricky-1.0.data/scripts": b"1"}, "scheme is unknown"),
        ({"tricky-1.0.data/data/pyvenv.cfg": b"home = /tmp"}, "environment's own"),
        ({"tricky-1.0.data/scripts/python3": b"#!/bin/sh"}, "environment's own"),
        ({"tricky-1.0.data/data/bin/python": b"#!/bin/sh"}, "environment's own"),
        ({"tricky-1.0.data/data/lib64": b"a file"}, "environment's own"),
        ({"other-1.0.dist-info/METADATA": b""}, "2 .dist-info"),
    ],
)
def test_members_in_each_others_way(members: Members, words: str, tmp_path: Path) -> None:
    with pytest.raises(WheelRefused, match=words):
        layer(write_wheel(tmp_path, members))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_member_twice(tmp_path: Path) -> None:
    members = [*metadata("tricky", "1.0").items(), ("a.py", b"1"), ("a.py", b"2")]
    with pytest.raises(WheelRefused, match="twice"):
        layer(write_zip(tmp_path / "tricky-1.0-py3-none-any.whl", list(members)))


@pytest.mark.parametrize("script", ["python", "python3", "python3.11"])
def test_entry_points_do_not_replace_the_interpreter(script: str, tmp_path: Path) -> None:
    points = f"[console_scripts]\n{script} = tricky:main\n".encode()
    with pytest.raises(WheelRefused, match="environment's own"):
        layer(write_wheel(tmp_path, {"tricky-1.0.dist-info/entry_points.txt": points}))


@pytest.mark.parametrize(
    "points",
    [
        b"[console_scripts]\n../../evil = tricky:main\n",
        b"[console_scripts]\n.. = tricky:main\n",
        b"[console_scripts]\n.wh.python = tricky:main\n",
        b"[console_scripts]\nx = tricky\n",
        b"[console_scripts]\nx = tricky:\n",
        b"[console_scripts]\nx = :main\n",
        b"[console_scripts]\nx = tricky:main; import os\n",
        b"[console_scripts]\nx = tricky:main\n    import os\n",
        b"[console_scripts]\nx = tri-cky:main\n",
        b"no section = tricky:main\n",
        b"[console_scripts]\nno value\n",
        b"\xff\xfe[console_scripts]",
    ],
)
def test_entry_points_that_are_none(points: bytes, tmp_path: Path) -> None:
    with pytest.raises(WheelRefused):
        layer(write_wheel(tmp_path, {"tricky-1.0.dist-info/entry_points.txt": points}))


def test_a_wheel_of_another_project(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.py": b""})
    with pytest.raises(WheelRefused, match="another project's"):
        layer(wheel.rename(tmp_path / "other-1.0-py3-none-any.whl"))


def test_a_wheel_without_metadata(tmp_path: Path) -> None:
    with pytest.raises(WheelRefused, match=r"0 \.dist-info"):
        layer(write_wheel(tmp_path, {"a.py": b""}, with_metadata=False))


@pytest.mark.parametrize("name", ["not-a-wheel.zip", "tricky.whl", "tricky-1.0-py3-none.whl"])
def test_a_name_that_is_no_wheels(name: str, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.py": b""})
    with pytest.raises(WheelRefused, match="not a wheel"):
        layer(wheel.rename(tmp_path / name))


@pytest.mark.parametrize(
    ("wheel_name", "info"), [("Ruamel.Yaml", "ruamel.yaml"), ("my_pkg", "my-pkg"), ("my_pkg", "My.Pkg")]
)
def test_metadata_under_another_spelling_of_the_name(wheel_name: str, info: str, tmp_path: Path) -> None:
    members: dict[str, bytes | In] = {f"{info}-1.0.data/scripts/run": b"#!python\n", **metadata(info, "1.0")}
    wheel = write_zip(tmp_path / f"{wheel_name}-1.0-py3-none-any.whl", list(members.items()))
    files = files_of(layer(wheel, prefix_at("/v"))[0], "v/")
    assert files["bin/run"] == (True, b"#!/v/bin/python\n")


@pytest.mark.parametrize("size", [100, 3 << 20])
def test_a_record_that_lies(size: int, tmp_path: Path) -> None:
    """Small members are read whole, large ones in pieces."""
    honest = {"a.bin": b"a" * size, **metadata("tricky", "1.0")}
    record = record_of({**honest, "a.bin": b"b" * size}, "tricky-1.0.dist-info/RECORD")
    with pytest.raises(WheelRefused, match=r"another hash for a\.bin"):
        layer(write_wheel(tmp_path, {"a.bin": honest["a.bin"]}, record=record))


def test_a_record_that_says_nothing(tmp_path: Path) -> None:
    """pip takes such wheels; what is installed is recorded all the same."""
    files = files_of(layer(write_wheel(tmp_path, {"a.py": b"1"}, record=b""), prefix_at("/v"))[0])
    (record,) = (content for path, (_, content) in files.items() if path.endswith("RECORD"))
    assert b"a.py,sha256=a4ayc_80_OGda4BO_1o_V0etpOqiLx1JwB5S3beHW0s,1\n" in record


@pytest.mark.parametrize("size", [1000, 3 << 20])
def test_bad_content(size: int, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": In(bytes(range(250)) * (size // 250), compress=zipfile.ZIP_STORED)})
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2 if size > 2000 else 300] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(WheelRefused, match="damaged") as caught:
        layer(wheel)
    assert caught.value.hint


def test_bad_deflate_stream(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": bytes(range(256)) * 4})
    data = bytearray(wheel.read_bytes())
    data[35:60] = b"\xff" * 25
    wheel.write_bytes(data)
    with pytest.raises(WheelRefused, match="damaged"):
        layer(wheel)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 0.99])
def test_a_truncated_wheel(keep: float, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": bytes(5000)})
    data = wheel.read_bytes()
    wheel.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(WheelRefused, match="not a wheel"):
        layer(wheel)


def _patch_directory(wheel: Path, name: str, offset: int, value: bytes) -> None:
    """Write ``value`` at ``offset`` of the central directory's entry of ``name`` (APPNOTE 4.3.12)."""
    data = bytearray(wheel.read_bytes())
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    data[at + offset : at + offset + len(value)] = value
    wheel.write_bytes(data)


@pytest.mark.parametrize("claimed", [2 << 20, 5000])
def test_a_member_that_is_shorter_than_it_says(claimed: int, tmp_path: Path) -> None:
    """The checksum is right, the length is not: a layer's archive would be out of step from there on."""
    wheel = write_wheel(tmp_path, {"a.bin": In(b"abc" * 100, compress=zipfile.ZIP_DEFLATED)}, record=b"")
    _patch_directory(wheel, "a.bin", 24, struct.pack("<I", claimed))
    with pytest.raises(WheelRefused, match="damaged"):
        layer(wheel)


def test_an_encrypted_member(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": b"abc"})
    _patch_directory(wheel, "a.bin", 8, struct.pack("<H", 1))
    with pytest.raises(WheelRefused, match="encrypted"):
        layer(wheel)


def test_an_unknown_compression(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"a.bin": b"abc"})
    _patch_directory(wheel, "a.bin", 10, struct.pack("<H", 99))
    with pytest.raises(WheelRefused, match="damaged"):
        layer(wheel)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"aé.bin": b"abc"}, record=b"")
    wheel.write_bytes(wheel.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(WheelRefused, match="not a wheel"):
        layer(wheel)


def test_a_bomb(tmp_path: Path) -> None:
    """Two gibibytes of claims in a few bytes: refused before a byte of them is unpacked."""
    wheel = write_wheel(tmp_path, {"a.bin": b"a" * 1000})
    _patch_directory(wheel, "a.bin", 24, struct.pack("<I", 2**31))
    with pytest.raises(WheelRefused, match="2048 MiB"):
        layer(wheel)


def test_a_wheel_is_no_bomb_for_being_dense(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"zeros.bin": bytes(20 << 20)})
    assert wheel.stat().st_size * 500 < 20 << 20
    assert layer(wheel)[1].size > 20 << 20


def test_data_for_lib64_goes_where_the_link_leads(tmp_path: Path) -> None:
    files = files_of(layer(write_wheel(tmp_path, {"tricky-1.0.data/data/lib64/x.so": b"x"}), prefix_at("/v"))[0], "v/")
    assert files["lib/x.so"] == (False, b"x")
    assert all(is_safe_member(path) for path in files)
