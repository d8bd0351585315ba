"""Specifications of charts → SVG, by vl-convert: Vega in a library of its own, with no browser and no network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from imagekit.errors import InputError

_SVG = "http://www.w3.org/2000/svg"
# What XML 1.0 or HTML has no place for (controls, halves of pairs, noncharacters); names may hold anything.
_LAST = "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0x10000, 0x110000, 0x10000))
_UNWRITABLE = re.compile(f"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]|[{_LAST}]")


def svg(spec: Mapping[str, Any], described: str, *, classes: str = "", style: str = "") -> str:
    """The chart as one ``<svg>`` element, to stand in a page or, with ``style`` in it, alone.

    ``described`` is what those hear who do not see it. What Vega tells of a mark is shown where a mouse rests on it.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise missing(error) from error
    draw = vl_convert.vegalite_to_svg if "vega-lite" in spec["$schema"] else vl_convert.vega_to_svg
    # A character that XML cannot hold ends the process (vl-convert 1.9). Nothing is fetched, whatever a chart says.
    drawn = draw(json.dumps(_writable(spec)), allowed_base_urls=[])
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn here
    for element in root.iter():
        told = element.attrib.pop("aria-label", None)
        for name in ("role", "aria-roledescription", "aria-hidden", "pointer-events", "class"):
            element.attrib.pop(name, None)
        if told:
            ElementTree.SubElement(element, f"{{{_SVG}}}title").text = told
    for name in [name for name in root.attrib if name not in ("width", "height", "viewBox", "version")]:
        del root.attrib[name]
    root.attrib |= {"role": "img", "aria-label": writable(described)}
    if classes:
        root.attrib["class"] = classes
    if style:
        sheet = ElementTree.Element(f"{{{_SVG}}}style")
        sheet.text = style
        root.insert(0, sheet)
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def missing(error: ImportError) -> InputError:
    """What to say where the libraries that draw are not there."""
    return InputError(
        "pages are drawn by vl-convert-python and jinja2, which are not installed",
        hint="install them: pip install 'jinja2>=3.1' 'vl-convert-python>=1.7'",
        details=str(error),
    )


def writable(text: str) -> str:
    """``text`` with those characters that neither XML nor HTML can hold as U+FFFD."""
    return _UNWRITABLE.sub("\ufffd", text)


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, Mapping):
        return {writable(str(name)): _writable(each) for name, each in value.items()}
    return [_writable(each) for each in value] if isinstance(value, (list, tuple)) else value
