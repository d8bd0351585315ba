"""``imagekit inspect``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit inspect orders:v1", "imagekit inspect orders:v1 --json", "imagekit inspect orders:v1 --html orders.html"
)


def inspect(
    reference: Annotated[str, typer.Argument(metavar="REF", help="An image that the engine holds.")],
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="A page of it: its layers as a map, packages, base, labels."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show an image's layers, and the packages in each."""
    from imagekit.cli.documents import put_document
    from imagekit.cli.output import put, put_json, size
    from imagekit.cli.picture import put_facts, put_layers
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError
    from imagekit.oci.reference import Reference

    if as_json and page == Path("-"):
        raise InputError("--html - and --json both print on stdout", hint="name a file: --html FILE")
    parsed = Reference.parse(reference)
    settings = load_settings()
    with reporting(as_json=as_json) as reporter:
        document = open_pipeline(settings, reporter).inspect(str(parsed)).to_json()
    if page is not None:
        from imagekit.report.image_page import image_page
        from imagekit.report.page import html
        from imagekit.report.picture import pictured

        shown = image_page(pictured(document))
        data = html(shown).encode()
        put_document(data, page, lambda: shown.lead[0], quiet=as_json, as_json=False, option="--html")
        if not as_json:
            return
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
