"""Several recipes in one order: each after those that it requires, otherwise as they were asked for. Pure.

What is asked for at the end comes last, so the stages of those before it stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagekit.errors import InputError, InvalidConfig
from imagekit.recipes.declared import Recipe


def composed(recipes: Mapping[str, Recipe], asked: Sequence[str]) -> tuple[Recipe, ...]:
    """``recipes``, all that ``asked`` and what these require name, in order.

    Raises cycles and conflicts, all at once; one that could not be read is passed over.
    """
    order: list[str] = []
    problems: list[InputError] = []
    for name in asked:
        _visit(name, recipes, order, (), problems)
    chosen = tuple(recipes[name] for name in order if name in recipes)
    problems += _conflicts(chosen)
    if problems:
        raise InputError.join(problems)
    return chosen


def _visit(
    name: str,
    recipes: Mapping[str, Recipe],
    order: list[str],
    above: tuple[str, ...],
    problems: list[InputError],
) -> None:
    recipe = recipes.get(name)
    if name in order or recipe is None:
        return
    for number, required in enumerate(recipe.table.requires):
        chain = (*above, name)
        if required in chain:
            circle = " → ".join((*chain[chain.index(required) :], required))
            words = f"{recipe.source.where(('requires', number))}: a circle: {circle}"
            if not any(problem.message == words for problem in problems):
                problems.append(InvalidConfig(words, hint="take one of them out"))
        else:
            _visit(required, recipes, order, chain, problems)
    order.append(name)


def _conflicts(chosen: Sequence[Recipe]) -> list[InputError]:
    names = {recipe.name for recipe in chosen}
    return [
        InvalidConfig(
            f"{recipe.source.where(('conflicts', number))}: {recipe.name} and {other} cannot be in one image",
            hint="leave one of the two out",
        )
        for recipe in chosen
        for number, other in enumerate(recipe.table.conflicts)
        if other in names
    ]
