"""The recipes that come with imagekit: each can be read, says what it is for, and stands on the page."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.recipes.declared import Recipe, read_recipe
from imagekit.recipes.find import find_recipes, provided

from .page import MAKE, PAGE, measured, with_table

RECIPES = {name: read_recipe(path) for name, path in provided().items()}
# What issue after issue asks for; each is one or more files.
ASKED = """
    chromium compiler ffmpeg freetds gdal geos git-ssh graphviz hdf5 image-libraries java kerberos ldap legacy-tls
    locales mssql-odbc mysql netcdf opencv oracle-client pandoc postgresql proj sqlite-odbc tesseract unixodbc
""".split()
# Whose sources no registry of packages has.
ELSEWHERE = {"mssql-odbc", "mssql-tools"}
# What each adds to a base is measured when it is tried.
UNMEASURED = ELSEWHERE


def test_all_that_people_ask_for_is_there() -> None:
    assert sorted(set(ASKED) - set(RECIPES)) == []
    assert len(RECIPES) >= 22


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_each_says_what_it_is_for_and_how_it_is_seen_to_work(recipe: Recipe) -> None:
    table = recipe.table
    assert len(table.summary) < 100
    assert not table.summary.endswith(".")
    assert list(table.serves) == sorted(table.serves)
    assert table.check is not None
    program = ast.parse(table.check.program)
    # One that asserts nothing ends with 0 whatever is there.
    assert any(isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(program))
    # Any Python that a base has runs it.
    ast.parse(table.check.program, feature_version=(3, 9))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_what_is_checked_is_what_is_served(recipe: Recipe) -> None:
    """A check's requirements are of what the recipe, or one that requires it, is for, or of what makes its input."""
    check = recipe.table.check
    assert check is not None
    asked = {canonicalize_name(Requirement(each).name) for each in check.requirements}
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(check.program))
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert bool(asked) == bool(imported - STANDARD), (asked, imported - STANDARD)


STANDARD = set(
    """
    ctypes getpass glob io locale math os pathlib re shutil socket sqlite3 subprocess sys tempfile threading time
    urllib zipfile
""".split()
)


@pytest.mark.parametrize("name", RECIPES)
def test_each_can_be_had_with_all_that_it_requires(name: str) -> None:
    assert [recipe.name for recipe in find_recipes([name])][-1] == name


def test_all_of_them_go_together() -> None:
    assert {recipe.name for recipe in find_recipes(sorted(RECIPES))} == set(RECIPES)


def test_a_library_or_program_is_named_by_one_recipe_or_by_one_beneath_it() -> None:
    """So that what is missing names one recipe."""
    beneath = {name: {each.name for each in find_recipes([name])} for name in RECIPES}
    for kind in ("sonames", "programs", "headers"):
        for one, other in combinations(RECIPES, 2):
            if one in beneath[other] or other in beneath[one] or {one, other} in SHARING:
                continue
            both = named(one, kind) & named(other, kind)
            assert not both, (kind, one, other, both)


def named(name: str, kind: str) -> set[str]:
    provides = RECIPES[name].table.provides
    return set() if provides is None else set(getattr(provides, kind))


# Each of the two is of use by itself, with the same small library besides.
SHARING: list[set[str]] = [
    {"compiler", "compiler-at-run-time"},
    {"fonts", "image-libraries"},
    {"kerberos", "ldap"},
]


def test_hosts_outside_are_those_of_third_parties_alone() -> None:
    hosts = {
        name: set(re.findall(r"https?://([^/\s\"']+)", recipe.source.text)) - {"127.0.0.1", "www.w3.org", "example.com"}
        for name, recipe in RECIPES.items()
    }
    assert {name for name, found in hosts.items() if found} == ELSEWHERE


def test_the_page_has_each_with_what_was_measured() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, MAKE
    assert set(measured()) <= set(RECIPES)
    assert set(RECIPES) - set(measured()) == UNMEASURED


def test_they_are_part_of_the_package() -> None:
    root = Path(__file__).parents[2]
    assert '"recipes" = "imagekit/_data/recipes"' in (root / "pyproject.toml").read_text("utf-8")
