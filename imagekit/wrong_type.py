"""A value of another type than is taken, told in one way wherever it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import WrongType


def wrong_type(value: Any, name: str, what: str, hint: str) -> WrongType:
    """The error for ``value``, given as ``name``, that is not ``what`` ("a list of strings").

    Texts and what is in a list or a dict are not shown: they may be secret.
    """
    return WrongType(f"{name} must be {what}, not {_kind(value)}", hint=hint)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, float):
        return "NaN" if value != value else repr(value)
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, (list, tuple, set, frozenset)):
        name = type(value).__name__
        return f"a {name} with other things in it" if value else f"an empty {name}"
    if isinstance(value, Mapping):
        return "a dict"
    if isinstance(value, (bytes, bytearray)):
        return "bytes"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
