"""What comes in pieces is read as one file, and small reads cost no more than large ones."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from imagekit.engine.stream import PiecesReader


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(min_value=0, max_value=30)))
def test_it_reads_as_one_file(pieces: list[bytes], counts: list[int]) -> None:
    reader, whole = PiecesReader(pieces), io.BytesIO(b"".join(pieces))
    assert [reader.read(count) for count in counts] == [whole.read(count) for count in counts]
    assert reader.read() == whole.read()
    assert reader.read(1) == b""


def test_small_reads_of_a_large_piece_copy_each_byte_once() -> None:
    copied: list[int] = []

    class Piece(bytes):
        def __getitem__(self, key: Any) -> Any:
            part = Piece(super().__getitem__(key))
            copied.append(len(part))
            return part

    reader = PiecesReader([Piece(100_000), Piece(1)])
    assert sum(len(part) for part in iter(lambda: reader.read(10), b"")) == 100_001
    assert sum(copied) == 100_001


def test_an_archive_whose_first_pieces_are_empty() -> None:
    """As a decoder gives them that has read a header alone."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    with tarfile.open(fileobj=PiecesReader([b"", b"", data.getvalue()]), mode="r|") as archive:
        assert archive.getnames() == ["a"]


def test_what_is_left_is_read_to_its_end() -> None:
    seen: list[int] = []
    reader = PiecesReader(bytes([seen.append(n) or n]) for n in range(10))  # type: ignore[func-returns-value]
    assert reader.read(2) == b"\0\1"
    reader.drain()
    assert seen == list(range(10))
