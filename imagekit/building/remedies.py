"""What the recipes at hand bring, for those who find that something is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.errors import ResolveError
    from imagekit.preflight.values import Remedy
    from imagekit.recipes.declared import RecipeTable
    from imagekit.spec.base import BaseImage

# uv's word for a source whose metadata had to be asked of its build backend.
_FAILED = re.compile(r"Failed to (?:download and )?build[^`\n]*`(?P<name>[A-Za-z0-9._-]+?)(?:==[^`]*| @[^`]*)?`")


@cache
def remedies_at_hand() -> tuple[Remedy, ...]:
    """What the recipes that come with imagekit bring, each with those that it requires."""
    from imagekit.errors import InputError
    from imagekit.preflight.values import Remedy
    from imagekit.recipes.declared import read_recipe
    from imagekit.recipes.find import provided

    tables = {}
    for name, path in provided().items():
        try:
            tables[name] = read_recipe(path, is_provided=True).table
        except InputError:
            continue  # whoever asks for it is told
    found = []
    for name, table in sorted(tables.items()):
        whole = [tables[each] for each in _required(name, tables)]
        brought = [each.provides for each in whole if each.provides is not None]
        apt = [each.apt for each in whole if each.apt is not None]
        found.append(
            Remedy(
                recipe=name,
                serves=frozenset(table.serves),
                sonames=frozenset(text for each in brought for text in each.sonames),
                headers=frozenset(text for each in brought for text in each.headers),
                pkg_config=frozenset(text for each in brought for text in each.pkg_config),
                programs=frozenset(text for each in brought for text in each.programs),
                packages=frozenset(text for each in apt for text in (*each.packages, *each.build)),
            )
        )
    return tuple(found)


def _required(name: str, tables: Mapping[str, RecipeTable]) -> set[str]:
    """``name`` and all that it requires."""
    found: set[str] = set()
    pending = [name]
    while pending:
        each = pending.pop()
        if each in tables and each not in found:
            found.add(each)
            pending += tables[each].requires
    return found


def remedies_for(base: BaseImage) -> list[Remedy]:
    """Those that ``base`` was not given yet."""
    given = {recipe.name for recipe in base.recipes}
    return [remedy for remedy in remedies_at_hand() if remedy.recipe not in given]


def with_diagnosis(error: ResolveError, base: BaseImage) -> ResolveError:
    """``error``, with a hint that mends it where a build in ``base`` ended the resolving."""
    failed = _FAILED.search(error.details or "")
    if failed is None:
        return error
    from imagekit.preflight.diagnosis import diagnose
    from imagekit.preflight.names import system_of

    remedies, python = remedies_for(base), base.python.minor
    causes = diagnose(error.details or "", failed["name"], system_of(base.release), remedies, python=python)
    if causes:
        error.hint = causes[0].hint
    return error
