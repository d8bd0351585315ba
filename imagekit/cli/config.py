"""``imagekit config``"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.settings import ConfigFile
    from imagekit.settings.view import Shown

app = typer.Typer(
    help="Settings: set, unset, get, view; profiles.", rich_markup_mode=None, add_completion=False, no_args_is_help=True
)
_EXAMPLE = "default-namespace=registry.example.com/team"


@app.command(
    "set",
    cls=Command,
    epilog=examples(
        f"imagekit config set {_EXAMPLE}",
        "imagekit config set engine-timeout=300",
        "imagekit config set --profile prod base-image=registry.example.com/python:3.12",
    ),
)
def set_value(
    assignments: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="What to set.")],
) -> None:
    """Keep a setting.

    In the profile that holds, or for all of them where none does.
    """
    from imagekit.cli.options import pairs
    from imagekit.cli.output import put
    from imagekit.settings.config_file import known_key

    file, profile = _file()
    wanted = pairs(assignments, "config set", _EXAMPLE)
    for name, text in wanted.items():
        file = file.with_value(name, text, profile)
    file.write()
    for name in wanted:
        variable = known_key(name).variable
        put(f"{name} = {_text(file.table(profile)[name])}  {_place(file, profile)}")
        if os.environ.get(variable):
            put(f"but {variable} is set here, and goes before it", stream=sys.stderr)


@app.command(cls=Command, epilog=examples("imagekit config unset default-namespace"))
def unset(
    names: Annotated[list[str], typer.Argument(metavar="KEY", help="What to forget.")],
) -> None:
    """Forget a setting.

    Of the profile that holds, or of all of them where none does.
    """
    from imagekit.cli.output import put

    before, profile = _file()
    file = before
    for name in names:
        file = file.without(name, profile)
    if file.text != before.text:
        file.write()
    for name in names:
        was_set = name in before.table(profile)
        put(f"{name} {'is no longer set' if was_set else 'was not set'}  {_place(file, profile)}")


@app.command(cls=Command, epilog=examples("imagekit config get default-namespace"))
def get(
    name: Annotated[str, typer.Argument(metavar="KEY", help="A key that view lists.")],
    path: options.PathArgument = Path(),
) -> None:
    """Print the value that holds here.

    Exit code 1 where there is none.
    """
    from imagekit.cli.output import put
    from imagekit.errors import InvalidConfig
    from imagekit.nearest import nearest_hint
    from imagekit.settings import Settings
    from imagekit.settings.view import settings_of_machine, settings_of_project

    settings = Settings.load()
    found = {shown.name: shown for shown in settings_of_machine(settings)}
    if name not in found:
        found |= {shown.name: shown for shown in settings_of_project(settings, path)}
    if name not in found:
        raise InvalidConfig(f"unknown key {name!r}", hint=nearest_hint(name, found))
    if found[name].value is None:
        raise typer.Exit(1)
    put(_text(found[name].value))


@app.command(cls=Command, epilog=examples("imagekit config view --origin", "imagekit config view --json"))
def view(
    path: options.PathArgument = Path(),
    origin: Annotated[bool, typer.Option("--origin", help="Say where each comes from: file and line.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show every setting that holds here.

    Those of this machine and those of the project, from whatever source.
    """
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.settings import Settings
    from imagekit.settings.view import settings_of_machine, settings_of_project

    settings = Settings.load()
    machine, project = settings_of_machine(settings), settings_of_project(settings, path)
    if as_json:
        put_json({each.name: each.to_json() if origin else each.value for each in (*machine, *project)})
        return
    width = max(len(each.name) for each in (*machine, *project))
    for number, (title, shown) in enumerate((("This machine", machine), (f"The project in {path}", project))):
        if number:
            put()
        put(f"{title}:")
        put_table([_row(each, width, origin=origin) for each in shown])


@app.command(cls=Command, epilog=examples("imagekit config path"))
def path() -> None:
    """Print where the configuration is."""
    from imagekit.cli.output import put
    from imagekit.settings import config_path

    put(str(config_path(os.environ)))


@app.command(cls=Command, epilog=examples("imagekit config profiles"))
def profiles(as_json: options.Json = False) -> None:
    """List the profiles, and which one holds."""
    from imagekit.cli.output import put, put_json
    from imagekit.settings import Settings
    from imagekit.settings.config_file import DEFAULT_PROFILE

    settings = Settings.load()
    assert settings.file is not None
    active = settings.profile or DEFAULT_PROFILE
    names = [DEFAULT_PROFILE, *settings.file.profiles]
    if as_json:
        put_json({"profile": active, "profiles": names, "origin": settings.origin("profile")})
        return
    for name in names:
        put(f"{'*' if name == active else ' '} {name}")


@app.command("use-profile", cls=Command, epilog=examples("imagekit config use-profile prod"))
def use_profile(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The profile; 'default' is none.")],
) -> None:
    """Let a profile hold where none is named.

    --profile and IMAGEKIT_PROFILE name one.
    """
    from imagekit.cli.output import put
    from imagekit.settings import ConfigFile, config_path

    before = ConfigFile.read(config_path(os.environ))
    file = before.with_profile(before.known_profile(name, "use-profile"))
    if file.text != before.text:
        file.write()
    put(f"profile = {name}  ({file.path})")


@app.command(
    cls=Command, epilog=examples("imagekit config schema", "imagekit config schema --user > imagekit-config.json")
)
def schema(
    user: Annotated[bool, typer.Option("--user", help="Of the user's configuration, not of a project's.")] = False,
) -> None:
    """Print a JSON Schema, which editors go by.

    Of imagekit.toml and [tool.imagekit].
    """
    import json

    from imagekit.cli.output import put
    from imagekit.settings.schema import project_schema, user_schema

    put(json.dumps(user_schema() if user else project_schema(), indent=2))


def _file() -> tuple[ConfigFile, str | None]:
    """The configuration, and the profile to change: one that is named need not be there yet."""
    from imagekit.settings import ConfigFile, config_path
    from imagekit.settings.config_file import DEFAULT_PROFILE
    from imagekit.settings.machine import PROFILE

    file = ConfigFile.read(config_path(os.environ))
    profile = os.environ.get(PROFILE) or file.profile
    return file, None if profile == DEFAULT_PROFILE else profile


def _place(file: ConfigFile, profile: str | None) -> str:
    return f"({file.path}{f' [profiles.{profile}]' if profile else ''})"


def _row(shown: Shown, width: int, *, origin: bool) -> list[str]:
    value = _text(shown.value) if shown.value is not None else f"({shown.otherwise})" if shown.otherwise else ""
    return [f"  {shown.name.ljust(width)}", value, *([f"({shown.origin})"] if origin else [])]


def _text(value: Any) -> str:
    """As a person writes it: a text bare, else as JSON, which TOML's lists look like."""
    import json

    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
