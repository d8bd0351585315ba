"""The table of docs/recipes.md, from the recipes and from what was measured of them.

``python -m tests.recipes_contents.page`` writes it anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from imagekit.oci.platform import Platform
from imagekit.recipes.declared import Recipe, read_recipe
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.find import provided
from imagekit.recipes.fitted import fit

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "recipes.md"
MEASURED = ROOT / "recipes" / "measured.json"
MAKE = "run python -m tests.recipes_contents.page"
BEGIN, END = "<!-- generated: recipes -->", "<!-- end -->"
_PLACE = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
_SHOWN = 6  # names in one cell


def measured() -> dict[str, float]:
    """Megabytes that each recipe adds to ``imagekit/python:3.11``, by name."""
    found: dict[str, float] = json.loads(MEASURED.read_text("utf-8"))
    return found


def with_table(page: str) -> str:
    """``page`` with its table of recipes made anew."""
    if not _PLACE.search(page):
        raise ValueError(f"the page has no {BEGIN}")
    return _PLACE.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", page, count=1)


def table() -> str:
    """One row for each recipe that comes with imagekit."""
    sizes = measured()
    rows = [("recipe", "what it brings", "for, among others", "packages on Debian 12", "MB"), ("---",) * 5]
    for name, path in provided().items():
        recipe = read_recipe(path)
        size = f"{sizes[name]:.0f}" if name in sizes else "?"
        rows.append((f"`{name}`", recipe.table.summary, _names(recipe.table.serves), _packages(recipe), size))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _packages(recipe: Recipe) -> str:
    """Recipes that it requires, packages of the image, and packages of builds."""
    fitted = fit([recipe], Distribution.parse("debian:12", Platform.host()))[0]
    parts = []
    if recipe.table.requires:
        parts.append("recipe " + ", ".join(f"`{each}`" for each in recipe.table.requires))
    if fitted.packages:
        parts.append(_names(fitted.packages))
    if fitted.build:
        parts.append("for builds " + _names(fitted.build))
    return "; ".join(parts)


def _names(names: tuple[str, ...]) -> str:
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*(f"`{each}`" for each in names[:_SHOWN]), *more]) or "–"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
