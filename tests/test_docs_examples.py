"""Tables of the documentation say which example is which test: each that is named is there, and none is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .e2e import guide_examples

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
NAMED = re.compile(r"`((?:[\w/]+/)?test_\w+\.py)::(\w+)`")


def rows(page: str, heading: str | None = None) -> list[str]:
    """The lines of tables, below ``heading``."""
    text = (DOCS / page).read_text("utf-8")
    if heading is not None:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        line
        for n, line in enumerate(lines)
        if not {*line} <= {*"|-"} and not {*"".join(lines[n + 1 : n + 2])} <= {*"|-"}
    ]


def functions(path: Path) -> dict[str, set[str]]:
    """Each function of a file, with the names that it uses."""
    tree = ast.parse(path.read_text("utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} for node in found}


GUIDES = rows("deployments.md", "The examples of Prefect's guides")
STORAGE = rows("from-prefect-storage.md")


@pytest.mark.parametrize(("row", "below"), [*((row, "e2e") for row in GUIDES), *((row, "") for row in STORAGE)])
def test_each_row_names_a_test_that_is_there(row: str, below: str) -> None:
    named = NAMED.findall(row)
    assert named, row
    for path, name in named:
        assert name in functions(TESTS / below / path)


def test_each_example_of_the_guides_is_used_by_a_test_of_the_table() -> None:
    examples = {name for name in vars(guide_examples) if name.isupper()} - {"NAMES", "_MODULES"}
    named = {each for row in GUIDES for each in NAMED.findall(row)}
    used = set().union(*(functions(TESTS / "e2e" / path)[name] for path, name in named))
    assert examples - used == set()
