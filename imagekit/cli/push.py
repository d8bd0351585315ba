"""``imagekit push``"""

from __future__ import annotations

from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples("imagekit push registry.example.com/team/orders:v1", "imagekit push localhost:5000/orders:v1 --json")


def push(
    reference: Annotated[str, typer.Argument(metavar="REF", help="An image that the engine holds.")],
    attest: options.Attest = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Push an image, and check that it arrived whole."""
    from imagekit.cli.output import put, put_json
    from imagekit.cli.picture import put_push
    from imagekit.cli.session import load_settings, open_pipeline, reporting, switched
    from imagekit.oci.reference import Reference

    parsed = Reference.parse(reference, target=True)
    settings = switched(load_settings(), attest=attest)
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        result = open_pipeline(settings, reporter).push(str(parsed))
    if as_json:
        put_json(result.to_json())
    elif quiet:
        put(str(result.digest))
    else:
        put_push(result.to_json())
