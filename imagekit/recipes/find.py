"""Recipes by name or path: the project's own, those beside one another, and those that come with imagekit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imagekit.errors import InputError, InvalidConfig
from imagekit.nearest import nearest
from imagekit.recipes.compose import composed
from imagekit.recipes.declared import Recipe, recipe_of

# Of a project, beside its pyproject.toml.
DIRECTORY = "recipes"
_SUFFIX = ".toml"


def provided() -> dict[str, Path]:
    """The files of the recipes that come with imagekit, by name."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_data" / DIRECTORY
    return _in(installed if installed.is_dir() else package.parent / DIRECTORY)


def own(context: Path | None) -> dict[str, Path]:
    """The files of the recipes that the project at ``context`` has in its directory ``recipes``, by name."""
    return {} if context is None else _in(context / DIRECTORY)


def find_recipes(asked: Sequence[str], context: Path | None = None) -> tuple[Recipe, ...]:
    """The recipes that are ``asked`` for, by name or path, with all that they require, each after those.

    A name is one of the project at ``context`` first. Raises all that is wrong with any of them at once.
    """
    found: dict[str, Recipe] = {}
    problems: list[InputError] = []
    roots = [_Asked(each, "recipes", context) for each in dict.fromkeys(asked)]
    pending, names = list(roots), []
    while pending:
        wanted = pending.pop(0)
        try:
            path, is_provided = wanted.path()
        except InputError as problem:
            problems.append(problem)
            continue
        if wanted in roots:
            names.append(path.stem)
        before = found.get(path.stem)
        if before is not None:
            if before.source.path.resolve() != path.resolve():
                problems.append(
                    InvalidConfig(
                        f"{wanted.where}: {path.stem!r} is two recipes: {before.source.path} and {path}",
                        hint="give one of the files another name",
                    )
                )
            continue
        recipe = recipe_of(path, problems, shown=_shown(path, context), is_provided=is_provided)
        if recipe is None:
            continue
        # What is wrong with it does not keep what is wrong with those that it requires.
        found[recipe.name] = recipe
        pending += (
            _Asked(name, recipe.source.where(("requires", number)), context, beside=path.parent)
            for number, name in enumerate(recipe.table.requires)
        )
    try:
        chosen = composed(found, names)
    except InputError as problem:
        raise InputError.join([*problems, *(problem.problems or (problem,))]) from None
    if problems:
        raise InputError.join(problems)
    return chosen


class _Asked:
    """A recipe that is asked for at one place."""

    def __init__(self, text: str, where: str, context: Path | None, beside: Path | None = None) -> None:
        self.where = where
        self._text, self._context, self._beside = text, context, beside

    def path(self) -> tuple[Path, bool]:
        """Its file, and whether it comes with imagekit. Raises ``InvalidConfig``."""
        text = self._text
        if "\0" in text or not text.strip():
            raise InvalidConfig(f"{self.where}: {text!r} is no recipe", hint="name one: imagekit recipe ls")
        if self._beside is None and ("/" in text or text.endswith(_SUFFIX)):
            path = (self._context or Path()) / text
            if not path.is_file():
                raise InvalidConfig(f"{self.where}: {text} is not there", hint=f"looked for {path.absolute()}")
            return path, False
        known = provided()
        beside = {} if self._beside is None else _in(self._beside)
        for files in (beside, own(self._context)):
            if text in files:
                return files[text], files[text] == known.get(text)
        if text in known:
            return known[text], True
        names = {**known, **own(self._context), **beside}
        near = nearest(text, names)
        raise InvalidConfig(
            f"{self.where}: no recipe is called {text!r}",
            hint=(f"did you mean {near!r}? " if near else "")
            + "imagekit recipe ls lists them; a file is named by its path: ./NAME.toml",
        )


def _in(directory: Path) -> dict[str, Path]:
    if not directory.is_dir():
        return {}
    # A pipe or a directory of such a name is none.
    return {path.stem: path for path in sorted(directory.glob(f"*{_SUFFIX}")) if path.is_file()}


def _shown(path: Path, context: Path | None) -> str:
    """How errors call a file: relative to the project, or with the directory that it lies in."""
    if context is not None and path.is_relative_to(context):
        return str(path.relative_to(context))
    return str(Path(path.parent.name, path.name))
