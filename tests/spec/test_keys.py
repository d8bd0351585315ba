"""Tables of declared keys: whatever a file says is read, or refused with the line of each mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.errors import InputError, InvalidConfig
from imagekit.settings import ConfigFile
from imagekit.spec.keys import Key, Source, keys_of, read_table, schema_of
from imagekit.spec.table import Table, project_table
from imagekit.spec.toml import read_toml, toml_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    url: Annotated[str, Key("where it is")]
    kind: Annotated[str | None, Key("what it is", choices=("one", "other"))] = None
    tags: Annotated[tuple[str, ...] | None, Key("words")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    places: Annotated[tuple[Inner, ...] | None, Key("several")] = None
    seconds: Annotated[float | None, Key("how long", default=1)] = None


def read(tmp_path: Path, text: str) -> Outer:
    path = tmp_path / "x.toml"
    path.write_text(text)
    return read_table(Outer, read_toml(path, InvalidConfig), Source(path=path, shown=path.name))


def test_tables_in_a_list(tmp_path: Path) -> None:
    found = read(tmp_path, 'seconds = 3\n[[places]]\nurl = "a"\ntags = ["x"]\n[[places]]\nurl = "b"\nkind = "other"\n')
    assert found == Outer(seconds=3.0, places=(Inner(url="a", tags=("x",)), Inner(url="b", kind="other")))
    assert keys_of(Outer)["places"].of_text('[{"url": "a"}]', "VARIABLE") == (Inner(url="a"),)


def test_every_mistake_in_a_list_of_tables_has_its_line(tmp_path: Path) -> None:
    text = '[[places]]\nurl = "a"\n\n[[places]]\nkind = "on"\ntags = ["a", 3.10]\nulr = "b"\n[[places]]\nurl = 1\n'
    with pytest.raises(InputError, match="5 problems") as caught:
        read(tmp_path, text)
    assert str(caught.value.details).splitlines() == [
        "x.toml:7: places[1].ulr is not a known key",
        "x.toml:4: places[1] has no url",
        "x.toml:5: places[1].kind: unknown kind 'on'",
        "x.toml:6: places[1].tags[1] is not a string",
        "x.toml:9: places[2].url is not a string",
    ]


def test_a_hint_is_in_the_words_of_the_file(tmp_path: Path) -> None:
    for text, hint in (
        ("[[places]]\nurl = 3.10\n", 'put it in quotes: url = "3.10"'),
        ("[[places]]\nurl = 'a'\ntags = 'b'\n", "write a list: tags = ['b']"),
        ("[[places]]\nurl = 'a'\ntags = [0x1F]\n", 'put it in quotes: "0x1F"'),
        ("seconds = '2.5'\n", "write seconds = 2.5, without quotes"),
        ("seconds = inf\n", "write seconds = 120"),
    ):
        with pytest.raises(InvalidConfig) as caught:
            read(tmp_path, text)
        assert caught.value.hint == hint


def test_the_schema_says_what_must_be_there() -> None:
    inner = schema_of(Outer)["properties"]["places"]["items"]
    assert inner["required"] == ["url"]
    assert inner["properties"]["kind"]["enum"] == ["one", "other"]


NAMES = st.sampled_from([*keys_of(Table), "nonsense", "a b", "profiles", "profile", "engine"]) | st.text(max_size=3)
PLAIN = st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=6) | st.dates() | st.just("uv")
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(deadline=None)
@given(DOCUMENTS)
def test_any_document_is_read_or_refused_line_by_line(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    root = tmp_path_factory.mktemp("any")
    (root / "imagekit.toml").write_bytes(tomli_w.dumps(value).encode())
    (root / "config.toml").write_bytes(tomli_w.dumps(value).encode())
    for name, reading in (
        ("imagekit.toml", lambda: project_table(root, None)),
        (str(root / "config.toml"), lambda: ConfigFile.read(root / "config.toml")),
    ):
        if (error := refusal(reading)) is not None:
            several = error.message.partition(" problems: ")[0].isdigit()
            for line in str(error.details).split("\n") if several else [error.message]:
                assert re.match(rf"{re.escape(name)}:[1-9][0-9]*: ", line), line
            assert error.hint
            assert error.message.isprintable()


def refusal(reading: Callable[[], object]) -> InputError | None:
    try:
        reading()
    except InputError as error:
        return error
    return None


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_as_toml_is_read_back(value: Any) -> None:
    if not any(isinstance(each, float) or type(each).__name__ == "date" for each in leaves(value)):
        assert tomli_loads(f"x = {toml_value(value)}")["x"] == value


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [value]


def tomli_loads(text: str) -> dict[str, Any]:
    import tomlkit

    return tomlkit.parse(text).unwrap()
