"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli.option_sets import Means, Reads, option

_PROJECT = "What goes in"
_IMAGE = "What the image is like"

PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="The project's directory.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress; print the result alone.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Keep every line of progress.")]

Tag = Annotated[
    str | None,
    typer.Option("--tag", "-t", metavar="REF", help="NAME[:TAG] of the image; :TAG keeps the project's name."),
]

Attest = Annotated[
    bool | None,
    typer.Option("--attest/--no-attest", help="Attach an SBOM and provenance (CycloneDX, SLSA) to what is pushed."),
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
            raise InputError(f"{option} {name!r} is given twice", hint="give it once")
        found[name] = value
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOptions:
    """What the project needs and what it is built on: the options of every command that reads a project.

    A field is called like the keyword of ``spec.read.read_spec`` that it gives.
    """

    requirements: Annotated[
        list[str] | None,
        option(
            "--requirements",
            "-r",
            metavar="FILE",
            panel=_PROJECT,
            help="A requirements file, a lock, or an environment.yml.",
        ),
    ] = None
    packages: Annotated[
        list[str] | None, option("--package", metavar="REQ", panel=_PROJECT, help="One more requirement: 'rich>=13'.")
    ] = None
    extras: Annotated[
        list[str] | None, option("--extra", metavar="NAME", panel=_PROJECT, help="An extra of the project.")
    ] = None
    groups: Annotated[
        list[str] | None, option("--group", metavar="NAME", panel=_PROJECT, help="A dependency group of the project.")
    ] = None
    resolver: Annotated[str | None, option("--resolver", metavar="NAME", panel=_PROJECT, help="uv or pip-tools.")] = (
        None
    )
    source_builds: Annotated[
        list[str] | None,
        option(
            "--allow-source-build",
            metavar="NAME",
            panel=_PROJECT,
            help="A package that may be built from source ('*': any).",
        ),
    ] = None
    base_image: Annotated[
        str | None, option("--base-image", "--base", metavar="REF", panel=_IMAGE, help="The image to build on.")
    ] = None
    python: Annotated[
        str | None, option("--python", metavar="X.Y", panel=_IMAGE, help="The image's Python version.")
    ] = None
    platform: Annotated[
        str | None, option("--platform", metavar="OS/ARCH", panel=_IMAGE, help="linux/amd64 or linux/arm64.")
    ] = None
    recipes: Annotated[
        list[str] | None,
        option("--recipe", metavar="NAME", panel=_IMAGE, help="What the base is given beside packages: mssql-odbc."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions(ProjectOptions):
    """What else is in an image: the options of the commands that make one, or foretell it."""

    include_source: Annotated[
        bool, option("--no-source", panel=_PROJECT, help="Leave the project's own files out."), Means(False)
    ] = False
    env: Annotated[
        list[str] | None,
        option("--env", "-e", metavar="K=V", panel=_IMAGE, help="A variable of the image."),
        Reads(partial(pairs, example="TZ=UTC")),
    ] = None
    files: Annotated[
        list[str] | None,
        option("--file", metavar="SRC=DST", panel=_IMAGE, help="A file, and its path in the image."),
        Reads(partial(pairs, example="settings.yml=/etc/orders/settings.yml")),
    ] = None
    labels: Annotated[
        list[str] | None,
        option("--label", metavar="K=V", panel=_IMAGE, help="A label of the image."),
        Reads(partial(pairs, example="team=data")),
    ] = None
    extra_dockerfile_commands: Annotated[
        list[str] | None,
        option(
            "--dockerfile-command",
            metavar="INSTR",
            panel=_IMAGE,
            help="An instruction that BuildKit runs on the image: 'RUN …'.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions(ImageOptions):
    """What a build alone is told of the image."""

    health_check: Annotated[
        bool, option("--no-health-check", panel=_IMAGE, help="Don't try the image out at the end."), Means(False)
    ] = False
    preflight: Annotated[
        str | None,
        option("--preflight", metavar="MODE", panel=_IMAGE, help="Of libraries the base lacks: warn, strict or off."),
    ] = None


def run_environment(texts: Sequence[str] | None, environ: Mapping[str, str]) -> dict[str, str]:
    """``K=V``, or ``K`` alone for the value that it has here (as ``docker run --env``)."""
    from imagekit.errors import InputError

    whole = []
    for text in texts or ():
        if text and "=" not in text and text not in environ:
            raise InputError(f"--env {text!r}: no such variable here", hint=f"write --env {text}=VALUE")
        whole.append(text if "=" in text or not text else f"{text}={environ[text]}")
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
