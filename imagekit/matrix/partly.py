"""A matrix's file as far as it is right by itself, so that what contradicts itself there is told at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagekit.errors import InputError
from imagekit.matrix.declared import MatrixTable
from imagekit.spec.keys import Declared, Source, keys_of, read_value

_LISTS = ("category", "exclude", "tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partly:
    """What could be read of a file."""

    table: MatrixTable
    broken: frozenset[str] = frozenset()  # keys of the file of which something is wrong, or that are missing
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)  # which items of a list of tables are left

    def knows(self, *keys: str) -> bool:
        """Whether all of ``keys`` are as the file means them."""
        return self.broken.isdisjoint(keys)

    def place(self, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
        """Where in the file is what is at ``path`` of the table."""
        if len(path) < 2 or path[0] not in self.numbers:
            return path
        key, number, *rest = path
        return (key, self.numbers[str(key)][int(number)], *rest)


def partly(values: Mapping[str, Any], source: Source) -> Partly:
    """What ``values`` say rightly. Of a list of tables each is one by itself."""
    found: dict[str, Any] = {"name": "unnamed", "python": ()}
    broken: set[str] = set()
    numbers: dict[str, list[int]] = {}
    for name, declared in keys_of(MatrixTable).items():
        if name not in values:
            broken |= {name} if declared.is_required else set()
            continue
        value = values[name]
        if name in _LISTS and isinstance(value, list):
            numbers[name] = [number for number, each in enumerate(value) if _is_right(declared, [each], source)]
            broken |= {name} if len(numbers[name]) < len(value) else set()
            value = [value[number] for number in numbers[name]]
        if _is_right(declared, value, source):
            found[declared.attribute] = read_value(declared, value, source)
        else:
            broken.add(name)
    return Partly(table=MatrixTable(**found), broken=frozenset(broken), numbers=numbers)


def _is_right(declared: Declared, value: Any, source: Source) -> bool:
    try:
        read_value(declared, value, source)
    except InputError:
        return False
    return True
