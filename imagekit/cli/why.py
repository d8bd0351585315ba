"""``imagekit why``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples, name_and_tag

EPILOG = examples(
    "imagekit why", "imagekit why --since orders:v1", "imagekit why -t registry.example.com/orders:v2 --json"
)
_MOST = 8  # names on one line
_MOST_ROWS = 40


@with_options
def why(
    path: options.PathArgument = Path(),
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="REF", help="The image to compare with; by default the one built before."),
    ] = None,
    tag: options.Tag = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The image's name.")] = None,
    *,
    image: options.ImageOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say what changed since the last image, and what that rebuilds; build nothing.

    Give it the options of the build that it is to foretell. Without --since the image is compared with the one of its
    name and tag, or else with the one of its name that was built last.
    """
    from imagekit.cli.output import put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.oci.reference import Reference

    wanted_name, wanted_tag = name_and_tag(tag, name)
    before = Reference.parse(since) if since is not None else None
    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        spec = pipeline.spec(path, **given(image))
        document = pipeline.why(spec, pipeline.reference(spec, wanted_name, wanted_tag), since=before).to_json()
    if as_json:
        put_json(document)
    else:
        put_why(document)


def put_why(document: Mapping[str, Any]) -> None:
    """What changed, what is made, what is sent: from the same JSON that ``--json`` prints."""
    from imagekit.cli.output import put, put_table
    from imagekit.cli.picture import put_facts

    since = document["since"]
    if since is None:
        put(f"{document['reference']}: the first build, {_count(document['layers'], 'layer')} on the base")
        put("  no image of that name is here to be compared with; --since REF names another")
    elif document["up_to_date"]:
        same = since["reference"] == document["reference"]
        put(f"{document['reference']} is as {'it was built' if same else since['reference']}: nothing to rebuild")
        return
    else:
        put(f"{document['reference']}, compared with {since['reference']}")
        put()
        rows = _inputs(document)
        put_table(rows[:_MOST_ROWS] or [["no input changed; the image would be another all the same"]])
        if len(rows) > _MOST_ROWS:
            put(f"and {len(rows) - _MOST_ROWS} more: --json has all")
        put()
        if not (document["made"] or document["unpacked"] or document["removed"]):
            put("no layer is another one: only the image's configuration changes")
        put_table(
            [
                ["" if layer["cached"] else "make", layer_size(layer), _content(layer), layer["reason"]]
                for layer in document["made"]
            ],
            right=(1,),
        )
        put()
    facts = []
    if since is not None:
        facts.append(("layers", f"{len(document['made'])} of {document['layers']} are other ones"))
    if document["unpacked"]:
        again = _count(len(document["unpacked"]), "layer")
        facts.append(("", f"{again} on other ones now: unpacked again in the engine, not made again"))
    if document["uncached"] and since is not None:
        facts.append(("", f"{_count(len(document['uncached']), 'layer')} made again: no longer in the layer cache"))
    if document["removed"]:
        facts.append(("removed", _some(document["removed"])))
    load, push = document["load"], document["push"]
    facts.append(("load", f"{_sent(load)} into the engine"))
    facts.append(("push", f"{_sent(push)} to {push['to']}{_KNOWN[push['known']]}"))
    put_facts(facts)


_KNOWN = {
    "asked": "",
    "pushed": "",
    "since": ", if it has the image compared with",
    "nothing": ", if it has none of them",
}


def _inputs(document: Mapping[str, Any]) -> list[list[str]]:
    from imagekit.cli.output import one_line

    rows = []
    for change in document["inputs"]:
        if change["input"] == "source" and document["source"] is not None:
            told = [f"{_some(names)} {word}" for word, names in document["source"].items() if names]
            rows.append(["source", "; ".join(told) or "changed"])
            continue
        shown = _moved(change)
        title = change["name"] if change["input"] == "requirements" else _TITLES.get(change["input"], change["input"])
        named = change["input"] in ("requirements", "base", "python", "source")
        rows.append([one_line(text) for text in (title, shown if named else f"{change['name']} {shown}")])
    return rows


_TITLES = {"lock": "package"}


def _moved(change: Mapping[str, Any]) -> str:
    before, after = change["before"], change["after"]
    if before is None and after is None:
        return str(change["change"])
    if before is None or after is None:
        return f"{after or before} {change['change']}"
    return f"{before} → {after}"


def layer_size(layer: Mapping[str, Any]) -> str:
    """A planned layer's size; what is no measurement is marked."""
    from imagekit.cli.output import size

    if layer["cached"]:
        return size(layer["size"])
    return f"~{size(layer['size'])}" if layer["size"] else "?"


def _sent(transfer: Mapping[str, Any]) -> str:
    from imagekit.cli.output import size

    if not transfer["layers"]:
        return "no layer"
    about = "" if transfer["is_measured"] else "about "
    return f"{about}{size(transfer['bytes'])} in {_count(transfer['layers'], 'layer')}"


def _content(layer: Mapping[str, Any]) -> str:
    return str(layer["title"]).replace("==", " ")


def _some(names: Sequence[str]) -> str:
    from imagekit.cli.output import one_line

    names = [one_line(name.replace("==", " ")) for name in names]
    rest = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {rest} more" if rest > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
