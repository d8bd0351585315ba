"""``imagekit matrix``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.matrix.base_image_matrix import BaseImageMatrix

app = typer.Typer(
    help="Base images as a matrix: Python, framework version, flavor.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

_Matrix = Annotated[
    str, typer.Argument(metavar="MATRIX", help="prefect or python, which are provided, or a file.", show_default=True)
]
_Select = Annotated[
    list[str] | None,
    typer.Option("--select", "-s", metavar="PATTERN", help="Cells by their labels: '*-python3.11-*'."),
]
_Output = Annotated[
    str, typer.Option("--output", metavar="WHERE", help="engine, registry or oci:DIR; only engine needs one.")
]
_Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="OS/ARCH", help="Instead of the file's; several with commas, for no engine."),
]
_Jobs = Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="How many work at once.")]


@app.command("ls", cls=Command, epilog=examples("imagekit matrix ls", "imagekit matrix ls my-matrix.toml --json"))
def list_cells(matrix: _Matrix = "prefect", as_json: options.Json = False) -> None:
    """List the cells that the file declares; nothing is resolved."""
    from imagekit.cli.output import put_json, put_table

    found = _load(matrix)
    if as_json:
        excluded = [{**each.cell.to_json(), "reason": each.reason} for each in found.excluded()]
        cells = [cell.to_json() for cell in found.cells()]
        put_json({"name": found.table.name, "cells": cells, "excluded": excluded})
        return
    rows = [[cell.label, ""] for cell in found.cells()]
    put_table([*rows, *([each.cell.label, f"excluded: {each.reason}"] for each in found.excluded())])


@app.command(cls=Command, epilog=examples("imagekit matrix tags", "imagekit matrix tags python --json"))
def tags(matrix: _Matrix = "prefect", as_json: options.Json = False) -> None:
    """Show which tags each cell gets if all can be had; nothing is resolved."""
    from imagekit.cli.output import put_json, put_table

    found = _load(matrix)
    named = found.tags()
    if as_json:
        cells = {cell.label: list(names) for cell, names in named.items()}
        put_json({"name": found.table.name, "tags": cells})
        return
    put_table([[cell.label, ", ".join(names) or "none"] for cell, names in named.items()])


@app.command(
    cls=Command,
    epilog=examples("imagekit matrix plan --select '*-python3.11-*'", "imagekit matrix plan my-matrix.toml"),
)
def plan(
    matrix: _Matrix = "prefect",
    select: _Select = None,
    output: _Output = "engine",
    platform: _Platform = None,
    jobs: _Jobs = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Resolve the cells, and say which can be had, and why others cannot; nothing is built."""
    from imagekit.cli.matrix_picture import show_plan
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, reporting

    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        planned = found.plan(
            select=select or (),
            output=output,
            platform=_platforms(platform),
            jobs=jobs,
            settings=load_settings(),
            reporter=reporter,
        )
    if as_json:
        put_json(planned.to_json())
    else:
        show_plan(planned)


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit matrix build my-matrix.toml",
        "imagekit matrix build --select '*-python3.13-core' --jobs 4",
        "imagekit matrix build my-matrix.toml --push",
        "imagekit matrix build my-matrix.toml --output registry --platform linux/amd64,linux/arm64",
    ),
)
def build(
    matrix: _Matrix = "prefect",
    select: _Select = None,
    push: Annotated[bool, typer.Option("--push", help="Push every image under all of its tags.")] = False,
    output: _Output = "engine",
    platform: _Platform = None,
    jobs: _Jobs = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Build every cell that can be had, and name it; one that fails stops no other."""
    from imagekit.cli.matrix_picture import show_result
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, reporting

    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        result = found.build(
            select=select or (),
            push=push,
            output=output,
            platform=_platforms(platform),
            jobs=jobs,
            settings=load_settings(),
            reporter=reporter,
        )
    if as_json:
        put_json(result.to_json())
    else:
        show_result(result)
    if result.failed:
        raise typer.Exit(5)


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit matrix bake my-matrix.toml --output images && (cd images && docker buildx bake)",
        "imagekit matrix bake my-matrix.toml -o images --uv-image registry.example.com/uv:0.8",
    ),
)
def bake(
    matrix: _Matrix = "prefect",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Write docker-bake.hcl and the contexts here.")
    ] = Path("bake"),
    select: _Select = None,
    uv_image: Annotated[
        str | None, typer.Option("--uv-image", metavar="REF", help="Take uv from this image, where it is /uv.")
    ] = None,
    jobs: _Jobs = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a bake file of the cells, for a builder of your own: docker buildx bake."""
    from imagekit.cli.matrix_picture import show_bake
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, reporting
    from imagekit.oci.reference import Reference

    if uv_image is not None:
        Reference.parse(uv_image)
    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        result = found.bake(
            output,
            select=select or (),
            uv_image=uv_image,
            jobs=jobs,
            settings=load_settings(),
            reporter=reporter,
        )
    if as_json:
        put_json(result.to_json())
    else:
        show_bake(result, quiet=quiet)
    if result.failed:
        raise typer.Exit(5)


@app.command(cls=Command, epilog=examples("imagekit matrix pin my-matrix.toml"))
def pin(
    matrix: Annotated[str, typer.Argument(metavar="FILE", help="The matrix's file.", show_default=False)],
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write into the file which images its bases are: the digests that their tags name now."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, reporting

    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        pins, is_new = found.pin(settings=load_settings(), reporter=reporter)
    if as_json:
        put_json({"file": str(found.path), "digests": dict(pins), "changed": is_new})
    elif not quiet:
        put(f"{found.path}: {len(pins)} bases are pinned" if is_new else f"{found.path} has these pins already")


def _platforms(text: str | None) -> list[str]:
    return text.split(",") if text is not None else []


def _load(matrix: str) -> BaseImageMatrix:
    from imagekit.matrix.base_image_matrix import BaseImageMatrix
    from imagekit.matrix.provided import matrix_file

    return BaseImageMatrix.load(matrix_file(matrix))
