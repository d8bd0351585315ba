"""A table of another tool's in a TOML document, whose values are asked for by their type.

A value of another type is noted with file, line and key, and counts as not there, so that all that is wrong with a
file is told at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.origins import Origins

_Read = TypeVar("_Read")


class TypedTable:
    """The table at ``keys`` of the document of ``origins``; ``problems`` gathers what is wrong, of its parts too."""

    def __init__(
        self, values: Any, origins: Origins, keys: tuple[str | int, ...], problems: list[InputError] | None = None
    ) -> None:
        self.origins, self.keys = origins, keys
        self.problems: list[InputError] = [] if problems is None else problems
        if values is not None and not isinstance(values, Mapping):
            self._mistyped("a table")
            values = None
        self.values: Mapping[str, Any] = values or {}

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def text(self, key: str) -> str | None:
        """The string ``key``."""
        value = self.values.get(key)
        return value if self._fits(key, value, isinstance(value, str), "a string") else None

    def flag(self, key: str) -> bool | None:
        """The boolean ``key``."""
        value = self.values.get(key)
        return value if self._fits(key, value, isinstance(value, bool), "true or false") else None

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings ``key``."""
        value = self.values.get(key)
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value or ()) if self._fits(key, value, is_list, "a list of strings") else ()

    def table(self, key: str) -> TypedTable:
        """The table ``key``, an empty one where it is not there."""
        return TypedTable(self.values.get(key), self.origins, (*self.keys, key), self.problems)

    def tables(self, key: str, *, single: bool = False) -> list[TypedTable]:
        """The array of tables ``key``; with ``single`` one table stands for an array of it."""
        value = self.values.get(key)
        if single and isinstance(value, Mapping):
            return [self.table(key)]
        if not self._fits(
            key, value, isinstance(value, list), "a table, or an array of tables" if single else "an array of tables"
        ):
            return []
        keys = (*self.keys, key)
        return [TypedTable(_or_wrong(v), self.origins, (*keys, n), self.problems) for n, v in enumerate(value or ())]

    def origin(self, *keys: str | int) -> str:
        """``pyproject.toml:7``: where ``keys`` of this table stand."""
        return self.origins.of(*self.keys, *keys)

    def wrong(self, words: str, hint: str, *keys: str | int) -> None:
        """Note that something is wrong with ``keys``."""
        self.wrong_at(self.origin(*keys), words, hint)

    def wrong_at(self, origin: str, words: str, hint: str) -> None:
        """Note that something is wrong at a place that is known."""
        self.problems.append(InvalidProject(f"{origin}: {words}", hint=hint))

    def tried(self, read: Callable[[], _Read], otherwise: _Read) -> _Read:
        """What ``read`` gives; what it raises of input is noted, and ``otherwise`` stands for it."""
        try:
            return read()
        except InputError as problem:
            self.problems += problem.problems or (problem,)
            return otherwise

    def raise_problems(self) -> None:
        """All that was noted, at once, if there is any."""
        if self.problems:
            raise InputError.join(list({problem.message: problem for problem in self.problems}.values()))

    def _fits(self, key: str, value: Any, does: bool, what: str) -> bool:
        if value is not None and not does:
            self._mistyped(what, key)
        return does

    def _mistyped(self, what: str, *keys: str | int) -> None:
        self.wrong(f"{dotted((*self.keys, *keys))} is not {what}", f"make it {what}", *keys)


def dotted(keys: tuple[str | int, ...]) -> str:
    """``tool.uv.index[0].url``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f"{'.' if text else ''}{key}"
    return text


def _or_wrong(value: Any) -> Any:
    # TOML has no null, and an item of a list that is no table must be told.
    return value if isinstance(value, Mapping) else ()
