"""``--profile NAME``, which every command takes."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any

import typer

_VARIABLE = "IMAGEKIT_PROFILE"


def _choose(name: str | None) -> str | None:
    # The variable is how the choice reaches all that reads settings, and processes that are started.
    if name is not None:
        os.environ[_VARIABLE] = name
    return name


Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        callback=_choose,
        is_eager=True,
        expose_value=False,
        help="Settings of this profile ('default': of none).",
    ),
]


@cache
def profile_option() -> Any:
    """The option as Click has it."""

    def alone(profile: Profile = None) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(alone)
    (option,) = typer.main.get_command(app).params
    return option
