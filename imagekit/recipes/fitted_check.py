"""The check of a recipe for one distribution. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagekit.recipes.declared import Recipe
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.fitted import holds


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedCheck:
    """How a recipe is seen to work on one distribution."""

    requirements: tuple[str, ...]
    from_source: tuple[str, ...]
    packages: tuple[str, ...]  # of apt, for the check alone
    program: str


def fitted_check(recipe: Recipe, distribution: Distribution) -> FittedCheck | None:
    """The check of ``recipe`` on ``distribution``; ``None`` for one that has no check."""
    own = recipe.table.check
    if own is None:
        return None
    more = [when.check for when in recipe.table.when if when.check is not None and holds(when, distribution)]
    programs = [each.program for each in more if each.program is not None]
    return FittedCheck(
        requirements=_joined(own.requirements, (each.requirements for each in more)),
        from_source=_joined(own.from_source, (each.from_source for each in more)),
        packages=_joined(own.packages, (each.packages for each in more)),
        program=programs[-1] if programs else own.program,
    )


def _joined(own: Sequence[str], more: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*own, *(text for texts in more for text in texts))))
