"""Options that are declared once are options of every command that takes their set."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature

import pytest
import typer

from imagekit.cli.app import app
from imagekit.cli.option_sets import given, spelling
from imagekit.cli.options import BuildOptions, ImageOptions, ProjectOptions
from imagekit.errors import InputError
from imagekit.spec.read import read_spec

SETS = {
    **dict.fromkeys(("plan", "lock", "verify", "dockerfile"), ProjectOptions),
    "why": ImageOptions,
    "build": BuildOptions,
}


@pytest.mark.parametrize("name", SETS)
def test_every_option_of_the_set_is_one_of_the_command(name: str) -> None:
    root = typer.main.get_command(app)
    command = root.get_command(typer.Context(root), name)
    assert command is not None
    spelled = {text for parameter in command.params for text in parameter.opts}
    assert {spelling(SETS[name], field.name) for field in fields(SETS[name])} <= spelled


def test_an_option_is_called_like_the_keyword_that_it_gives() -> None:
    assert {field.name for field in fields(BuildOptions)} <= set(signature(read_spec).parameters)


def test_only_what_is_given_counts_as_what_it_means() -> None:
    assert given(BuildOptions()) == {}
    found = given(BuildOptions(packages=["six"], include_source=True, env=["A=1", "B=x=y"], health_check=True))
    assert found == {"packages": ["six"], "include_source": False, "env": {"A": "1", "B": "x=y"}, "health_check": False}


def test_a_text_that_cannot_be_meant_is_told_by_its_option() -> None:
    with pytest.raises(InputError, match="--label 'x' is not NAME=VALUE"):
        given(BuildOptions(labels=["x"]))
