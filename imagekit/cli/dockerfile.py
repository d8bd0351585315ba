"""``imagekit dockerfile``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit dockerfile",
    "imagekit dockerfile -o ../context && docker build ../context",
    "imagekit dockerfile -o ../context --uv-image registry.example.com/uv:0.8",
)


@with_options
def dockerfile(
    path: options.PathArgument = Path(),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write it here, with all that docker build DIR needs."),
    ] = None,
    uv_image: Annotated[
        str | None, typer.Option("--uv-image", metavar="REF", help="Take uv from this image, where it is /uv.")
    ] = None,
    *,
    project: options.ProjectOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Print the Dockerfile that builds the same image by BuildKit."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.oci.reference import Reference
    from imagekit.stages.reference_context import clear_context, write_context
    from imagekit.stages.reference_dockerfile import reference_dockerfile

    if uv_image is not None:
        Reference.parse(uv_image)
    settings = load_settings()
    # The base is read, and nothing is built for a text: no engine is needed where a registry has it.
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        spec = pipeline.spec(path, **given(project))
        if output is None:
            # Nothing is built for a text alone: what is from source has the same place in it.
            plan = pipeline.plan(spec)
            text = reference_dockerfile(plan, uv_image=uv_image, beneath=pipeline.bases.beneath(spec, plan.base))
        else:
            # Where it lies in the project, the last one is no part of the source.
            clear_context(output)
            planned = pipeline.planned(spec)
            beneath = pipeline.bases.beneath(spec, planned.plan.base)
            write_context(output, planned.plan, planned.lock, planned.tree, uv_image=uv_image, beneath=beneath)
            text = (output / "Dockerfile").read_text("utf-8")
    if as_json:
        put_json({"dockerfile": text, "context": None if output is None else str(output)})
    elif output is None:
        put(text.rstrip("\n"))
    elif not quiet:
        put(f"{output / 'Dockerfile'} and its context are written: docker build {output}")
