"""The JSON that the bootstrap reads and writes by itself, in the container: here it is called where it lies."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.runs.bootstrap_json import NotJson, json_text, parsed

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_json_holds_goes_there_and_back(value: Any) -> None:
    text = json_text(value, "result", set())
    assert text.isascii()
    assert json.loads(text) == value
    assert parsed(text) == value


@given(values)
def test_what_json_writes_is_read(value: Any) -> None:
    assert parsed(json.dumps(value)) == value


def test_a_shared_part_survives_and_half_a_character_where_it_may() -> None:
    shared = ["\ud83d"]
    assert json.loads(json_text([shared, shared, (1, 2)], "outcome", set(), lone=True)) == [shared, shared, [1, 2]]


class Order:
    pass


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "kind", "where"),
    [
        ({"rows": [1, {2, 3}]}, "set", "result['rows'][1]"),
        ([Order()], f"{__name__}.Order", "result[0]"),
        ({"a": {"b": math.nan}}, "float", "result['a']['b']"),
        (math.inf, "float", "result"),
        ({1: 2}, "int", "result"),
        (b"x", "bytes", "result"),
        (ENDLESS, "list", "result[0]"),
        (["a", "\ud800"], "str", "result[1]"),
        ({"a": {"\udce9": 1}}, "str", "a key of result['a']"),
    ],
)
def test_what_json_cannot_hold_is_named_with_its_place(value: object, kind: str, where: str) -> None:
    with pytest.raises(NotJson) as caught:
        json_text(value, "result", set())
    assert (caught.value.kind, caught.value.where) == (kind, where)
    assert where in str(caught.value)
