"""What several recipes say of the same thing, and not alike: told by the lines of the later one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from imagekit.errors import InputError, InvalidConfig
from imagekit.recipes.declared import RecipeTable, WhenTable
from imagekit.recipes.fields import filled
from imagekit.spec.keys import Source

if TYPE_CHECKING:
    from imagekit.recipes.fitted import Fitted

At = tuple[str | int, ...]  # where a key stands in a file
# What of a recipe is for one distribution, in the order in which it goes, each with its place.
Parts = Sequence[tuple[At, RecipeTable | WhenTable]]


def clashes(fitted: Sequence[tuple[Source, Parts, Fitted]], fields: Mapping[str, str]) -> list[InputError]:
    """Files that two of them write, variables and answers of different values, repositories of different keys.

    ``fields`` are the distribution's.
    """
    problems: list[InputError] = []
    paths: dict[str, str] = {}
    variables: dict[str, tuple[str, str]] = {}
    answers: dict[str, tuple[str, str]] = {}
    signed: dict[tuple[str, str], tuple[str, str]] = {}
    for source, parts, each in fitted:
        for file in each.files:
            other = paths.setdefault(file.path, each.name)
            if other != each.name:
                problems.append(
                    InvalidConfig(
                        f"{source.where(_writing(parts, file.path, fields))}: {file.path!r} is a file of {other}, too",
                        hint="let one of the two recipes require the other and change the file by [[edit]]",
                    )
                )
        otherwise = [
            f"{source.where(_setting(parts, name))}: {owner} sets it to another value"
            for name, owner in _otherwise(variables, each.name, each.env)
        ]
        # A package asks when it is installed: which of two answers it hears hangs on the order alone.
        otherwise += [
            f"{source.where(_answering(parts, question))}: {owner} answers it otherwise"
            for question, owner in _otherwise(answers, each.name, each.debconf)
        ]
        problems += [InvalidConfig(words, hint="leave one of the two recipes out") for words in otherwise]
        for at, repository in zip(_repositories(parts), each.repositories, strict=True):
            key = repository.fingerprint or repository.keyring
            owner, known = signed.setdefault((repository.url.rstrip("/"), repository.suite), (each.name, key))
            # apt takes a repository with one keyring alone.
            if known != key:
                problems.append(
                    InvalidConfig(
                        f"{source.where(at)}: {repository.url} is signed by {key} here, and by {known} in {owner}",
                        hint="one of the two is wrong, or out of date: ask who signs",
                    )
                )
    return problems


def _otherwise(
    said: dict[str, tuple[str, str]], owner: str, values: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Which of ``values`` another in ``said`` has otherwise, and who; all are in it then."""
    for name, value in values:
        first, known = said.setdefault(name, (owner, value))
        if known != value:
            yield name, first


def _setting(parts: Parts, name: str) -> At:
    """Where the variable ``name`` is set: the last part that has it decides."""
    at = next((at for at, part in reversed(parts) if name in (part.env or {})), ())
    return (*at, "env", name)


def owned(question: str) -> str:
    """A question with its owner, which is the part before the first slash unless it is said."""
    return question if " " in question else f"{question.partition('/')[0]} {question}"


def _answering(parts: Parts, question: str) -> At:
    """Where the question is answered: the last part that has it decides."""
    return next(
        (*at, "debconf", each) for at, part in reversed(parts) for each in part.debconf or {} if owned(each) == question
    )


def _writing(parts: Parts, path: str, fields: Mapping[str, str]) -> At:
    """Where the file is that is written to ``path``: the last part that has it decides."""
    for at, part in reversed(parts):
        for number, file in enumerate(part.file):
            if filled(file.path, fields) == path:
                return (*at, "file", number, "path")
    return ("file",)


def _repositories(parts: Parts) -> list[At]:
    """Where each repository is named."""
    return [
        (*at, "apt", "repository", number)
        for at, part in parts
        if part.apt is not None
        for number in range(len(part.apt.repository))
    ]
