"""Which name somebody meant, and that none is named which nobody means."""

from __future__ import annotations

import pytest

from imagekit.nearest import nearest, nearest_hint
from imagekit.recipes.find import provided

RECIPES = list(provided())


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("grafviz", RECIPES, "graphviz"),
        ("postgres", RECIPES, "postgresql"),
        ("mssql", RECIPES, "mssql-odbc"),
        ("gdla", RECIPES, "gdal"),
        ("hdf", RECIPES, "hdf5"),
        ("dokcer", ["docker", "process"], "docker"),
        ("elt", ["etl", "main"], "etl"),
        ("python3.11-cor", ["python3.11-core", "python3.13-core"], "python3.11-core"),
        # What has letters in common, and is nothing that anybody would mean.
        ("nope", RECIPES, None),
        ("openssl", RECIPES, None),
        ("redis", RECIPES, None),
        ("tensorflow", RECIPES, None),
        ("x", ["xml", "yml"], None),
        ("", ["xml"], None),
    ],
)
def test_nearest(name: str, known: list[str], expected: str | None) -> None:
    assert nearest(name, known) == expected


def test_hints() -> None:
    assert nearest_hint("regsitry", ["registry", "local"]) == "did you mean 'registry'?"
    assert nearest_hint("nope", ["registry", "local"]) == "known are local, registry"
    assert nearest_hint("nope", []) == "there are none"
