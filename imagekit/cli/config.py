"""``imagekit config``"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

app = typer.Typer(help="Settings: set, unset, view.", rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.command(
    "set",
    cls=Command,
    epilog=examples(
        "imagekit config set default-namespace=registry.example.com/team", "imagekit config set engine-timeout=300"
    ),
)
def set_value(
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="What to set.")],
) -> None:
    """Keep a setting."""
    from imagekit.cli.options import pairs
    from imagekit.cli.output import put
    from imagekit.settings import ConfigFile, config_path

    file = ConfigFile.read(config_path(os.environ))
    wanted = pairs(assignments, "config set", "default-namespace=registry.example.com/team")
    for name, text in wanted.items():
        file = file.with_value(name, text)
    file.write()
    for name in wanted:
        put(f"{name} = {file.values[name]}  ({file.path})")


@app.command(cls=Command, epilog=examples("imagekit config unset default-namespace"))
def unset(
    names: Annotated[list[str], typer.Argument(metavar="KEY", help="What to forget.")],
) -> None:
    """Forget a setting."""
    from imagekit.cli.output import put
    from imagekit.settings import ConfigFile, config_path

    before = file = ConfigFile.read(config_path(os.environ))
    for name in names:
        file = file.without(name)
    if file.values != before.values:
        file.write()
    for name in names:
        put(f"{name} {'is no longer set' if name in before.values else 'was not set'}  ({file.path})")


@app.command(cls=Command, epilog=examples("imagekit config view --origin", "imagekit config view --json"))
def view(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each comes from.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show the settings that hold here, from whatever source."""
    from imagekit.cli.output import put_json, put_table
    from imagekit.settings import Settings

    settings = Settings.load()
    values = settings.view()
    if as_json:
        put_json(
            {
                name: {"value": value, "origin": settings.origin(name)} if origin else value
                for name, value in values.items()
            }
        )
        return
    rows = [[name, "" if value is None else str(value)] for name, value in values.items()]
    if origin:
        rows = [[*row, f"({settings.origin(row[0])})"] for row in rows]
    put_table(rows)
