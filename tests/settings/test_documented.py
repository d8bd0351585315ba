"""What is published of the keys is what is declared: the page, the schemas, and that these agree with the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from imagekit.settings.documented import schemas, with_tables
from imagekit.settings.keys import bytes_of, machine_keys
from imagekit.settings.machine import CACHE_SIZE, ENGINE_DEADLINE
from imagekit.settings.schema import project_schema, user_schema
from imagekit.settings.variables import known_variables, unknown_variables
from imagekit.spec.keys import Declared, keys_of
from imagekit.spec.kinds import Mistaken
from imagekit.spec.table import Table

DOCS = Path(__file__).parents[2] / "docs"
KEYS = {**machine_keys(), **keys_of(Table)}
MAKE = "run scripts/configuration-docs"


def test_the_page_has_the_keys_that_are_declared() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert with_tables(page) == page, MAKE
    assert all(f"| `{name}` |" in page for name in KEYS)


@pytest.mark.parametrize("name", schemas())
def test_the_schema_that_lies_there_is_the_one_that_is_declared(name: str) -> None:
    assert (DOCS / "schema" / name).read_text() == schemas()[name], MAKE


@pytest.mark.parametrize("schema", [project_schema(), user_schema()], ids=["project", "user"])
def test_the_schema_is_one_and_its_examples_and_defaults_fit(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    for name, each in schema["properties"].items():
        assert each["description"]
        for value in (*each.get("examples", ()), *([each["default"]] if "default" in each else ())):
            assert Draft7Validator(schema).is_valid({name: value}), name


def test_no_key_is_a_projects_and_a_machines() -> None:
    assert not machine_keys().keys() & keys_of(Table).keys()
    assert len({each.variable for each in KEYS.values()}) == len(KEYS)
    assert {each.variable for each in KEYS.values()} <= known_variables()


def test_the_defaults_that_hold_are_those_that_are_declared() -> None:
    assert machine_keys()["engine-timeout"].key.default == ENGINE_DEADLINE
    assert bytes_of(machine_keys()["cache-size"].key.default, "") == CACHE_SIZE


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.text(max_size=3), st.sampled_from(["uv", "pip-tools", 3.5])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.sampled_from(list(keys_of(Table).values())), VALUES)
def test_the_schema_takes_what_the_reader_takes(declared: Declared, value: Any) -> None:
    try:
        declared.kind.read(value)
        is_read = not declared.key.choices or value in declared.key.choices
    except Mistaken:
        is_read = False
    assert Draft7Validator(project_schema()).is_valid({declared.name: value}) == is_read


def test_a_profile_is_in_the_users_schema_and_default_is_none() -> None:
    validator = Draft7Validator(user_schema())
    assert validator.is_valid({"profile": "a", "profiles": {"a": {"engine": "unix:///x", "python": "3.12"}}})
    for wrong in ({"profiles": {"default": {}}}, {"profiles": {"a b": {}}}, {"profiles": {"a": {"name": "x"}}}):
        assert not validator.is_valid(wrong), json.dumps(wrong)


def test_misspelt_variables_are_known_for_what_they_are() -> None:
    given = {
        "IMAGEKIT_PYTHON": "",
        "IMAGEKIT_PROFILE": "",
        "IMAGEKIT_CACHEDIR": "",
        "IMAGEKIT_STEP_SECRET_1": "",
        "X": "",
    }
    assert unknown_variables(given) == ["IMAGEKIT_CACHEDIR"]
