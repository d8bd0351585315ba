"""A prefix in the place of a placeholder: nothing else of a file moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.conda.prefix_text import with_prefix
from imagekit.errors import CondaRefused

OLD = "/placeholder/of/a/builder"


def test_text() -> None:
    assert with_prefix(f"#!{OLD}/bin/sh\n{OLD}".encode(), OLD, "/opt/conda", "text", where="x") == (
        b"#!/opt/conda/bin/sh\n/opt/conda"
    )


def test_binary() -> None:
    data = f"head\0{OLD}/lib:{OLD}/share\0tail\0".encode()
    found = with_prefix(data, OLD, "/opt/conda", "binary", where="x")
    moved = b"/opt/conda/lib:/opt/conda/share"
    assert found == b"head\0" + moved + b"\0" * (len(data) - len(moved) - len(b"head\0") - len(b"tail\0")) + b"tail\0"
    # At the end of the file there need be no NUL.
    assert with_prefix(OLD.encode(), OLD, "/p", "binary", where="x") == b"/p".ljust(len(OLD), b"\0")


def test_a_prefix_without_room() -> None:
    with pytest.raises(CondaRefused, match=r"some\.so has 2 bytes for the prefix /opt/conda"):
        with_prefix(b"/p/lib\0", "/p", "/opt/conda", "binary", where="some.so")
    assert with_prefix(b"none of it", "/p", "/opt/conda", "binary", where="x") == b"none of it"


@given(st.lists(st.sampled_from([OLD.encode(), b"\0", b"a", b"/lib"]), max_size=30).map(b"".join))
def test_a_binary_keeps_its_length_and_its_strings(data: bytes) -> None:
    found = with_prefix(data, OLD, "/opt/conda", "binary", where="x")
    assert len(found) == len(data)
    # Each string is where it began, with the prefix in it.
    start = 0
    for string in data.split(b"\0"):
        wanted = string.replace(OLD.encode(), b"/opt/conda")
        assert found[start : start + len(string)] == wanted.ljust(len(string), b"\0")
        start += len(string) + 1
