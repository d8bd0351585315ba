"""``imagekit plan``"""

from __future__ import annotations

from pathlib import Path

from imagekit.cli import options
from imagekit.cli.options import examples

EPILOG = examples("imagekit plan", "imagekit plan -r requirements.txt --python 3.13 --json")


def plan(
    path: options.PathArgument = Path(),
    requirements: options.Requirements = None,
    package: options.Packages = None,
    extra: options.Extras = None,
    group: options.Groups = None,
    resolver: options.Resolver = None,
    allow_source_build: options.SourceBuilds = None,
    base_image: options.BaseImage = None,
    python: options.Python = None,
    platform: options.Platform = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the layers that a build would make; build nothing."""
    from imagekit.cli.output import put, put_json, put_table
    from imagekit.cli.session import load_settings, open_pipeline, reporting

    settings = load_settings()
    with reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter:
        pipeline = open_pipeline(settings, reporter)
        spec = pipeline.spec(
            path,
            requirements=requirements or None,
            packages=package or (),
            extras=extra or (),
            groups=group or (),
            resolver=resolver,
            source_builds=allow_source_build or None,
            base_image=base_image,
            python=python,
            platform=platform,
        )
        document = pipeline.plan(spec).to_json()
    if as_json:
        put_json(document)
        return
    from imagekit.oci.digest import short

    base = document["base"]
    put(f"on {base['reference']} (Python {base['python']}), lowest first:")
    rows = []
    for number, layer in enumerate(document["layers"], 1):
        packages = ", ".join(p.replace("==", " ") for p in layer["packages"])
        rows.append([str(number), short(layer["key"]), layer["kind"], packages or layer["title"]])
    put_table(rows, right=(0,))
