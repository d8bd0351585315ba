"""``[dependency-groups]`` (PEP 735), includes resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.nearest import nearest_hint
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.requirement import parse_requirement

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def read_groups(
    table: Mapping[str, Any],
    file: str,
    places: Places | None = None,
    origins: Origins | None = None,
    gathered: list[InputError] | None = None,
) -> dict[str, tuple[RequirementLine, ...]]:
    """Each group's requirements by its normalized name.

    All that is wrong is raised at once: ``InvalidRequirement``; for a cycle or an unknown include ``InvalidProject``.
    Where a list is ``gathered``, it is added to that, and the groups hold the rest.
    """
    reader = _Reader(file, places, origins)
    for written, items in table.items():
        reader.add(written, items)
    found = {name: tuple(dict.fromkeys(reader.expanded(name))) for name in reader.groups}
    problems = list(reader.problems.values())
    if gathered is not None:
        gathered += problems
    elif problems:
        raise InputError.join(problems)
    return found


class _Reader:
    """Groups as they are written: requirements, and the names of the groups that are included."""

    def __init__(self, file: str, places: Places | None, origins: Origins | None) -> None:
        self._file, self._places, self._origins = file, places, origins
        self.groups: dict[str, list[RequirementLine | tuple[str, str]]] = {}  # of an include its name, and where it is
        self.problems: dict[str, InputError] = {}
        self._circles: set[frozenset[str]] = set()

    def add(self, written: str, items: object) -> None:
        name, where = canonicalize_name(written), self._origin(written)
        if not _NAME.fullmatch(written) or name in self.groups:
            self._wrong(f"{where}: dependency group {written!r} is no valid name, or there twice", "rename it")
            return
        self.groups[name] = []
        if not isinstance(items, list):
            self._wrong(f"{where}: dependency-groups.{written} is not a list", "make it a list")
            return
        for number, item in enumerate(items):
            where = self._origin(written, number)
            if isinstance(item, str):
                try:
                    self.groups[name].append(parse_requirement(item, where, places=self._places))
                except InputError as problem:
                    self.problems[problem.message] = problem
            elif isinstance(item, dict) and list(item) == ["include-group"] and isinstance(item["include-group"], str):
                self.groups[name].append((item["include-group"], where))
            else:
                hint = 'an item is a requirement, or {include-group = "NAME"}'
                self._wrong(f"{where}: dependency-groups.{written} holds {item!r}", hint)

    def expanded(self, name: str, chain: tuple[str, ...] = ()) -> list[RequirementLine]:
        """The requirements of the group, and of those that it includes."""
        lines: list[RequirementLine] = []
        for item in self.groups[name]:
            if isinstance(item, RequirementLine):
                lines.append(item)
                continue
            written, where = item
            included = canonicalize_name(written)
            if included not in self.groups:
                hint = nearest_hint(included, self.groups)
                self._wrong(f"{where}: dependency group {name!r} includes {written!r}, which is not there", hint)
            elif included in (*chain, name):
                circle = (*chain, name)[(*chain, name).index(included) :]
                if frozenset(circle) not in self._circles:
                    self._circles.add(frozenset(circle))
                    names = " → ".join((*circle, included))
                    self._wrong(f"{where}: dependency groups include each other: {names}", "take one include out")
            else:
                lines += self.expanded(included, (*chain, name))
        return lines

    def _origin(self, *keys: str | int) -> str:
        return self._file if self._origins is None else self._origins.of("dependency-groups", *keys)

    def _wrong(self, message: str, hint: str) -> None:
        self.problems[message] = InvalidProject(message, hint=hint)
