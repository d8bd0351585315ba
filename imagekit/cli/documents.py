"""What ``sbom`` and ``provenance`` have in common: whose document it is, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli.option_sets import given, spelling

if TYPE_CHECKING:
    from imagekit.cli.options import ProjectOptions
    from imagekit.pipeline import Pipeline

Target = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE|PATH",
        help="An image of the engine or of a registry, oci:DIR[:NAME], or a project's directory.",
        show_default=False,
    ),
]
File = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it (stdout).")]


def document_about(pipeline: Pipeline, target: str, kind: str, project: ProjectOptions) -> bytes:
    """The document of ``kind`` about the image or the project that ``target`` names."""
    from imagekit.errors import InputError
    from imagekit.oci.platform import Platform

    asked = given(project)
    platform = asked.get("platform")
    if is_project(target):
        spec = pipeline.spec(Path(target), **asked)
        return pipeline.project_document(spec, kind)
    others = sorted(set(asked) - {"platform"})
    if others:
        raise InputError(
            f"{spelling(type(project), others[0])} goes with a project, and {target} is an image",
            hint="name the project's directory, or leave the option out",
        )
    return pipeline.image_document(target, kind, Platform.parse(platform) if platform else Platform.host())


def is_project(target: str) -> bool:
    """Whether ``target`` is a directory of this machine, and no image's name."""
    return target in ("", ".") or target.startswith(("/", "./", "../", "~")) or Path(target).is_dir()


def put_document(
    data: bytes, file: Path | None, said: Callable[[], str], *, quiet: bool, as_json: bool, option: str = "--output"
) -> None:
    """Print ``data``, or write it to ``file``, which ``option`` names, and say what it is."""
    from imagekit.atomic import followed, write_as_named
    from imagekit.cli.output import put, put_json
    from imagekit.errors import InputError

    if file is None or file == Path("-"):
        put(data.decode().rstrip("\n"))
        return
    place = followed(file)
    if not place.parent.is_dir():
        raise InputError(
            f"{file} cannot be written: {place.parent} is no directory", hint=f"{option} names another place"
        )
    try:
        write_as_named(place, data, mode=0o644)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", hint=f"{option} names another place") from error
    if as_json:
        put_json({"written": str(file), "bytes": len(data)})
    elif not quiet:
        put(f"{file}: {said()}")
