"""``imagekit verify``"""

from __future__ import annotations

from pathlib import Path

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples("imagekit verify", "imagekit verify -r requirements.txt --json")


@with_options
def verify(
    path: options.PathArgument = Path(),
    *,
    project: options.ProjectOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make the image again elsewhere, and as an installer would; report what differs.

    Exit code 6 where something does.
    """
    from imagekit.cli.output import one_line, put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import CheckFailed
    from imagekit.oci.digest import short
    from imagekit.verifying.verification import verify as verified

    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        pipeline = open_pipeline(settings, reporter)
        spec = pipeline.spec(path, **given(project))
        found = verified(pipeline, spec, settings)
    if as_json:
        put_json(found.to_json())
    else:
        for difference in found.differences:
            put(one_line(str(difference)))
        if not quiet:
            for words in found.not_done:
                put(f"not done: {words}")
            if found.comparison is not None:
                put(f"compared {found.comparison.files} paths with the image that uv installs; meant to differ:")
                for meant, count in found.comparison.documented:
                    put(f"  {str(count).rjust(6)}  {meant.name}: {meant.reason}")
                put("  every file's time: imagekit's are the same on any day")
            end = "nothing differs" if found.ok else f"{len(found.differences)} differences"
            put(f"{found.layers} layers, made twice: {end} ({short(found.digest)})")
    if not found.ok:
        raise typer.Exit(CheckFailed.exit_code)
