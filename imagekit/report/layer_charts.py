"""Charts of layers, as ``charts`` has them: treemaps (specifications of Vega), and strips of Vega-Lite. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.report.charts import SIZE, WIDER, Spec, axis, lite

_VEGA = "https://vega.github.io/schema/vega/v6.json"
_SCALE = 34  # beside a strip, for its bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One rectangle of a treemap: ``size`` says how large, ``group`` what it lies beside; ``colour`` as of a bar."""

    label: str
    text: str
    size: float
    colour: str
    group: str


def treemap(tiles: Sequence[Tile], width: int, height: int) -> Spec:
    """Rectangles as large as what they stand for, those of a group side by side; words where there is room."""
    groups = list(dict.fromkeys(tile.group for tile in tiles))
    values: list[dict[str, Any]] = [{"id": "root", "parent": None}]
    values += [{"id": f"group {n}", "parent": "root"} for n in range(len(groups))]
    values += [
        {
            "id": f"tile {n}",
            "parent": f"group {groups.index(tile.group)}",
            "size": tile.size,
            "label": tile.label,
            "text": tile.text,
            "colour": f"var(--{tile.colour})",
        }
        for n, tile in enumerate(tiles)
    ]
    layout = {
        "type": "treemap",
        "field": "size",
        "sort": {"field": "value", "order": "descending"},
        "round": True,
        "method": "squarify",
        "paddingInner": 1,
        "size": [{"signal": "width"}, {"signal": "height"}],
    }
    has_room = f"datum.x1 - datum.x0 > 34 && datum.y1 - datum.y0 > {SIZE + 5}"
    has_two = f"datum.x1 - datum.x0 > 48 && datum.y1 - datum.y0 > {2 * SIZE + 10}"

    def text(shown: str, offset: int, colour: str) -> dict[str, Any]:
        enter = {
            "x": {"field": "x0", "offset": 4},
            "y": {"field": "y0", "offset": offset},
            "baseline": {"value": "top"},
            "text": {"signal": shown},
            "limit": {"signal": f"(datum.x1 - datum.x0 - 7) / {WIDER}"},
            "fill": {"value": f"var(--{colour})"},
            "font": {"value": "sans-serif"},
            "fontSize": {"value": SIZE - 1},
        }
        return {"type": "text", "aria": False, "from": {"data": "leaves"}, "encode": {"enter": enter}}

    rectangle = {
        "x": {"field": "x0"},
        "x2": {"field": "x1"},
        "y": {"field": "y0"},
        "y2": {"field": "y1"},
        "fill": {"field": "colour"},
        "description": {"signal": "datum.label + ', ' + datum.text"},
    }
    return {
        "$schema": _VEGA,
        "width": width,
        "height": height,
        "padding": 0,
        "data": [
            {
                "name": "tree",
                "values": values,
                "transform": [{"type": "stratify", "key": "id", "parentKey": "parent"}, layout],
            },
            {"name": "leaves", "source": "tree", "transform": [{"type": "filter", "expr": "isValid(datum.size)"}]},
        ],
        "marks": [
            {"type": "rect", "from": {"data": "leaves"}, "encode": {"enter": rectangle}},
            text(f"{has_room} ? datum.label : ''", 4, "ink"),
            text(f"{has_two} ? datum.text : ''", SIZE + 6, "ink"),
        ],
    }


def strips(images: Mapping[str, Sequence[tuple[str, float]]], colours: Mapping[str, str], width: int) -> Spec:
    """A strip for each image, one below the other, with a bar for each layer: what becomes of it, and bytes.

    The lowest layer is at the left, bytes are on a logarithmic axis, and all strips have the same axes. ``colours`` are
    by what becomes of layers.
    """
    rows = [
        {"image": image, "place": n + 1, "size": max(size, 1), "what": what}
        for image, layers in images.items()
        for n, (what, size) in enumerate(layers)
    ]
    most = max(map(len, images.values()), default=1)
    gap = 1 if width / max(most, 1) > 4 else 0
    # A chart of several has no width but those of its parts: what stands beside them is as wide as it is told here.
    scale = {"minExtent": _SCALE, "maxExtent": _SCALE, "title": None, "format": "~s"}
    header = {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelAngle": 0, "labelAlign": "left"}
    encoding = {
        "x": {
            "field": "place",
            "type": "ordinal",
            "axis": {**axis(4, grid=False), "labels": False, "ticks": False, "title": "layers, the lowest at the left"},
            "scale": {"domain": list(range(1, most + 1)), "paddingInner": 0.2 * gap, "paddingOuter": 0},
        },
        "y": {
            "field": "size",
            "type": "quantitative",
            "scale": {"type": "log", "domainMin": 1},
            "axis": {**axis(5, grid=True), **scale, "values": [10**n for n in range(0, 13, 3)]},
        },
        "y2": {"datum": 1},
        "color": {
            "field": "what",
            "type": "nominal",
            "legend": None,
            "scale": {"domain": list(colours), "range": [f"var(--{colour})" for colour in colours.values()]},
        },
    }
    return {
        **lite(rows),
        "facet": {
            "row": {
                "field": "image",
                "type": "nominal",
                "sort": list(images),
                "header": {**header, "labelFontSize": SIZE, "labelColor": "var(--ink)"},
            }
        },
        "spacing": 12,
        "spec": {"width": width - _SCALE - 4, "height": 120, "mark": {"type": "bar"}, "encoding": encoding},
    }
