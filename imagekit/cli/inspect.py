"""``imagekit inspect``"""

from __future__ import annotations

from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples("imagekit inspect orders:v1", "imagekit inspect orders:v1 --json")


def inspect(
    reference: Annotated[str, typer.Argument(metavar="REF", help="An image that the engine holds.")],
    as_json: options.Json = False,
) -> None:
    """Show an image's layers, and the packages in each."""
    from imagekit.cli.output import put, put_json, size
    from imagekit.cli.picture import put_facts, put_layers
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.oci.reference import Reference

    parsed = Reference.parse(reference)
    settings = load_settings()
    with reporting(as_json=as_json) as reporter:
        document = open_pipeline(settings, reporter).inspect(str(parsed)).to_json()
    if as_json:
        put_json(document)
        return
    put_layers(document["layers"], every=True)
    put()
    facts = [("image", str(document["reference"])), ("id", str(document["image_id"]))]
    if document.get("digest"):
        facts.append(("digest", str(document["digest"])))
    facts.extend((name, str(document[name])) for name in ("platform", "user", "workdir") if document.get(name))
    facts.append(("size", size(document["size"])))
    facts.extend((name, str(value)) for name, value in sorted((document.get("labels") or {}).items()))
    put_facts(facts)
