"""``imagekit sbom``"""

from __future__ import annotations

from typing import Annotated

import typer

from imagekit.cli import options
from imagekit.cli.documents import File, Target
from imagekit.cli.option_sets import with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit sbom                                        # of the project here",
    "imagekit sbom orders:v1 --output orders.cdx.json",
    "imagekit sbom registry.example.com/team/orders:v1 --format spdx",
    "imagekit sbom oci:images:orders:v1",
)


@with_options
def sbom(
    target: Target = ".",
    *,
    project: options.ProjectOptions,
    kind: Annotated[
        str, typer.Option("--format", metavar="NAME", help="cyclonedx (1.6) or spdx (2.3); JSON.")
    ] = "cyclonedx",
    output: File = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """List what an image has installed, as CycloneDX or SPDX.

    Python's packages, the system's, Python itself.
    What is attached to the image in its registry or layout is read back; else its layers are read, and nothing runs.
    """
    from imagekit.cli.documents import document_about, put_document
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError
    from imagekit.nearest import nearest_hint

    known = ("cyclonedx", "spdx")
    if kind not in known:
        raise InputError(f"--format {kind!r} is unknown", hint=nearest_hint(kind, known))
    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        data = document_about(pipeline, target, kind, project)
    put_document(data, output, lambda: _counted(data, kind), quiet=quiet, as_json=as_json)


def _counted(data: bytes, kind: str) -> str:
    import json

    document = json.loads(data)
    if kind == "spdx":
        purls = [ref["referenceLocator"] for p in document["packages"] for ref in p.get("externalRefs") or ()]
    else:
        purls = [str(component.get("purl", "")) for component in document.get("components") or ()]
    count = {name: sum(purl.startswith(f"pkg:{name}/") for purl in purls) for name in ("pypi", "deb")}
    return f"{count['pypi']} Python package{'s' * (count['pypi'] != 1)}, {count['deb']} of the system"
