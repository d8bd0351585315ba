"""docs/indexes.md names every setting that is read, and every key of an index."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from imagekit.settings import pip_config, uv_config
from imagekit.spec.indexes import IndexTable

PAGE = (Path(__file__).parents[2] / "docs" / "indexes.md").read_text("utf-8")
TABLE = PAGE.partition("## Every setting")[2].partition("## When")[0]


@pytest.mark.parametrize("name", [*uv_config._VARIABLES, *uv_config._KEYS, "UV_INDEX", "UV_EXTRA_INDEX_URL"])
def test_what_is_read_of_uv(name: str) -> None:
    assert f"`{name}`" in TABLE


@pytest.mark.parametrize("name", pip_config._KEYS)
def test_what_is_read_of_pip(name: str) -> None:
    assert f"`{name}`" in TABLE
    assert f"`PIP_{name.replace('-', '_').upper()}`" in TABLE


@pytest.mark.parametrize("name", [each.name for each in fields(IndexTable) if each.name != "default"])
def test_keys_of_an_index(name: str) -> None:
    assert f"{name} = " in PAGE or f"`{name}`" in PAGE
