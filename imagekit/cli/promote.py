"""``imagekit promote``"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.oci.reference import Reference
    from imagekit.settings import Settings

EPILOG = examples(
    "imagekit promote imagekit-run-etl-1a2b3c",
    "imagekit promote imagekit-run-etl-1a2b3c --write && imagekit build",
    "imagekit promote imagekit/extras:3eb25d5f7cc97e3d914ed3f49338bca8 --tag orders:v2",
)


def promote(
    what: Annotated[str, typer.Argument(metavar="RUN|IMAGE", help="A run that had extra packages, or its image.")],
    tag: Annotated[
        str | None, typer.Option("--tag", "-t", metavar="REF", help="Name an image REF that has them as its own.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Add the lines to the project's requirements.txt or pyproject.toml.")
    ] = False,
    pin: Annotated[bool, typer.Option("--pin", help="At the versions that the run had, and not as asked for.")] = False,
    project: Annotated[
        Path, typer.Option("--project", metavar="PATH", help="The project's directory.", show_default=False)
    ] = Path(),
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Bake what EXTRA_PIP_PACKAGES added to an image.

    Prints the requirement lines. With --write they go into the project, and the next build has them;
    with --tag the image that the run had gets a name, and nothing is built.
    """
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.extras.promote import bake, extra_of, write_lines

    target = _target(tag)
    settings = load_settings()
    image, recorded = _image_of(what, settings)
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter) as made,
    ):
        extra = extra_of(made, image, recorded)
        lines = extra.pins if pin else extra.requirements
        tagged = None
        if target is not None:
            tagged = {"reference": str(target), "image_id": bake(made, extra, str(target))}
        written = write_lines(project, lines) if write else None
    if as_json:
        put_json(
            {
                "image_id": extra.image_id,
                "requirements": list(lines),
                "packages": list(extra.packages),
                "written": written.to_json() if written is not None else None,
                "tagged": tagged,
            }
        )
        return
    for line in lines:
        put(line)
    if quiet:
        return
    if written is not None:
        for line in written.added:
            put(f"{written.path}: {line} added", stream=sys.stderr)
        for line in written.there:
            put(f"{written.path}: {line} is there, and left as it is", stream=sys.stderr)
    if tagged is not None:
        put(f"{target} has them", stream=sys.stderr)


def _target(tag: str | None) -> Reference | None:
    if tag is None:
        return None
    from imagekit.oci.reference import Reference

    parsed = Reference.parse(tag)
    return parsed if parsed.tag else parsed.with_tag("latest")


def _image_of(what: str, settings: Settings) -> tuple[str, Mapping[str, Any] | None]:
    """The image that a run had, and what its record says of extras; else ``what``, where no such run is recorded."""
    from imagekit.comparing.sides import run_named
    from imagekit.errors import InputError
    from imagekit.spec.extra_packages import VARIABLE
    from imagekit.store.store import Store

    with Store.open(settings.state_dir) as store:
        run = run_named(what, store)
    if run is None:
        return what, None
    if not run.record.extras:
        raise InputError(
            f"the run {run.record.name} had no extra packages",
            hint=f"name one whose environment had {VARIABLE}: imagekit flow-run ls",
        )
    image = (run.end.image_id if run.end else None) or run.record.image_id
    return image or run.record.reference, run.record.extras
