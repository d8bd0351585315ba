"""``imagekit secret``"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.secrets.store import SecretStore

app = typer.Typer(
    help="Stored secrets: set, list, delete; look for leaks in an image.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@app.command(
    "set",
    cls=Command,
    context_settings={"allow_extra_args": True},
    epilog=examples(
        "imagekit secret set index-password",
        "imagekit secret set index-password < password.txt",
        "imagekit build -f Dockerfile --secret id=password,name=index-password",
    ),
)
def set_value(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters and digits, with '-' between.")],
    as_json: options.Json = False,
) -> None:
    """Keep a secret. Its value is asked for, or read from standard input; never an argument."""
    from imagekit.cli.output import put, put_json
    from imagekit.errors import InvalidSecret
    from imagekit.secrets.store import check_name

    if ctx.args:
        # Not repeated: it may be the value.
        raise InvalidSecret(
            "a value among the arguments is seen by everyone on this machine, and stays in the shell's history",
            hint=f"imagekit secret set {name if _is_name(name) else 'NAME'}, and type it when it is asked for",
        )
    check_name(name)
    kept = _store().set(name, _value(name))
    if as_json:
        put_json({"name": kept.name, "in": kept.where})
    else:
        put(f"{kept.name} is kept in the {_place(kept.where)}")


@app.command("ls", cls=Command, epilog=examples("imagekit secret ls", "imagekit secret ls --json"))
def list_names(as_json: options.Json = False) -> None:
    """List the names, and where the values are; never a value."""
    from imagekit.cli.output import put, put_json, put_table

    names = _store().names()
    if as_json:
        put_json({"secrets": [{"name": kept.name, "in": kept.where} for kept in names]})
    elif names:
        put_table([[kept.name, _place(kept.where)] for kept in names])
    else:
        put("no secret is stored; imagekit secret set NAME stores one")


@app.command("delete", cls=Command, epilog=examples("imagekit secret delete index-password"))
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="What to forget.")],
    as_json: options.Json = False,
) -> None:
    """Forget secrets."""
    from imagekit.cli.output import put, put_json

    store = _store()
    for name in names:
        store.delete(name)
    if as_json:
        put_json({"deleted": names})
    else:
        for name in names:
            put(f"{name} is forgotten")


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit secret scan orders:v1",
        "imagekit secret scan orders:v1 --secret id=password,name=index-password",
    ),
)
def scan(
    reference: Annotated[str, typer.Argument(metavar="REF", help="An image that the engine holds.")],
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="SPEC", help="Look for this value, too: id=NAME,env=VARIABLE and so on."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Look for credentials in an image: its configuration, its history, the files of all its layers.

    Exit code 1 where there is one.
    """
    from imagekit.building.image_leaks import leaks_of_image
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import handed_of, load_settings, open_pipeline, reporting
    from imagekit.oci.reference import Reference

    parsed, settings = Reference.parse(reference), load_settings()
    handed = handed_of(settings, secret, None)
    with (
        reporting(as_json=as_json) as reporter,
        open_pipeline(settings, reporter) as pipeline,
        reporter.task(f"looking through {parsed}"),
    ):
        found = leaks_of_image(pipeline.engine, str(parsed), handed.needles)
    if as_json:
        put_json({"leaks": [{"path": leak.path, "line": leak.line, "kind": leak.kind} for leak in found]})
    else:
        for leak in found:
            put(str(leak))
        if not found:
            put("no credential was found")
    if found:
        raise typer.Exit(1)


def _store() -> SecretStore:
    from imagekit.cli.session import load_settings
    from imagekit.secrets.store import SecretStore

    return SecretStore(load_settings().data_dir)


def _place(where: str) -> str:
    return "system's keyring" if where == "keyring" else "file secrets.json of your data directory"


def _is_name(text: str) -> bool:
    from imagekit.errors import InvalidSecret
    from imagekit.secrets.store import check_name

    try:
        check_name(text)
    except InvalidSecret:
        return False
    return True


def _value(name: str) -> str:
    """What is typed at a prompt that does not show it, or all of standard input but its last line's end."""
    from imagekit.errors import InvalidSecret

    if sys.stdin is not None and sys.stdin.isatty():
        import getpass

        try:
            value = getpass.getpass(f"Value of {name} (not shown): ", stream=sys.stderr)
        except EOFError:
            value = ""
    else:
        try:
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
            value = data.decode()
        except UnicodeDecodeError:
            raise InvalidSecret(
                "standard input is no text (UTF-8)",
                hint="keep such a thing in a file, and hand that to a build: --secret id=NAME,src=FILE",
            ) from None
        value = value[:-1] if value.endswith("\n") else value
        value = value[:-1] if value.endswith("\r") else value
    if not value:
        raise InvalidSecret("no value was given", hint=f"type it, or: imagekit secret set {name} < FILE")
    return value
