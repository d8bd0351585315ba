"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

_PROJECT = "What goes in"
_IMAGE = "What the image is like"

PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="The project's directory.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress; print the result alone.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Keep every line of progress.")]

Requirements = Annotated[
    list[str] | None,
    typer.Option(
        "--requirements", "-r", metavar="FILE", rich_help_panel=_PROJECT, help="A requirements file, or a pylock.toml."
    ),
]
Packages = Annotated[
    list[str] | None,
    typer.Option("--package", metavar="REQ", rich_help_panel=_PROJECT, help="One more requirement: 'rich>=13'."),
]
Extras = Annotated[
    list[str] | None,
    typer.Option("--extra", metavar="NAME", rich_help_panel=_PROJECT, help="An extra of the project."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="NAME", rich_help_panel=_PROJECT, help="A dependency group of the project."),
]
Resolver = Annotated[
    str | None, typer.Option("--resolver", metavar="NAME", rich_help_panel=_PROJECT, help="uv or pip-tools.")
]
SourceBuilds = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-source-build",
        metavar="NAME",
        rich_help_panel=_PROJECT,
        help="A package that may be built from source ('*': any).",
    ),
]
BaseImage = Annotated[
    str | None,
    typer.Option("--base-image", "--base", metavar="REF", rich_help_panel=_IMAGE, help="The image to build on."),
]
Python = Annotated[
    str | None, typer.Option("--python", metavar="X.Y", rich_help_panel=_IMAGE, help="The image's Python version.")
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", rich_help_panel=_IMAGE, help="linux/amd64 or linux/arm64."),
]


def examples(*lines: str) -> str:
    """An epilog of examples, kept as it is (``\\b`` is how Click is told)."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def pairs(texts: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """``["K=V", …]`` as a mapping; ``InputError`` for one without ``=``, without a name, or that is there twice."""
    from imagekit.errors import InputError

    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            shown = name if equals else text
            raise InputError(f"{option} {shown!r} is not NAME=VALUE", hint=f"write {option} {example}")
        if name in found:
            raise InputError(f"{option} {name!r} is there twice", hint="give it once")
        found[name] = value
    return found


def run_environment(texts: Sequence[str] | None, environ: Mapping[str, str]) -> dict[str, str]:
    """``K=V``, or ``K`` alone for the value that it has here (as ``docker run --env``)."""
    from imagekit.errors import InputError

    whole = []
    for text in texts or ():
        if "=" not in text and text not in environ:
            raise InputError(f"--env {text!r}: no such variable here", hint=f"write --env {text}=VALUE")
        whole.append(text if "=" in text else f"{text}={environ[text]}")
    return pairs(whole, "--env", "TZ=UTC")


def name_and_tag(text: str | None, name: str | None) -> tuple[str | None, str | None]:
    """Name and tag from ``--tag`` and ``--name``; ``:v1`` is a tag for the project's own name."""
    from imagekit.errors import InputError
    from imagekit.oci.reference import Reference

    if text is None:
        return (Reference.parse(name, target=True).name if name else None), None
    if text.startswith(":"):
        tag = Reference(repository="name").with_tag(text[1:]).tag
        return (Reference.parse(name, target=True).name if name else None), tag
    if name is not None:
        raise InputError("--tag and --name both name the image", hint=f"write --tag {name}:TAG, or --tag :TAG")
    reference = Reference.parse(text, target=True)
    return reference.name, reference.tag
