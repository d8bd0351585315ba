"""Notes: read as they were written, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.notes import from_note, to_note

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES))
def test_it_reads_back_as_itself(value: dict[str, object]) -> None:
    assert from_note(to_note(value)) == value


@given(st.data())
def test_another_byte_anywhere_makes_it_none(data: st.DataObject) -> None:
    note = bytearray(to_note({"format": 1, "name": "ärger"}))
    place = data.draw(st.integers(0, len(note) - 1))
    note[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"."):
        from_note(bytes(note))


@pytest.mark.parametrize("cut", [0, 1, 10, 20, 60])
def test_one_that_is_cut_short_is_none(cut: int) -> None:
    with pytest.raises(ValueError, match="other bytes than were written"):
        from_note(to_note({"format": 1})[:cut])


def test_what_is_no_object_is_none() -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        from_note(to_note([1]))  # type: ignore[arg-type]
