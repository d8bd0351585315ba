"""Members unpacked whole are what ``zipfile`` reads, and where anything is odd it is left to that."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.layers.zip_content import unpacked


def archive(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def read(path: Path, name: str) -> bytes | None:
    with zipfile.ZipFile(path) as opened, open(path, "rb") as file:
        return unpacked(file.fileno(), opened.getinfo(name))


# A zip archive's names end at a NUL, and are text that UTF-8 can have.
_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@given(name=_NAMES.filter(lambda name: name != "first"), content=st.binary(min_size=1))
def test_the_same_as_zipfile(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    path = archive(tmp_path_factory.mktemp("zip") / "a.zip", {"first": b"before", name: content})
    with zipfile.ZipFile(path) as opened, open(path, "rb") as file:
        _, info = opened.infolist()
        assert unpacked(file.fileno(), info) == opened.read(info) == content


def test_a_member_of_unknown_length_when_it_was_written(tmp_path: Path) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, *_: object) -> int:
            raise OSError

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("streamed", b"x" * 1000)
    (tmp_path / "a.zip").write_bytes(stream.getvalue())
    assert read(tmp_path / "a.zip", "streamed") == b"x" * 1000


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_another_method_is_left_to_zipfile(tmp_path: Path, kind: int) -> None:
    assert read(archive(tmp_path / "a.zip", {"a": b"content"}, kind), "a") is None


def test_an_empty_member_is_left_to_zipfile(tmp_path: Path) -> None:
    assert read(archive(tmp_path / "a.zip", {"a": b""}), "a") is None


@pytest.mark.parametrize("place", ["signature", "name", "content", "end"])
def test_a_damaged_member_is_left_to_zipfile(tmp_path: Path, place: str) -> None:
    path = archive(tmp_path / "a.zip", {"member": os.urandom(4000)})
    data = bytearray(path.read_bytes())
    data[{"signature": 0, "name": 30, "content": 2000, "end": 4030}[place]] ^= 0xFF
    path.write_bytes(data)
    assert read(path, "member") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("file_size", 3999), ("file_size", 4001), ("CRC", 1), ("compress_size", 9), ("compress_size", 1 << 40)],
)
def test_a_directory_that_lies_is_left_to_zipfile(tmp_path: Path, field: str, value: int) -> None:
    path = archive(tmp_path / "a.zip", {"member": os.urandom(4000)})
    with zipfile.ZipFile(path) as opened, open(path, "rb") as file:
        info = opened.getinfo("member")
        setattr(info, field, value)
        assert unpacked(file.fileno(), info) is None
