"""The ``imagekit`` program: its commands and what holds for all of them."""

from __future__ import annotations

from typing import Annotated

import typer

from imagekit.cli.base import app as base_app
from imagekit.cli.build import EPILOG as BUILD_EPILOG
from imagekit.cli.build import build
from imagekit.cli.commands import Command, Root
from imagekit.cli.config import app as config_app
from imagekit.cli.doctor import EPILOG as DOCTOR_EPILOG
from imagekit.cli.doctor import doctor
from imagekit.cli.ends import EXIT_CODES
from imagekit.cli.inspect import EPILOG as INSPECT_EPILOG
from imagekit.cli.inspect import inspect
from imagekit.cli.lock import EPILOG as LOCK_EPILOG
from imagekit.cli.lock import lock
from imagekit.cli.options import examples
from imagekit.cli.plan import EPILOG as PLAN_EPILOG
from imagekit.cli.plan import plan
from imagekit.cli.push import EPILOG as PUSH_EPILOG
from imagekit.cli.push import push
from imagekit.cli.run import EPILOG as RUN_EPILOG
from imagekit.cli.run import run

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
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        from imagekit.cli.output import put

        put(f"imagekit {version('imagekit')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        from imagekit.cli.output import put

        put(ctx.get_help())


app.command(cls=Command, epilog=BUILD_EPILOG)(build)
app.command(cls=Command, epilog=RUN_EPILOG)(run)
app.command(cls=Command, epilog=PUSH_EPILOG)(push)
app.command(cls=Command, epilog=LOCK_EPILOG)(lock)
app.command(cls=Command, epilog=PLAN_EPILOG)(plan)
app.command(cls=Command, epilog=INSPECT_EPILOG)(inspect)
app.add_typer(base_app, name="base")
app.add_typer(config_app, name="config")
app.command(cls=Command, epilog=DOCTOR_EPILOG)(doctor)
