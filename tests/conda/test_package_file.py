"""Packages that are damaged, or would write where they must not, are refused before anything is written."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from imagekit.conda.package_file import CondaFile
from imagekit.conda.paths import package_paths
from imagekit.errors import CondaRefused

from .channel import Hard, Link, Package, write_package


def opened(directory: Path, **more: object) -> CondaFile:
    return CondaFile(write_package(directory, Package(name="hostile", **more)))  # type: ignore[arg-type]


@pytest.mark.parametrize("legacy", [False, True], ids=["conda", "tar.bz2"])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../outside", "leave its place"),
        ("lib/../../outside", "leave its place"),
        ("/etc/passwd", "leave its place"),
        ("lib//twice", "leave its place"),
        ("lib/.wh.hidden", "hide another file"),
        ("lib/new\nline", "leave its place"),
    ],
)
def test_a_member_that_leads_out(tmp_path: Path, path: str, words: str, legacy: bool) -> None:
    with pytest.raises(CondaRefused, match=words):
        opened(tmp_path, files={path: "x"}, legacy=legacy)


def test_links(tmp_path: Path) -> None:
    with opened(tmp_path, files={"a": "content", "b": Hard("a"), "c": Link("a")}) as package:
        assert [(each.path, each.kind, each.member.link) for each in package_paths(package)] == [
            ("a", "hardlink", None),
            ("b", "hardlink", None),
            ("c", "softlink", "a"),
        ]
        assert b"".join(package.stream("b")) == b"content"
    with (
        pytest.raises(CondaRefused, match=r"hard link to '\.\./x'"),
        opened(tmp_path, files={"b": Hard("../x")}) as bad,
    ):
        package_paths(bad)


def test_a_file_beneath_a_link(tmp_path: Path) -> None:
    with pytest.raises(CondaRefused, match="as a file and as a directory"):
        opened(tmp_path, files={"lib": Link("/etc"), "lib/passwd": "x"})


def test_a_device(tmp_path: Path) -> None:
    path = write_package(tmp_path, Package(name="hostile", files={"a": "x"}, legacy=True))
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:bz2") as archive:
        device = tarfile.TarInfo("dev/null")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    path.write_bytes(stream.getvalue())
    with pytest.raises(CondaRefused, match="neither a file nor a link"):
        CondaFile(path)


@pytest.mark.parametrize("legacy", [False, True], ids=["conda", "tar.bz2"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_cut_short(tmp_path: Path, legacy: bool, share: float) -> None:
    path = write_package(tmp_path, Package(name="short", files={"a": "x" * 100_000, "b": "y"}, legacy=legacy))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CondaRefused, match="is damaged"):
        CondaFile(path)


def test_what_is_no_package(tmp_path: Path) -> None:
    other = tmp_path / "other-1.0-0.conda"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(CondaRefused, match=r"no conda package: it holds readme\.txt"):
        CondaFile(other)
    wheel = tmp_path / "other-1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    with pytest.raises(CondaRefused, match="no conda package"):
        CondaFile(wheel)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"paths.json": b"{"}, "no JSON"),
        ({"paths.json": b"[]"}, "no object"),
        ({"paths.json": b'{"paths": [{"_path": "missing"}]}'}, "missing"),
        ({"paths.json": b'{"paths": 3}'}, "does not fit"),
        ({"paths.json": b'{"paths": [{"_path": "a", "prefix_placeholder": "/p", "file_mode": "odd"}]}'}, "odd"),
    ],
)
def test_a_list_of_files_that_does_not_fit(tmp_path: Path, info: dict[str, bytes], words: str) -> None:
    with pytest.raises(CondaRefused, match=words), opened(tmp_path, files={"a": "x"}, info=info) as package:
        package_paths(package)


def test_older_packages_say_where_their_prefix_is(tmp_path: Path) -> None:
    files = {"share/one file": "x", "bin/two": b"y", "three": "z"}
    info = {"has_prefix": b'"/a b/c" text "share/one file"\n/d binary bin/two\nthree\n', "no_link": b"three\n"}
    with opened(tmp_path, files=files, info=info, legacy=True) as package:
        found = {each.path: (each.placeholder, each.mode, each.no_link) for each in package_paths(package)}
    assert found["share/one file"] == ("/a b/c", "text", False)
    assert found["bin/two"] == ("/d", "binary", False)
    assert found["three"][0].startswith("/opt/anaconda1")
    assert found["three"][1:] == ("text", True)
