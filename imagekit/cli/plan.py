"""``imagekit plan``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

EPILOG = examples("imagekit plan", "imagekit plan -r requirements.txt --python 3.13 --json")

_WIDTH = 60  # columns for packages


@with_options
def plan(
    path: options.PathArgument = Path(),
    *,
    project: options.ProjectOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the layers that a build would make; build nothing."""
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting

    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        spec = pipeline.spec(path, **given(project))
        pipeline.inputs(spec)  # what cannot be sent is refused before anything is asked of anyone
        # What of it is known without fetching anything.
        found = pipeline.preflight(spec, fetch=False)
        document = {**pipeline.strategy(spec).to_json(), "preflight": found.to_json()}
    if as_json:
        put_json(document)
    else:
        put_plan(document)


def put_plan(document: Mapping[str, Any]) -> None:
    """The layers and why they are where they are: from the same JSON that ``--json`` prints."""
    from imagekit.cli.output import clipped, one_line, put, put_table, size
    from imagekit.cli.why import layer_size

    base = document["base"]
    put(f"on {base['reference']} (Python {base['python']}), lowest first:")
    rows = []
    for number, layer in enumerate(document["layers"], 1):
        packages = ", ".join(p.replace("==", " ") for p in layer["packages"])
        state = "" if layer["cached"] else "make"
        rows.append(
            [str(number), layer_size(layer), state, clipped(packages or layer["title"], _WIDTH), layer["reason"]]
        )
    put_table(rows, right=(0, 1))
    put()
    put(document["strategy"]["summary"])
    put(document["strategy"]["order"])
    if recipes := base.get("recipes"):
        put(f"recipes below: {', '.join(recipes)}")
    if conda := base.get("conda"):
        put(f"conda's packages below: {', '.join(pin.rpartition('=')[0].replace('=', ' ') for pin in conda)}")
    if kept := base.get("kept"):
        put(f"left to the base, which has them: {', '.join(pin.replace('==', ' ') for pin in kept)}")
    for replaced in base.get("replaced") or ():
        why = f": {replaced['why']}" if replaced["why"] else ""
        put(f"{replaced['name']} {replaced['old']} of the base is replaced by {replaced['new']}{why}")
    for found in document["preflight"]["findings"]:
        if found["severity"] != "note":
            hint = f": {found['hint']}" if found["hint"] else ""
            put(one_line(f"{found['severity']}: {found['message']}{hint}"))
    missing = [layer for layer in document["layers"] if not layer["cached"]]
    if missing:
        put(f"to be made: {len(missing)} of {len(rows)}, about {size(sum(layer['size'] for layer in missing))}")
    else:
        put("every layer is in the cache")
