"""Pictures of what was built: from the same JSON that ``--json`` prints."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from imagekit.cli.output import clipped, put, put_json, put_table, seconds, size, styled

_BELOW_TABLE = 12  # lines that a terminal also has to show: the summary and the prompt
_FEWEST_ROWS = 5


def put_build(result: Mapping[str, Any]) -> None:
    """A build: new layers, cached ones folded, then what came of it and what to do next."""
    layers = result["layers"]
    put_layers([x for x in layers if not x.get("cached")], mark="new")
    cached = [x for x in layers if x.get("cached")]
    if cached:
        put(_dim(f"{_count(cached, 'cached layer')}, {size(sum(x['size'] for x in cached))}"))
    put()
    facts = [("image", styled(str(result["reference"]), "1", sys.stdout)), ("id", str(result["image_id"]))]
    if result.get("digest") and result["digest"] != result["image_id"]:
        facts.append(("digest", str(result["digest"])))
    if result.get("base"):
        facts.append(("base", _named(result["base"])))
    facts.append(("size", f"{size(sum(x['size'] for x in layers))} in {_count(layers, 'layer')} on the base"))
    sent = f", {size(result['sent'])} sent to the engine" if result.get("sent") else ""
    took = "nothing to do" if result.get("up_to_date") else seconds(result["seconds"])
    facts += [("written", f"{each['output']}: {each['digest']}") for each in result.get("written") or ()]
    facts.append(("took", f"{took}{sent}"))
    put_facts(facts)
    if result.get("next"):
        put()
        put(_dim(f"next: {result['next']}"))


def put_push(result: Mapping[str, Any]) -> None:
    """What a push did."""
    put(f"pushed {result['reference']} in {seconds(result['seconds'])}")
    put_facts([("digest", str(result["digest"]))])


def show_written(result: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    """An image that was written to registries, layouts and archives."""
    if as_json:
        return put_json(result)
    if quiet:
        return put(str(result["reference"]))
    for image in result["images"]:
        layers = image["layers"]
        put_layers([x for x in layers if not x["cached"]], mark="new")
        cached = [x for x in layers if x["cached"]]
        if cached:
            put(_dim(f"{_count(cached, 'cached layer')}, {size(sum(x['size'] for x in cached))}"))
        put()
    facts = [("image", styled(str(result["reference"]), "1", sys.stdout))]
    for image in result["images"]:
        facts.append((image["platform"].partition("/")[2], f"{image['digest']} on {image['base']}"))
    for each in result["written"]:
        sent = f", {size(each['sent'])} sent" if each.get("sent") is not None else ""
        facts.append(("written", f"{each['output']}: {each['digest']}{sent}"))
    put_facts([*facts, ("took", seconds(result["seconds"]))])
    return None


def put_layers(layers: Sequence[Mapping[str, Any]], *, mark: str = "", every: bool = False) -> None:
    """One row a layer; on a terminal no more than fit, the largest first to be kept."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    columns, lines = shutil.get_terminal_size()
    room = max(lines - _BELOW_TABLE, _FEWEST_ROWS) if terminal and not every else len(layers)
    shown = list(layers)
    if len(layers) > room:
        kept = sorted(range(len(layers)), key=lambda n: -layers[n]["size"])[: room - 1]
        shown = [layers[n] for n in sorted(kept)]
    width = max(columns - 18, 30) if terminal else 10_000
    put_table([[size(x["size"]), mark, clipped(_content(x), width)] for x in shown], right=(0,))
    rest = len(layers) - len(shown)
    if rest:
        small = sum(x["size"] for x in layers) - sum(x["size"] for x in shown)
        put(_dim(f"and {rest} smaller ones, {size(small)} together"))


def put_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        put(f"  {_dim(name.ljust(width))}  {value}")


def _content(layer: Mapping[str, Any]) -> str:
    packages = [str(p).replace("==", " ") for p in layer.get("packages") or ()]
    title = str(layer.get("title") or "")
    if not packages:
        return title or "(base)"
    if len(packages) == 1:
        return packages[0]
    return f"{len(packages)} packages: {', '.join(packages)}"


def _named(base: Any) -> str:
    return str(base.get("reference", base)) if isinstance(base, Mapping) else str(base)


def _count(things: Sequence[Any], word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def _dim(text: str) -> str:
    return styled(text, "2", sys.stdout)
