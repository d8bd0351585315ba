"""Charts as specifications of Vega-Lite, of a given width in CSS pixels. Pure.

Colours are CSS variables of the page (``--ours`` …), so that one drawing serves light and dark. Words stand above
their bar and not beside it: the same chart is legible on a phone. What colours, dashes and points stand for is text of
the page (``shown.Key``), and in no chart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Spec = Mapping[str, Any]
SIZE = 13  # of text, in CSS pixels
WIDER = 1.15  # than the font by which texts are cut, the reader's may be
_LITE = "https://vega.github.io/schema/vega-lite/v6.json"
_STEP = 40  # of a bar with one line of words
_LEADING = 17  # from one line of words to the next
_LETTER = 7.4  # as wide as a letter of a wide font is: whoever draws has not the reader's fonts
_BOLD = 8.6  # the same of a bold one
_LINE = 1.5
# A style each for four; with the fifth a colour and a dash come again, and a shape of point does not.
_COLOURS = ("ours", "line1", "line2", "line3")
_DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))
_SHAPES = (
    "M-1,0A1,1,0,1,1,1,0A1,1,0,1,1,-1,0Z",  # a circle
    "M-0.9,-0.9H0.9V0.9H-0.9Z",
    "M0,-1.1L1.1,0.9H-1.1Z",
    "M0,-1.2L1.2,0L0,1.2L-1.2,0Z",
    "M-0.4,-1.1H0.4V-0.4H1.1V0.4H0.4V1.1H-0.4V0.4H-1.1V-0.4H-0.4Z",  # a cross
)


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
class Style:
    """By what a line is told from others: each of the three does for who cannot see another."""

    colour: str  # as of a bar
    dash: tuple[int, ...]
    shape: str  # of its points: a path of SVG, from -1 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through ``through``, and points that it need not go through."""

    label: str
    style: Style
    through: tuple[tuple[float, float], ...]
    points: tuple[tuple[float, float], ...] = ()


def style(number: int) -> Style:
    """The style of one of several lines; that of number 0 is ours."""
    return Style(
        colour=_COLOURS[number % len(_COLOURS)],
        dash=_DASHES[number % len(_DASHES)],
        shape=_SHAPES[number % len(_SHAPES)],
    )


def bars(items: Sequence[Bar], width: int, *, at: float | None = None, most: float | None = None) -> Spec:
    """Horizontal bars from zero, one below the other, with a line at ``at``; beyond ``most`` they end with an arrow."""
    top = most or max([each.high or each.value for each in items] + ([at] if at else []), default=1) or 1
    room = width - max((len(each.text) for each in items), default=0) * _BOLD - 8
    # From the bar upwards.
    labels = [_broken(each.label, width, max(room, 80))[::-1] for each in items]
    high = max(map(len, labels), default=1)
    down = (high - 1) * _LEADING / 2
    rows = [
        {
            "n": n,
            "label": each.label,
            **{f"line {k}": label[k] if k < len(label) else "" for k in range(high)},
            "text": each.text,
            "value": min(each.value, top),
            "colour": each.colour,
            "low": each.low,
            "high": each.high,
            "beyond": "▸" if each.value > top else "",
        }
        for n, (each, label) in enumerate(zip(items, labels, strict=True))
    ]
    ticks = [{"n": n, "mark": mark} for n, each in enumerate(items) for mark in each.marks if mark <= top]
    y = {"field": "n", "type": "ordinal", "axis": None, "scale": {"paddingInner": 0, "paddingOuter": 0}}
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, top], "nice": False}}
    words = {"type": "text", "baseline": "middle", "dy": down - 9}
    # The words of a bar's end stand at the edge, so none is on another, however short the bar.
    layers: list[dict[str, Any]] = [
        {
            "mark": {
                **words,
                "align": "left",
                "dy": down - 9 - k * _LEADING,
                "limit": (width if k else max(room, 80)) / WIDER,
            },
            "encoding": {"y": y, "x": {"value": 0}, "text": {"field": f"line {k}"}},
        }
        for k in range(high)
    ]
    layers += [
        {
            "mark": {**words, "align": "right", "fontWeight": "bold"},
            "encoding": {"y": y, "x": {"value": width}, "text": {"field": "text"}},
        },
        {
            "mark": {"type": "bar", "height": 12, "yOffset": down + 8},
            "encoding": {"y": y, "x": {"field": "value", **x}, "color": _bar_colour(items)},
        },
        {
            "mark": {**words, "align": "right", "dy": down + 8, "dx": -3, "fill": "var(--paper)"},
            "encoding": {"y": y, "x": {"value": width}, "text": {"field": "beyond"}},
        },
    ]
    if any(each.low is not None for each in items):
        spread = {"type": "rule", "yOffset": down + 8, "y2Offset": down + 8, "stroke": "var(--ink)"}
        spread_y = {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}}
        layers.append(
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {**spread, "strokeWidth": _LINE},
                "encoding": spread_y,
            }
        )
    if at is not None:
        # Through all of them, below the words; and on each bar.
        line = {"type": "rule", "stroke": "var(--line)", "strokeWidth": _LINE}
        layers.insert(0, {"data": {"values": [{"at": at}]}, "mark": line, "encoding": {"x": {"field": "at", **x}}})
        layers.append({"mark": _tick(3, down + 8), "encoding": {"x": {"datum": at, **x}, "y": y}})
    if ticks:
        marks = {"x": {"field": "mark", **x}, "y": y}
        layers.append({"data": {"values": ticks}, "mark": _tick(1.5, down + 8), "encoding": marks})
    height = {"step": _STEP + (high - 1) * _LEADING}
    return {**lite(rows), "width": width, "height": height, "layer": layers}


def lines(items: Sequence[Line], width: int, *, x_title: str, y_title: str, x_most: float | None = None) -> Spec:
    """Lines and points over a common pair of axes, both from zero."""
    domain: dict[str, Any] = {"zero": True, "nice": True} if x_most is None else {"domain": [0, x_most]}
    along = {"field": "x", "type": "quantitative", "title": x_title, "scale": domain, "axis": axis(4, grid=False)}
    up = {"field": "y", "type": "quantitative", "title": y_title, "axis": axis(5, grid=True)}

    def by_line(values: Sequence[object]) -> dict[str, Any]:
        scale = {"domain": [each.label for each in items], "range": list(values)}
        return {"field": "label", "type": "nominal", "legend": None, "scale": scale}

    colour = by_line([f"var(--{each.style.colour})" for each in items])
    dash = by_line([list(each.style.dash) for each in items])
    shape = by_line([each.style.shape for each in items])
    through = [{"label": each.label, "x": x, "y": y} for each in items for x, y in each.through]
    points = [{"label": each.label, "x": x, "y": y} for each in items for x, y in each.points]
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "strokeWidth": 2.5},
            "encoding": {"x": along, "y": up, "color": colour, "strokeDash": dash},
        }
    ]
    if points:
        layers.append(
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
                "encoding": {"x": along, "y": up, "color": colour, "shape": shape},
            }
        )
    return {
        **lite(through),
        "width": width,
        "height": 280 if width < 500 else 320,
        "layer": layers,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }


def lite(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all have in common."""
    return {
        "$schema": _LITE,
        "padding": {"left": 1, "top": 1, "right": 1, "bottom": 5},
        "data": {"values": list(rows)},
        "config": {
            "background": None,
            "aria": False,
            "view": {"stroke": None},
            "font": "sans-serif",
            "text": {"fontSize": SIZE, "fill": "var(--ink)"},
            "axis": {
                "labelFontSize": SIZE - 1,
                "titleFontSize": SIZE - 1,
                "titleFontWeight": "normal",
                "labelColor": "var(--quiet)",
                "titleColor": "var(--quiet)",
                "gridColor": "var(--line)",
                "domainColor": "var(--line)",
                "tickColor": "var(--line)",
            },
        },
    }


def axis(ticks: int, *, grid: bool) -> dict[str, Any]:
    """One of a chart's two axes, with so many ticks or so."""
    return {"tickCount": ticks, "grid": grid, "labelFlush": False}


def _broken(label: str, width: float, room: float) -> list[str]:
    """The lines of a label: the last one stands beside its bar's value and has ``room``, others the whole width."""
    if len(label) * _LETTER <= room:
        return [label]
    found = textwrap.wrap(label, int(width / _LETTER)) or [""]
    return [*found[:-1], *textwrap.wrap(found[-1], int(room / _LETTER))]


def _tick(thickness: float, down: float) -> dict[str, Any]:
    """Across a bar."""
    size = {"height": 18, "thickness": thickness, "yOffset": down}
    return {"type": "tick", "orient": "vertical", "color": "var(--ink)", **size}


def _bar_colour(items: Sequence[Bar]) -> dict[str, Any]:
    colours = list(dict.fromkeys(each.colour for each in items))
    scale = {"domain": colours, "range": [f"var(--{colour})" for colour in colours]}
    return {"field": "colour", "type": "nominal", "legend": None, "scale": scale}
