"""``imagekit matrix``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.matrix.base_image_matrix import BaseImageMatrix
    from imagekit.matrix.results import MatrixResult

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
    epilog=examples("imagekit matrix plan", "imagekit matrix plan --select '*-python3.14-*'"),
)
def plan(
    matrix: _Matrix = "prefect",
    select: _Select = None,
    jobs: _Jobs = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Resolve every cell, and say which can be had, and why others cannot; nothing is built."""
    from imagekit.cli.output import put_json, put_table
    from imagekit.cli.session import load_settings, reporting

    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        planned = found.plan(select=select or (), jobs=jobs, settings=load_settings(), reporter=reporter)
    if as_json:
        put_json(planned.to_json())
        return
    put_table(
        [
            [each.cell.label, each.state, f"{len(each.packages)} packages" if not each.reason else each.reason]
            for each in planned.cells
        ]
    )


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit matrix build",
        "imagekit matrix build --select '3.8.8-python3.13-*' --jobs 4",
        "imagekit matrix build my-matrix.toml --push",
    ),
)
def build(
    matrix: _Matrix = "prefect",
    select: _Select = None,
    push: Annotated[bool, typer.Option("--push", help="Push every image under all of its tags.")] = False,
    jobs: _Jobs = 2,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Build every cell that can be had, and name it; one that fails stops no other."""
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, reporting

    found = _load(matrix)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        result = found.build(select=select or (), push=push, jobs=jobs, settings=load_settings(), reporter=reporter)
    if as_json:
        put_json(result.to_json())
    else:
        _show(result)
    if result.failed:
        raise typer.Exit(5)


def _load(matrix: str) -> BaseImageMatrix:
    from imagekit.matrix.base_image_matrix import BaseImageMatrix
    from imagekit.matrix.provided import matrix_file

    return BaseImageMatrix.load(matrix_file(matrix))


def _show(result: MatrixResult) -> None:
    from imagekit.cli.output import put_table, seconds

    rows = []
    for each in result.cells:
        if each.error is not None:
            more = each.error[0]
        elif each.result is None:
            more = each.plan.reason or "no tag names it"
        else:
            more = f"{seconds(each.result['seconds'])}  {', '.join(each.plan.tags)}"
        rows.append([each.plan.cell.label, each.state, more])
    put_table(rows)
