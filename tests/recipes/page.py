"""The tables of a recipe's keys in docs/recipes.md, from the declarations: ``python -m tests.recipes.page``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from imagekit.recipes.declared import RecipeTable
from imagekit.spec.keys import Declared, keys_of
from imagekit.spec.kinds import OneTable, Tables
from imagekit.spec.toml import toml_value

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
BEGIN, END = "<!-- generated: recipe keys -->", "<!-- end -->"
_PLACE = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def with_table(page: str) -> str:
    """``page`` with its table of keys made anew."""
    if not _PLACE.search(page):
        raise ValueError(f"the page has no {BEGIN}")
    return _PLACE.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", page, count=1)


def table() -> str:
    """A row for each key, those of ``[[when]]`` left out: they are the same."""
    rows = ["| key | is | meaning |", "|---|---|---|"]
    rows += [_row(name, declared) for name, declared in _all(keys_of(RecipeTable), "")]
    return "\n".join(rows)


def _all(keys: Mapping[str, Declared], above: str) -> list[tuple[str, Declared]]:
    found = []
    for name, declared in keys.items():
        kind = declared.kind
        if name == "when":
            continue
        if isinstance(kind, (OneTable, Tables)):
            found += _all(keys_of(kind.of), f"{above}{name}{'[]' if isinstance(kind, Tables) else ''}.")
        else:
            found.append((above + name, declared))
    return found


def _row(name: str, declared: Declared) -> str:
    key = declared.key
    words = key.meaning
    if declared.is_required and "." not in name:
        words += "; must be there"
    if key.otherwise or key.default:
        words += f"; by default {key.otherwise or f'`{toml_value(key.default)}`'}"
    if key.example is not None:
        words += f"; `{toml_value(key.example)}`"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{name}`", declared.kind.words, words)) + " |"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
