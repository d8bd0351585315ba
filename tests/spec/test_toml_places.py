"""Where keys stand: every key that a TOML reader finds has its line and its text."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.spec.toml_places import Place, place_in, places_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCUMENT = '''\
# [tool.imagekit] is below; name = "not this"
[project]
name = "orders" # a comment = 3
dependencies = [
    "a", # "b",
    'c=[',
]

[tool.imagekit]
name = """\\
  x = 1
[tool.other]
"""
"base-image" = 'x'
python = 3.10
env = {TZ = "UTC", A.B = 1979-05-27 07:32:00}
labels.team = "data"

[[tool.imagekit.indexes]]
name = "first"

[[ tool . imagekit . "indexes" ]]
url = "https://example.com/#x"
[tool.imagekit.indexes.more]
last = true'''


@pytest.mark.parametrize(
    ("path", "line", "written"),
    [
        (("project", "name"), 3, '"orders"'),
        (("project", "dependencies", 1), 6, "'c=['"),
        (("tool", "imagekit"), 9, ""),
        (("tool", "imagekit", "base-image"), 14, "'x'"),
        (("tool", "imagekit", "python"), 15, "3.10"),
        (("tool", "imagekit", "env"), 16, '{TZ = "UTC", A.B = 1979-05-27 07:32:00}'),
        (("tool", "imagekit", "env", "A", "B"), 16, "1979-05-27 07:32:00"),
        (("tool", "imagekit", "labels", "team"), 17, '"data"'),
        (("tool", "imagekit", "indexes", 0, "name"), 20, '"first"'),
        (("tool", "imagekit", "indexes", 1, "url"), 23, '"https://example.com/#x"'),
        (("tool", "imagekit", "indexes", 1, "more", "last"), 25, "true"),
    ],
)
def test_each_key_has_its_line_and_its_text(path: tuple[str | int, ...], line: int, written: str) -> None:
    assert places_of(DOCUMENT)[path] == Place(line, written)


def test_the_innermost_table_stands_for_what_has_no_place() -> None:
    places = places_of(DOCUMENT)
    assert place_in(places, ("tool", "imagekit", "indexes", 1, "name")) == Place(22, "")
    assert place_in(places, ("nothing",)) is None


NAMES = st.text("abc.-_ \"'#[]=é\n", min_size=1, max_size=4)
PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text("ab\"'\\\n#[]{}=,. é", max_size=8)
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=5), st.booleans())
def test_every_key_that_a_reader_finds_is_found(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    places = places_of(text)
    lines = text.split("\n")
    for path, value in walk(tomllib.loads(text)):
        place = places[path]
        assert lines[place.line - 1].strip()
        if place.written:
            assert tomllib.loads(f"x = {place.written}")["x"] == value
        else:
            assert isinstance(value, (dict, list))


def walk(value: Any, *above: str | int) -> list[tuple[tuple[str | int, ...], Any]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [((*above, name), inner) for name, inner in items]
    return found + [each for name, inner in items for each in walk(inner, *above, name)]
