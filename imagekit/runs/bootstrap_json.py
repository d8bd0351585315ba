"""Runs inside the container beside the bootstrap: JSON, read and written without the standard library's module.

That takes longer to import than the interpreter to start. Shipped as text: nothing but the standard library, and the
syntax of Python 3.8.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any


class Written:
    """A value that is JSON already."""

    def __init__(self, text: str) -> None:
        self.text = text


class NotJson(Exception):
    """A value that JSON cannot hold; ``where`` is its place in the result."""

    def __init__(self, message: str, kind: str, where: str) -> None:
        Exception.__init__(self, message)
        self.kind = kind
        self.where = where


def json_text(value: Any, where: str, open_ones: set[int], lone: bool = False) -> str:
    """``value`` as JSON, in ASCII; or ``NotJson`` that says where it is none. ``lone``: halves of characters may be."""
    if value is None or value is True or value is False:
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, str):
        if not lone:
            check_text(value, where)
        return quoted(value)
    if isinstance(value, int):
        try:
            return int.__repr__(value)
        except ValueError as error:
            # More digits than the interpreter will print.
            raise NotJson(str(error), "int", where) from None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise NotJson(f"{where} is {float(value)!r}, which JSON cannot hold", "float", where)
        return float.__repr__(value)
    if isinstance(value, Written):
        return value.text
    if not isinstance(value, (list, tuple, dict)):
        kind = type_name(value)
        raise NotJson(f"{where} is of the type {kind}, which JSON cannot hold", kind, where)
    if id(value) in open_ones:
        raise NotJson(f"{where} contains itself, which JSON cannot hold", type_name(value), where)
    open_ones.add(id(value))
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                kind = type_name(key)
                message = f"{where} has the key {repr(key)[:80]} ({kind}): JSON's keys are strings"
                raise NotJson(message, kind, where)
            if not lone:
                check_text(key, f"a key of {where}")
        items = [
            f"{quoted(key)}: {json_text(item, f'{where}[{repr(key)[:80]}]', open_ones, lone)}"
            for key, item in value.items()
        ]
        text = "{" + ", ".join(items) + "}"
    else:
        text = (
            "[" + ", ".join([json_text(item, f"{where}[{n}]", open_ones, lone) for n, item in enumerate(value)]) + "]"
        )
    open_ones.discard(id(value))
    return text


def check_text(text: str, where: str) -> None:
    try:
        str.encode(text)
    except UnicodeEncodeError as error:
        half = ascii(text[error.start])
        raise NotJson(f"{where} has half a character ({half}), which is no text", "str", where) from None


def quoted(text: str) -> str:
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        from json.encoder import encode_basestring_ascii
    return encode_basestring_ascii(text)


def parsed(text: str) -> Any:
    """A JSON document that is nothing but ASCII and begins at once."""
    try:
        from _json import make_scanner

        return make_scanner(Defaults)(text, 0)[0]  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads(text)


class Defaults:
    """What the standard library's scanner is told of how to read."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = memo = None


def type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
