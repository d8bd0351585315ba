"""The ``imagekit`` program: its commands and what holds for all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from imagekit.cli.commands import Root
from imagekit.cli.exit_codes import EXIT_CODES
from imagekit.cli.options import examples
from imagekit.cli.profile_option import Profile

_EPILOG = "\n\n".join(
    (
        examples("imagekit build", "imagekit run flow.py:etl -p n=3", "imagekit doctor"),
        "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()),
    )
)

app = typer.Typer(
    cls=Root,
    help="Turns a Python project into a container image, one small layer per dependency, and runs flows in it.",
    epilog=_EPILOG,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from imagekit import __version__
        from imagekit.cli.output import put

        put(f"imagekit {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    profile: Profile = None,
) -> None:
    if ctx.invoked_subcommand is None:
        from imagekit.cli.output import put

        put(ctx.get_help())
