"""``imagekit diff``"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.plan.changes import InputChange

EPILOG = examples("imagekit diff 3f2a 9c01", "imagekit diff orders:v1 orders:v2", "imagekit diff 3f2a orders:v2 --json")
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"added": "32", "removed": "31", "changed": "33"}
_MOST = 40  # of one kind; --json has all


def diff(
    before: Annotated[str, typer.Argument(metavar="RUN|IMAGE", help="A run's ID or name, or an image.")],
    after: Annotated[str, typer.Argument(metavar="RUN|IMAGE", help="The other one.")],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where anything is different.")] = False,
    as_json: options.Json = False,
) -> None:
    """Say what is different between two runs, or two images.

    Python, packages, the base, the source and its commit, settings and variables (by name) of the images; of runs
    also parameters, settings, how they ended and what they used.
    """
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.comparing.difference import difference
    from imagekit.comparing.sides import find_side, run_named
    from imagekit.store.store import Store

    settings = load_settings()
    with reporting(as_json=as_json) as reporter, Store.open(settings.state_dir) as store:
        for name in (before, after):
            run_named(name, store)
        pipeline = open_pipeline(settings, reporter)
        sides = [
            find_side(name, store=store, engine=lambda: pipeline.engine, cache=settings.cache_dir, reporter=reporter)
            for name in (before, after)
        ]
    found = difference(*sides)
    if as_json:
        put_json(found.to_json())
    else:
        _show(found.to_json(), found.changes)
    if exit_code and not found.same:
        raise typer.Exit(1)


def _show(document: Mapping[str, Any], changes: tuple[InputChange, ...]) -> None:
    from imagekit.cli.output import one_line, put, styled

    names = [_named(document[side]) for side in ("before", "after")]
    put(f"{names[0]} → {names[1]}")
    kinds = list(dict.fromkeys(change.input for change in changes))
    for kind in kinds:
        of_kind = [change for change in changes if change.input == kind]
        put()
        put(styled(_TITLES.get(kind, kind), "1", sys.stdout))
        for change in of_kind[:_MOST]:
            sign = styled(_SIGNS[change.change], _STYLES[change.change], sys.stdout)
            put(f"  {sign} {one_line(_told(change))}")
        if len(of_kind) > _MOST:
            put(f"  and {len(of_kind) - _MOST} more: --json has all")
    if not kinds:
        put("nothing is different" + (" that could be compared" if document["unknown"] else ""))
    _show_resources(document["resources"])
    if document["unknown"]:
        put()
        for text in document["unknown"]:
            put(f"not compared: {one_line(text)}")


_TITLES = {
    "package": "packages",
    "system": "system packages",
    "file": "files of the source",
    "variable": "variables of the image",
    "setting": "settings of the image",
    "parameter": "parameters",
    "run setting": "settings of the run",
    "run source": "source of the run",
    "environment": "variables of the run",
    "extra": "extra packages",
}


def _named(side: Mapping[str, Any]) -> str:
    if side["run"] is None:
        return str(side["name"])
    return f"{side['name']} ({side['state']}, {side['reference']})"


def _told(change: InputChange) -> str:
    name = "" if change.name == change.input else f"{change.name} "
    if change.before is not None and change.after is not None:
        return f"{name}{change.before} → {change.after}"
    return f"{name}{change.before or change.after or ''}".rstrip()


def _show_resources(resources: Mapping[str, list[float | None]]) -> None:
    from imagekit.cli.output import put, put_table, seconds, size

    writers = {"seconds": ("took", seconds), "cpu_seconds": ("cpu", seconds), "peak_memory": ("memory", size)}
    rows = []
    for name, (one, other) in resources.items():
        title, written = writers[name]
        if one is not None or other is not None:
            rows.append([f"  {title}", *(written(v) if v is not None else "not known" for v in (one, other))])
    if rows:
        put()
        put_table(rows)
