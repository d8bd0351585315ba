"""``imagekit preflight``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit preflight",
    "imagekit preflight --package opencv-python --base-image python:3.13-slim",
    "imagekit preflight --strict --json",
)


@with_options
def preflight(
    path: options.PathArgument = Path(),
    *,
    project: options.ProjectOptions,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 where a library is missing, too.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare what packages' compiled files need with what the base has.

    Nothing is built; packages that are not here are fetched. Exit code 1 where something cannot load at all
    (its C library is newer than the base's); missing libraries are warnings, and end with 0 unless --strict is given.
    """
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting

    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        document = pipeline.preflight(pipeline.spec(path, **given(project))).to_json()
    if as_json:
        put_json(document)
    else:
        put_report(document, quiet=quiet)
    if document["counts"]["error"] or (strict and document["counts"]["warning"]):
        raise typer.Exit(1)


def put_report(document: Mapping[str, Any], *, quiet: bool = False) -> None:
    """The findings, a line each with its mend below, from the same JSON that ``--json`` prints."""
    from imagekit.cli.output import one_line, put

    for found in document["findings"]:
        put(one_line(f"{found['severity']}: {found['message']}"))
        if found["hint"] and found["severity"] != "note" and not quiet:
            put(f"  {one_line(found['hint'])}")
    if quiet:
        return
    for package, recipes in document["served"].items():
        put(one_line(f"recipes made for {package}: {', '.join(recipes)} (imagekit recipe show {recipes[0]})"))
    if document["unknown"]:
        put(one_line(f"to be built first, and so not looked at: {', '.join(document['unknown'])}"))
    said = [f"{count} {name}{'s' * (count != 1)}" for name, count in document["counts"].items() if count]
    wheels = document["wheels"]
    looked = f"compiled files of {wheels} package{'s' * (wheels != 1)} on {document['base']} ({document['libc']})"
    put(f"{looked}: {', '.join(said) or 'nothing is missing'}")
