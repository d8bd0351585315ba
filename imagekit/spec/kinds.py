"""The kinds of values that configuration holds: from TOML, from a text (a variable, an argument), to JSON Schema."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from types import UnionType
from typing import Any, ClassVar, Protocol, Union, get_args, get_origin

from imagekit.errors import InputError, InvalidConfig

_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class Mistaken(Exception):
    """A value of another kind, or several of them: ``faults`` has each with the path to it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults

    @classmethod
    def kind(cls, words: str, value: Any, *below: str | int) -> Mistaken:
        """``value`` (the item ``below`` of it) is not what ``words`` say."""
        return cls([Fault(f"is not {words}", value, below)])


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one value."""

    words: str  # "is not a string"
    value: Any
    below: tuple[str | int, ...] = ()
    hint: str | None = None  # None: to be had from the value


# Those without a field are plain classes: dataclasses take a millisecond each to make, and every build loads these.


class Kind(Protocol):
    """One kind of value."""

    @property
    def words(self) -> str:
        """``a list of strings``: what an error says the value is not."""

    def read(self, value: Any) -> Any:
        """A TOML value as this kind has it; ``Mistaken`` where it is another."""

    def of_text(self, text: str, where: str) -> Any:
        """What ``text`` means; ``InvalidConfig`` where it means none."""

    def schema(self) -> dict[str, Any]:
        """JSON Schema, draft 7."""


class Text:
    words: ClassVar[str] = "a string"

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Mistaken.kind(self.words, value)
        return value

    def of_text(self, text: str, where: str) -> str:
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string"}


class Number:
    words: ClassVar[str] = "a number"

    def read(self, value: Any) -> float:
        # A bool is an int to Python, and not to a person.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Mistaken.kind(self.words, value)
        return float(value)

    def of_text(self, text: str, where: str) -> float:
        try:
            return self.read(float(text))
        except (ValueError, Mistaken):
            raise InvalidConfig(f"{where} is {text!r} and no number", hint="write digits: 120") from None

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}


class Flag:
    words: ClassVar[str] = "true or false"

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Mistaken.kind(self.words, value)
        return value

    def of_text(self, text: str, where: str) -> bool:
        if text.lower() not in _YES + _NO:
            raise InvalidConfig(f"{where} is {text!r}, and neither true nor false", hint="write true or false")
        return text.lower() in _YES

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


def _refuse_others(items: Iterable[tuple[str | int, Any]]) -> None:
    """``Mistaken`` with each of ``items`` that is no text."""
    if faults := [Fault(f"is not {Text.words}", item, (at,)) for at, item in items if not isinstance(item, str)]:
        raise Mistaken(faults)


class Texts:
    words: ClassVar[str] = "a list of strings"

    def read(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise Mistaken.kind(self.words, value)
        _refuse_others(enumerate(value))
        return tuple(value)

    def of_text(self, text: str, where: str) -> tuple[str, ...]:
        """Words with spaces between, as pip and uv have it, or a JSON array."""
        if text.lstrip().startswith("["):
            found: tuple[str, ...] = _of_json(self, text, where)
            return found
        return tuple(text.split())

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


class TextTable:
    words: ClassVar[str] = "a table of strings"

    def read(self, value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise Mistaken.kind(self.words, value)
        _refuse_others(value.items())
        return dict(value)

    def of_text(self, text: str, where: str) -> dict[str, str]:
        """``NAME=VALUE`` with spaces between, or a JSON object."""
        if text.lstrip().startswith("{"):
            found: dict[str, str] = _of_json(self, text, where)
            return found
        pairs = [word.partition("=") for word in text.split()]
        if not all(name and equals for name, equals, _ in pairs):
            raise InvalidConfig(
                f"{where} is neither NAME=VALUE nor a JSON object", hint="""write NAME=VALUE, or {"NAME": "VALUE"}"""
            )
        return {name: value for name, _, value in pairs}

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


class FlagOrTexts:
    words: ClassVar[str] = "true, false or a list of strings"

    def read(self, value: Any) -> bool | tuple[str, ...]:
        if isinstance(value, bool):
            return value
        if isinstance(value, list):
            return Texts().read(value)
        raise Mistaken.kind(self.words, value)

    def of_text(self, text: str, where: str) -> bool | tuple[str, ...]:
        return Flag().of_text(text, where) if text.lower() in _YES + _NO else Texts().of_text(text, where)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [Flag().schema(), Texts().schema()]}


@dataclass(frozen=True, slots=True)
class OneTable:
    """A table (``[NAME]``) with the keys that the dataclass ``of`` declares."""

    of: type
    words: ClassVar[str] = "a table"

    def read(self, value: Any) -> Any:
        from imagekit.spec.keys import table_of

        return table_of(self.of, value)

    def of_text(self, text: str, where: str) -> Any:
        return _of_json(self, text, where)

    def schema(self) -> dict[str, Any]:
        from imagekit.spec.keys import schema_of

        return schema_of(self.of)


@dataclass(frozen=True, slots=True)
class Tables:
    """A list of tables (``[[tool.imagekit.NAME]]``), each of them with the keys that the dataclass ``of`` declares."""

    of: type
    words: ClassVar[str] = "a list of tables"

    def read(self, value: Any) -> tuple[Any, ...]:
        from imagekit.spec.keys import table_of

        if not isinstance(value, list):
            raise Mistaken.kind(self.words, value)
        found: list[Any] = []
        faults: list[Fault] = []
        for number, item in enumerate(value):
            try:
                found.append(table_of(self.of, item))
            except Mistaken as mistaken:
                faults += [replace(fault, below=(number, *fault.below)) for fault in mistaken.faults]
        if faults:
            raise Mistaken(faults)
        return tuple(found)

    def of_text(self, text: str, where: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = _of_json(self, text, where)
        return found

    def schema(self) -> dict[str, Any]:
        from imagekit.spec.keys import schema_of

        return {"type": "array", "items": schema_of(self.of)}


def kind_of(hint: Any) -> Kind:
    """The kind of an annotation: ``str | None`` is ``Text()``."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    options = tuple(option for option in options if option is not type(None))
    if options in _KINDS:
        return _KINDS[options]()
    inner = get_args(options[0])[0] if len(options) == 1 and get_args(options[0]) else None
    if get_origin(options[0]) is tuple and isinstance(inner, type) and is_dataclass(inner):
        return Tables(inner)
    if len(options) == 1 and isinstance(options[0], type) and is_dataclass(options[0]):
        return OneTable(options[0])
    raise TypeError(f"no kind of value for {hint}")


_KINDS: dict[tuple[Any, ...], Callable[[], Kind]] = {
    (str,): Text,
    (float,): Number,
    (bool,): Flag,
    (tuple[str, ...],): Texts,
    (Mapping[str, str],): TextTable,
    (bool, tuple[str, ...]): FlagOrTexts,
}


def _of_json(kind: Kind, text: str, where: str) -> Any:
    try:
        return kind.read(json.loads(text))
    except InputError:
        raise
    except (ValueError, RecursionError, Mistaken):
        raise InvalidConfig(f"{where} is not {kind.words}, as JSON has it", hint="look at its quotes") from None
