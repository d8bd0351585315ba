"""``[dependency-groups]`` (PEP 735), includes resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject
from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.nearest import nearest_hint
from imagekit.spec.origins import Origins
from imagekit.spec.requirement import parse_requirement

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def read_groups(
    table: Mapping[str, Any], file: str, places: Places | None = None, origins: Origins | None = None
) -> dict[str, tuple[RequirementLine, ...]]:
    """Each group's requirements by its normalized name; ``InvalidProject`` for a cycle or an unknown include."""
    groups: dict[str, tuple[str, Any]] = {}
    for written, items in table.items():
        name = canonicalize_name(written)
        if not _NAME.fullmatch(written) or name in groups:
            raise InvalidProject(
                f"{file}: dependency group {written!r} is no valid name, or there twice", hint="rename it"
            )
        if not isinstance(items, list):
            raise InvalidProject(f"{file}: dependency-groups.{written} is not a list", hint="make it a list")
        groups[name] = (written, items)
    return {name: tuple(dict.fromkeys(_expand(name, groups, file, (), places, origins))) for name in groups}


def _expand(
    name: str,
    groups: Mapping[str, tuple[str, list[Any]]],
    file: str,
    chain: tuple[str, ...],
    places: Places | None,
    origins: Origins | None,
) -> list[RequirementLine]:
    if name in chain:
        names = " → ".join((*chain[chain.index(name) :], name))
        raise InvalidProject(f"{file}: dependency groups include each other: {names}", hint="take one include out")
    written, items = groups[name]
    lines: list[RequirementLine] = []
    for number, item in enumerate(items):
        if isinstance(item, str):
            origin = file if origins is None else origins.of("dependency-groups", written, number)
            lines.append(parse_requirement(item, origin, places=places))
        elif isinstance(item, dict) and list(item) == ["include-group"] and isinstance(item["include-group"], str):
            included = canonicalize_name(item["include-group"])
            if included not in groups:
                raise InvalidProject(
                    f"{file}: dependency group {written!r} includes {item['include-group']!r}, which is not there",
                    hint=nearest_hint(included, groups),
                )
            lines += _expand(included, groups, file, (*chain, name), places, origins)
        else:
            raise InvalidProject(
                f"{file}: dependency-groups.{written} holds {item!r}",
                hint='an item is a requirement, or {include-group = "NAME"}',
            )
    return lines
