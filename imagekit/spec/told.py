"""Where a project's table says something that only the project's files show to be wrong.

The kinds and grammars of values are judged as the table is read (``spec.keys``). That a file is there, that an
extra is one of the project's, is known later; then too the error is to name file, line and key, and all that is
wrong with the table is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from imagekit.errors import InputError
from imagekit.spec.keys import Source
from imagekit.spec.table import Table
from imagekit.spec.variable import variable_of

_Read = TypeVar("_Read")
_PLACE = re.compile(r"([^\s:]+):(\d+): ")


class Told:
    """Gathers what is wrong with the table's values; as a context it raises all of it together at its end.

    What else is raised inside after something was gathered is told, too, where it names a line of the same file; else
    it is most likely a consequence, and is left out.
    """

    def __init__(
        self, *, stronger: Table, own: Table, source: Source | None, problems: Sequence[InputError] = ()
    ) -> None:
        """``stronger`` are the values of the environment, which go before the table's ``own`` at ``source``.

        ``problems``: what is known already to be wrong with the table.
        """
        self._stronger = stronger
        self._own = own
        self._source = source
        self._problems = list(problems)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._problems and (error is None or isinstance(error, InputError)):
            further = [] if error is None else [each for each in error.problems or (error,) if self._is_here(each)]
            raise InputError.join(in_order([*self._problems, *further])) from None

    def _is_here(self, problem: InputError) -> bool:
        place = _PLACE.match(problem.message)
        return place is not None and self._source is not None and place[1] == self._source.shown

    def each(self, key: str, items: Iterable[str], read: Callable[[str], _Read]) -> tuple[_Read, ...]:
        """What ``read`` makes of each of the key's items; those that it refuses are left out, and told at the end."""
        found = []
        for item in items:
            try:
                found.append(read(item))
            except InputError as problem:
                self.wrong(key, item, problem)
        return tuple(found)

    def wrong(self, key: str, item: str, problem: InputError) -> None:
        """``problem`` is told at the end where ``item`` is one of the table's, and raised where an argument gave it."""
        where = self._where(key, item)
        if where is None:
            raise problem
        for each in problem.problems or (problem,):
            words = each.message.removeprefix(f"{key}: ")
            self._problems.append(type(each)(f"{where}: {words}", hint=each.hint, details=each.details))

    def _where(self, key: str, item: str) -> str | None:
        attribute = key.replace("-", "_")
        if _has(getattr(self._stronger, attribute), item):
            return variable_of(key)
        value = getattr(self._own, attribute)
        if self._source is None or not _has(value, item):
            return None
        if isinstance(value, Mapping):
            return self._source.where((key, item))
        return self._source.where((key, value.index(item)) if isinstance(value, tuple) else (key,))


def in_order(problems: Sequence[InputError]) -> list[InputError]:
    """``problems`` of a file by their lines, those first that name none; each of them once."""

    def place(problem: InputError) -> tuple[str, int]:
        named = _PLACE.match(problem.message)
        return (named[1], int(named[2])) if named else ("", 0)

    each = {one.message: one for problem in problems for one in problem.problems or (problem,)}
    return sorted(each.values(), key=place)


def written_at(context: Path, path: Sequence[str]) -> str:
    """``FILE:LINE`` where the project's own table has ``path``; nothing where it has it not."""
    from imagekit.spec.toml_places import places_of

    tables: tuple[tuple[str, tuple[str, ...]], ...] = (("imagekit.toml", ()), ("pyproject.toml", ("tool", "imagekit")))
    for file, table in tables:
        with suppress(OSError, ValueError):
            place = places_of((context / file).read_text("utf-8-sig")).get((*table, *path))
            if place is not None:
                return f"{file}:{place.line}"
    return ""


def _has(value: object, item: str) -> bool:
    return item in value if isinstance(value, (tuple, Mapping)) else value == item
