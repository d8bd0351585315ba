"""The document that ``python -m benchmarks`` writes and ``imagekit bench report`` reads, as a JSON Schema (draft 7)."""

from __future__ import annotations

import json
from typing import Any

FILE = "imagekit-benchmarks.schema.json"  # in docs/schema
NUMBER = 1  # of the document's shape


def results_schema() -> dict[str, Any]:
    """The schema; what a document says beyond it is passed over."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Results of imagekit's benchmarks",
        "type": "object",
        "required": ["schema", "started", "machine", "versions", "cases"],
        "properties": {
            "schema": _described("The number of this shape.", const=NUMBER),
            "started": _described("When the run began: ISO 8601, UTC.", type="string"),
            "machine": _described("Processor, memory in KiB, kernel, load, file system.", type="object"),
            "versions": _described("Of imagekit, of the engine, and of the programs measured.", type="object"),
            "base": _described("The base image.", type="string"),
            "full": _described("Whether it was make bench-full.", type="boolean"),
            "seconds": _described("What the whole run took.", type="number"),
            "cases": _described("In the order in which they ran.", type="array", items=_case()),
        },
    }


def schema_file() -> str:
    """The schema as it is published."""
    return json.dumps(results_schema(), indent=2) + "\n"


def _case() -> dict[str, Any]:
    samples = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}}
    return {
        "type": "object",
        "required": ["name", "title", "rows", "samples"],
        "properties": {
            "name": {"type": "string"},
            "title": {"type": "string"},
            "seconds": _described("With all that was not measured.", type="number"),
            "rows": {"type": "array", "items": _row()},
            "samples": _described(
                "By side, in the order of the rounds: seconds, bytes or numbers by the measure's name.",
                type="object",
                additionalProperties=samples,
            ),
            "growth": _described("How a measure grows with something.", type="array", items=_growth()),
            "images": _described(
                "An image of imagekit's before what the case changes, and after, as imagekit inspect --json tells it.",
                type="object",
                required=["before", "after"],
                properties={"before": _image(), "after": _image()},
            ),
        },
    }


def _row() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["name", "title", "unit", "side", "peer", "must", "aim", "verdict"],
        "properties": {
            "name": _described("SET/WHAT.", type="string"),
            "title": {"type": "string"},
            "unit": _described("Seconds, bytes, or a number of things.", enum=["s", "B", "n"]),
            "side": _described("Who is measured.", type="string"),
            "peer": _described("By whom it is divided; null: the measure itself.", type=["string", "null"]),
            "quantile": _described("Of the rounds' ratios; null: the ratio of the medians.", type=["number", "null"]),
            "must": _described("The ratio, or the measure, may be no higher.", type=["number", "null"]),
            "aim": {"type": ["number", "null"]},
            "verdict": {"enum": ["aim", "must", "missed", "failed", "unavailable", "noted"]},
            "error": _described("Why there are no figures.", type="string"),
            "ratio": _described("Ours by the peer's; without a peer the measure.", type="number"),
            "ours_at": _described("The quantile of ours.", type="number"),
            "ours": _summary(),
            "theirs": {"anyOf": [_summary(), {"type": "null"}]},
        },
        "if": {"properties": {"verdict": {"enum": ["failed", "unavailable"]}}},
        "then": {"required": ["error"]},
        "else": {"required": ["ratio", "ours_at", "ours", "theirs"]},
    }


def _summary() -> dict[str, Any]:
    names = {"median": None, "low": "The lower quartile.", "high": "The upper quartile.", "mad": None}
    fields = {name: _described(text, type="number") if text else {"type": "number"} for name, text in names.items()}
    return {
        "type": "object",
        "required": ["median", "low", "high", "mad", "count"],
        "properties": {**fields, "count": {"type": "integer", "minimum": 1}},
    }


def _growth() -> dict[str, Any]:
    point = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {
        "type": "object",
        "required": ["title", "by", "unit", "side", "points"],
        "properties": {
            "title": {"type": "string"},
            "by": _described("What it grows with: packages, cells, builds at once.", type="string"),
            "unit": {"enum": ["s", "B", "n"]},
            "side": {"type": "string"},
            "points": _described("How many, and the median measured there.", type="array", items=point, minItems=1),
            "slope": _described("Of the line fitted: the unit for each one more.", type=["number", "null"]),
            "intercept": _described("Of the line fitted, at none.", type=["number", "null"]),
        },
    }


def _image() -> dict[str, Any]:
    layer = {
        "type": "object",
        "required": ["digest", "size", "title", "packages"],
        "properties": {
            "digest": _described("Of the uncompressed layer (diff ID).", type="string"),
            "size": _described("Bytes.", type="number", minimum=0),
            "title": {"type": "string"},
            "packages": _described("name==version", type="array", items={"type": "string"}),
        },
    }
    return {
        "type": "object",
        "required": ["reference", "size", "labels", "layers"],
        "properties": {
            "reference": {"type": "string"},
            "size": {"type": "number", "minimum": 0},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "layers": _described("The lowest first, the base's too.", type="array", items=layer),
        },
    }


def _described(text: str, **more: Any) -> dict[str, Any]:
    return {"description": text, **more}
