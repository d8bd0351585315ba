"""What the recipes at hand bring, for those who find that something is missing."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.errors import ResolveError
    from imagekit.preflight.values import Remedy
    from imagekit.spec.base import BaseImage

# uv's word for a source whose metadata had to be asked of its build backend.
_FAILED = re.compile(r"Failed to (?:download and )?build[^`\n]*`(?P<name>[A-Za-z0-9._-]+?)(?:==[^`]*| @[^`]*)?`")


@cache
def remedies_at_hand() -> tuple[Remedy, ...]:
    """What the recipes that come with imagekit bring."""
    from imagekit.errors import InputError
    from imagekit.preflight.values import Remedy
    from imagekit.recipes.declared import read_recipe
    from imagekit.recipes.find import provided

    found = []
    for name, path in sorted(provided().items()):
        try:
            table = read_recipe(path, is_provided=True).table
        except InputError:
            continue  # whoever asks for it is told
        brings = table.provides
        apt = table.apt
        found.append(
            Remedy(
                recipe=name,
                serves=frozenset(table.serves),
                sonames=frozenset(brings.sonames if brings else ()),
                headers=frozenset(brings.headers if brings else ()),
                pkg_config=frozenset(brings.pkg_config if brings else ()),
                programs=frozenset(brings.programs if brings else ()),
                packages=frozenset((*apt.packages, *apt.build) if apt else ()),
            )
        )
    return tuple(found)


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
