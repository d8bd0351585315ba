"""``imagekit bench``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagekit.cli import options
from imagekit.cli.commands import Command
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.report.results import Results

app = typer.Typer(
    help="Results of the benchmarks as a page with plots.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)
_KEPT = Path("benchmarks", "results")


@app.callback()
def _group() -> None:
    pass


@app.command(
    cls=Command,
    epilog=examples(
        "imagekit bench report",
        "imagekit bench report benchmarks/results/reference.json -o kept.html",
    ),
)
def report(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RESULTS.json...",
            help="What python -m benchmarks wrote; by default all of benchmarks/results.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the page; - prints it.")
    ] = Path("benchmarks.html"),
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a page of what was measured: ratios, targets, cold starts, growth, layers.

    One HTML file that needs nothing beside itself. Of a case in several results the one measured last is shown.
    """
    from imagekit.cli.documents import put_document
    from imagekit.errors import InputError
    from imagekit.report.bench_page import bench_page
    from imagekit.report.page import html

    paths = list(results or sorted(_KEPT.glob("*.json")))
    if not paths:
        raise InputError(
            f"there are no results in {_KEPT}", hint="measure first: make bench; or name a file of results"
        )
    runs = _read(paths)
    rows = sum(len(case.rows) for run in runs for case in run.cases)
    said = f"{rows} row{'' if rows == 1 else 's'} of {', '.join(str(path) for path in paths)}"
    put_document(html(bench_page(runs)).encode(), output, lambda: said, quiet=quiet, as_json=as_json)


def _read(paths: Sequence[Path]) -> list[Results]:
    """All of the files; what is wrong with any of them is told at once."""
    from imagekit.errors import InputError
    from imagekit.report.results import read_results

    found, wrong = [], []
    for path in paths:
        try:
            found.append(read_results(path.read_text("utf-8"), str(path)))
        except OSError as error:
            wrong.append(InputError(f"{path} cannot be read: {error.strerror}", hint="name a file of results"))
        except UnicodeDecodeError:
            wrong.append(InputError(f"{path} is no text in UTF-8", hint="name a file that python -m benchmarks wrote"))
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise InputError.join(wrong)
    return found
