"""Charts as specifications of Vega-Lite (treemaps: of Vega), of a given width in CSS pixels. Pure.

Colours are CSS variables of the page (``--ours`` …), so that one drawing serves light and dark. Words stand above
their bar and not beside it: the same chart is legible on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]
_LITE = "https://vega.github.io/schema/vega-lite/v6.json"
_VEGA = "https://vega.github.io/schema/vega/v6.json"
_SIZE = 13  # of text, in CSS pixels
_STEP = 40  # of a bar with its words
_LETTER = 8.6  # as wide as a bold letter of a wide font may be: whoever draws has not the reader's fonts
_WIDER = 1.15  # than the font by which texts are cut, the reader's may be
_LINE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar; ``colour`` is the name of a variable of the page."""

    label: str
    text: str  # its value in words
    value: float
    colour: str
    low: float | None = None
    high: float | None = None
    marks: tuple[float, ...] = ()  # where a bound lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; ``colour`` as of a bar."""

    label: str
    points: tuple[tuple[float, float], ...]
    colour: str
    dash: tuple[int, ...] = ()
    is_fitted: bool = False  # no points are drawn on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One rectangle of a treemap: ``size`` says how large, ``group`` what it lies beside."""

    label: str
    text: str
    size: float
    colour: str
    group: str


def bars(items: Sequence[Bar], width: int, *, at: float | None = None, most: float | None = None) -> Spec:
    """Horizontal bars from zero, one below the other, with a line at ``at``; beyond ``most`` they end with an arrow."""
    top = most or max([each.high or each.value for each in items] + ([at] if at else []), default=1) or 1
    rows = [
        {
            "n": n,
            "label": each.label,
            "text": each.text,
            "value": min(each.value, top),
            "colour": each.colour,
            "low": each.low,
            "high": each.high,
            "beyond": "▸" if each.value > top else "",
        }
        for n, each in enumerate(items)
    ]
    ticks = [{"n": n, "mark": mark} for n, each in enumerate(items) for mark in each.marks if mark <= top]
    room = max((len(each.text) for each in items), default=0) * _LETTER + 8
    y = {"field": "n", "type": "ordinal", "axis": None, "scale": {"paddingInner": 0, "paddingOuter": 0}}
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, top], "nice": False}}
    words = {"type": "text", "baseline": "middle", "dy": -9}
    label = {**words, "align": "left", "limit": max(width - room, 80) / _WIDER}
    # The words of a bar's end stand at the edge, so none is on another, however short the bar.
    layers: list[dict[str, Any]] = [
        {"mark": label, "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "label"}}},
        {
            "mark": {**words, "align": "right", "fontWeight": "bold"},
            "encoding": {"y": y, "x": {"value": width}, "text": {"field": "text"}},
        },
        {
            "mark": {"type": "bar", "height": 12, "yOffset": 8},
            "encoding": {"y": y, "x": {"field": "value", **x}, "color": _colour(items)},
        },
        {
            "mark": {**words, "align": "right", "dy": 8, "dx": -3, "fill": "var(--paper)"},
            "encoding": {"y": y, "x": {"value": width}, "text": {"field": "beyond"}},
        },
    ]
    if any(each.low is not None for each in items):
        spread = {"type": "rule", "yOffset": 8, "y2Offset": 8, "stroke": "var(--ink)", "strokeWidth": _LINE}
        spread_y = {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}}
        layers.append({"transform": [{"filter": "isValid(datum.low)"}], "mark": spread, "encoding": spread_y})
    if at is not None:
        # Through all of them, below the words; and on each bar.
        line = {"type": "rule", "stroke": "var(--line)", "strokeWidth": _LINE}
        layers.insert(0, {"data": {"values": [{"at": at}]}, "mark": line, "encoding": {"x": {"field": "at", **x}}})
        tick = {"type": "tick", "orient": "vertical", "height": 18, "thickness": 3, "yOffset": 8, "color": "var(--ink)"}
        layers.append({"mark": tick, "encoding": {"x": {"datum": at, **x}, "y": y}})
    if ticks:
        tick = {
            "type": "tick",
            "orient": "vertical",
            "height": 18,
            "thickness": 1.5,
            "yOffset": 8,
            "color": "var(--ink)",
        }
        mark = {"x": {"field": "mark", **x}, "y": y}
        layers.append({"data": {"values": ticks}, "mark": tick, "encoding": mark})
    return _lite(width, {"step": _STEP}, rows, layers)


def lines(items: Sequence[Line], width: int, *, x_title: str, y_title: str, x_most: float | None = None) -> Spec:
    """Lines over a common pair of axes, both from zero; a legend above them."""
    rows = [{"label": each.label, "x": x, "y": y, "fitted": each.is_fitted} for each in items for x, y in each.points]
    domain: dict[str, Any] = {"zero": True, "nice": True} if x_most is None else {"domain": [0, x_most]}
    names = [each.label for each in items]
    legend = {"orient": "top", "title": None, "columns": _columns(names, width), "labelLimit": width - 40}
    legend |= {"symbolStrokeWidth": 3, "symbolType": "stroke", "symbolSize": 250}
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": x_title, "scale": domain, "axis": _axis(4, grid=False)},
        "y": {"field": "y", "type": "quantitative", "title": y_title, "axis": _axis(5, grid=True)},
        "color": {
            "field": "label",
            "type": "nominal",
            "scale": {"domain": names, "range": [f"var(--{each.colour})" for each in items]},
            "legend": legend,
        },
        "strokeDash": {
            "field": "label",
            "type": "nominal",
            "scale": {"domain": names, "range": [list(each.dash) or [1, 0] for each in items]},
            "legend": legend,
        },
    }
    layers = [
        {"mark": {"type": "line", "strokeWidth": 2.5}},
        {
            "transform": [{"filter": "!datum.fitted"}],
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
        },
    ]
    return {
        **_lite(width, 280 if width < 500 else 320, rows, layers),
        "encoding": encoding,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


def strip(items: Sequence[tuple[str, float, str]], kinds: Mapping[str, str], width: int) -> Spec:
    """One bar a layer: fate in words, bytes and colour, the lowest layer at the left; bytes on a logarithmic axis.

    ``kinds`` are the words of the legend and their colours.
    """
    rows = [{"place": n + 1, "size": max(size, 1), "what": what} for n, (what, size, _) in enumerate(items)]
    legend = {"orient": "top", "title": None, "columns": _columns(list(kinds), width), "labelLimit": width - 30}
    sizes = {"format": "~s", "title": "bytes (logarithmic)", "values": [10**n for n in range(0, 13, 3)]}
    gap = 1 if width / max(len(items), 1) > 4 else 0
    encoding = {
        "x": {
            "field": "place",
            "type": "ordinal",
            "axis": {
                **_axis(4, grid=False),
                "labels": False,
                "ticks": False,
                "title": "layers, the lowest at the left",
            },
            "scale": {"paddingInner": 0.2 * gap, "paddingOuter": 0},
        },
        "y": {
            "field": "size",
            "type": "quantitative",
            "scale": {"type": "log", "domainMin": 1},
            "axis": {**_axis(5, grid=True), **sizes},
        },
        "y2": {"datum": 1},
        "color": {
            "field": "what",
            "type": "nominal",
            "scale": {"domain": list(kinds), "range": [f"var(--{colour})" for colour in kinds.values()]},
            "legend": {**legend, "symbolType": "square"},
        },
    }
    return {
        **_lite(width, 200, rows, [{"mark": {"type": "bar"}}]),
        "encoding": encoding,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


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
    has_room = f"datum.x1 - datum.x0 > 34 && datum.y1 - datum.y0 > {_SIZE + 5}"
    has_two = f"datum.x1 - datum.x0 > 48 && datum.y1 - datum.y0 > {2 * _SIZE + 10}"

    def text(shown: str, offset: int, colour: str) -> dict[str, Any]:
        enter = {
            "x": {"field": "x0", "offset": 4},
            "y": {"field": "y0", "offset": offset},
            "baseline": {"value": "top"},
            "text": {"signal": shown},
            "limit": {"signal": f"(datum.x1 - datum.x0 - 7) / {_WIDER}"},
            "fill": {"value": f"var(--{colour})"},
            "font": {"value": "sans-serif"},
            "fontSize": {"value": _SIZE - 1},
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
            text(f"{has_two} ? datum.text : ''", _SIZE + 6, "ink"),
        ],
    }


def _lite(width: int, height: Any, rows: Sequence[Mapping[str, Any]], layers: Sequence[Any]) -> Spec:
    return {
        "$schema": _LITE,
        "width": width,
        "height": height,
        "padding": {"left": 1, "top": 1, "right": 1, "bottom": 5},
        "data": {"values": list(rows)},
        "layer": list(layers),
        "config": {
            "background": None,
            "aria": False,
            "view": {"stroke": None},
            "font": "sans-serif",
            "text": {"fontSize": _SIZE, "fill": "var(--ink)"},
            "axis": {
                "labelFontSize": _SIZE - 1,
                "titleFontSize": _SIZE - 1,
                "titleFontWeight": "normal",
                "labelColor": "var(--quiet)",
                "titleColor": "var(--quiet)",
                "gridColor": "var(--line)",
                "domainColor": "var(--line)",
                "tickColor": "var(--line)",
            },
            "legend": {"labelFontSize": _SIZE, "labelColor": "var(--ink)"},
        },
    }


def _colour(items: Sequence[Bar]) -> dict[str, Any]:
    colours = list(dict.fromkeys(each.colour for each in items))
    scale = {"domain": colours, "range": [f"var(--{colour})" for colour in colours]}
    return {"field": "colour", "type": "nominal", "legend": None, "scale": scale}


def _columns(names: Sequence[str], width: int) -> int:
    """As many of a legend's entries as stand side by side."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), int(width / (longest * _LETTER + 40))))


def _axis(ticks: int, *, grid: bool) -> dict[str, Any]:
    return {"tickCount": ticks, "grid": grid, "labelFlush": False}
