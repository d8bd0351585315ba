"""Frozen values as JSON and back, without loss: what a pickle would do, with no code in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import Any


def encode(value: Any) -> Any:
    """``value`` of dataclasses, tuples, mappings, paths and plain values, as JSON has it."""
    if is_dataclass(value):
        return {"!": type(value).__name__, **{f.name: encode(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, bytes):
        return {"!": "bytes", "hex": value.hex()}
    if isinstance(value, PurePath):
        return {"!": "Path", "path": str(value)}
    if isinstance(value, frozenset | set):
        return {"!": "set", "members": sorted(value)}
    if isinstance(value, Mapping):
        return {"!": "map", "items": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be kept")


def decode(value: Any, classes: Mapping[str, type]) -> Any:
    """What ``encode`` was given; sequences come back as tuples, and no class but ``classes`` is made."""
    if isinstance(value, list):
        return tuple(decode(item, classes) for item in value)
    if not isinstance(value, dict):
        return value
    kind = value["!"]
    if kind == "Path":
        return Path(value["path"])
    if kind == "bytes":
        return bytes.fromhex(value["hex"])
    if kind == "set":
        return frozenset(value["members"])
    if kind == "map":
        return {decode(k, classes): decode(v, classes) for k, v in value["items"]}
    return classes[kind](**{name: decode(v, classes) for name, v in value.items() if name != "!"})
