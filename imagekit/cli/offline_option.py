"""``--offline``, of the commands that need packages."""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any

import typer

_VARIABLE = "IMAGEKIT_OFFLINE"
COMMANDS = frozenset({"advise", "build", "dockerfile", "lock", "plan", "provenance", "sbom", "verify", "why"})


def _choose(asked: bool) -> bool:
    # The variable is how the choice reaches all that reads settings.
    if asked:
        os.environ[_VARIABLE] = "true"
    return asked


@cache
def offline_option() -> Any:
    """The option as Click has it."""

    def alone(
        offline: Annotated[
            bool,
            typer.Option(
                "--offline",
                callback=_choose,
                is_eager=True,
                expose_value=False,
                help="Fetch nothing: packages and bases that are here must do.",
            ),
        ] = False,
    ) -> None: ...

    app = typer.Typer(add_completion=False)
    app.command()(alone)
    (option,) = typer.main.get_command(app).params
    return option
