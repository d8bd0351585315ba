"""docs/recipes.md has every key of a recipe, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

from imagekit.oci.platform import Platform
from imagekit.recipes.declared import read_recipe
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.fields import FIELDS
from imagekit.recipes.fitted import fit

from .page import PAGE, with_table


def test_every_key_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert with_table(page) == page, "run python -m tests.recipes.page"
    assert all(f"`{{{field}}}`" in page for field in FIELDS)


def test_the_example_is_a_recipe(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(# recipes/our-driver\.toml\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "our-driver.toml"
    path.write_text(text, "utf-8")
    for name in ("debian:12", "debian:13"):
        assert fit([read_recipe(path)], Distribution.parse(name, Platform("linux", "amd64")))
