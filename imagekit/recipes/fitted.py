"""A recipe for one distribution: what is different there is in, and fields have their values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from imagekit.errors import InputError, InvalidConfig
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.recipes.checks import spelled
from imagekit.recipes.clashes import At, Parts, clashes, owned
from imagekit.recipes.conditions import Condition
from imagekit.recipes.declared import AptTable, Recipe, RepositoryTable, WhenTable
from imagekit.recipes.distribution import Distribution
from imagekit.recipes.fields import FIELDS, fields_in, filled

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """An apt repository."""

    url: str
    suite: str
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    key: str  # a URL, or armored text; empty where ``keyring`` is
    fingerprint: str  # 40 hexadecimal digits
    keyring: str  # a file of the base
    # Of its key, for whoever tells that it is another one: ours.toml:9: apt.repository[0].key
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is written."""

    path: str
    content: str
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of a text file; ``None`` where a key is not there."""

    path: str
    match: str | None
    replace: str | None
    append: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that is run: its words, or a script of sh."""

    argv: tuple[str, ...]
    shell: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a recipe does on one distribution."""

    name: str
    summary: str
    accepts: str  # a licence
    packages: tuple[str, ...]
    build: tuple[str, ...]
    repositories: tuple[Repository, ...]
    debconf: tuple[tuple[str, str], ...]  # ("owner question", "type value")
    env: tuple[tuple[str, str], ...]
    build_env: tuple[tuple[str, str], ...]
    path: tuple[str, ...]
    files: tuple[File, ...]
    edits: tuple[Edit, ...]
    commands: tuple[Command, ...]

    @property
    def digest(self) -> Digest:
        """Of all that decides what it makes: neither its summary nor what it does elsewhere."""
        decisive: dict[str, Any] = {**asdict(self), "summary": "", "accepts": ""}
        for repository in decisive["repositories"]:
            del repository["where"]
        return digest_of_json(decisive)

    @property
    def makes_layer(self) -> bool:
        """Whether it does anything to an image's files; one may be for builds alone, or set variables."""
        return bool(self.packages or self.repositories or self.debconf or self.files or self.edits or self.commands)

    @property
    def uses_apt(self) -> bool:
        return bool(self.packages or self.build or self.repositories or self.debconf)


def fit(recipes: Sequence[Recipe], distribution: Distribution) -> tuple[Fitted, ...]:
    """``recipes`` on ``distribution``, in their order.

    Raises, all at once: one that is not for it, a field without a value, files and variables that two of them have.
    """
    problems: list[InputError] = []
    fitted = []
    for recipe in recipes:
        if refused := _refused(recipe, distribution):
            problems += refused
        else:
            parts = _parts(recipe, distribution)
            fitted.append((recipe.source, parts, _fitted(recipe, parts, distribution, problems)))
    problems += clashes(fitted, distribution.fields)
    if problems:
        raise InputError.join(problems)
    return tuple(each for _, _, each in fitted)


def _refused(recipe: Recipe, distribution: Distribution) -> list[InputError]:
    table, where = recipe.table, recipe.source.where
    problems: list[InputError] = []
    conditions = [Condition.parse(text, "") for text in table.distributions]
    if conditions and not any(each.holds(distribution.id, distribution.version) for each in conditions):
        problems.append(
            InvalidConfig(
                f"{where(('distributions',))}: {recipe.name} is not for {distribution}",
                hint=f"choose a base that it is for: {', '.join(map(str, conditions))}",
            )
        )
    elif table.architectures and distribution.architecture not in table.architectures:
        problems.append(
            InvalidConfig(
                f"{where(('architectures',))}: {recipe.name} is not for {distribution.architecture}",
                hint=f"it is for {', '.join(table.architectures)}",
            )
        )
    elif not conditions and table.apt is not None and not distribution.has_apt:
        problems.append(
            InvalidConfig(
                f"{where(('apt',))}: {recipe.name} takes packages by apt, which {distribution} has not",
                hint="choose a base of Debian or Ubuntu",
            )
        )
    return problems


def _fitted(recipe: Recipe, parts: Parts, distribution: Distribution, problems: list[InputError]) -> Fitted:
    table = recipe.table
    fill = _Filling(recipe, distribution, problems)
    apt = table.apt or AptTable()
    apts = [part.apt for _, part in parts if isinstance(part, WhenTable) and part.apt is not None]
    without = {name for each in apts for name in each.without}

    def packages(own: Sequence[str], more: Iterable[Sequence[str]]) -> tuple[str, ...]:
        kept = (name for name in own if name not in without)
        return tuple(dict.fromkeys((*kept, *(name for names in more for name in names))))

    def pairs(key: str, tables: Iterable[Mapping[str, str] | None]) -> tuple[tuple[str, str], ...]:
        merged = {
            name: (value, (*at, key, name))
            for (at, _), each in zip(parts, tables, strict=True)
            for name, value in (each or {}).items()
        }
        return tuple((name, fill(value, at)) for name, (value, at) in sorted(merged.items()))

    def numbered(key: str, lists: Iterable[Sequence[_Part]]) -> Iterable[tuple[_Part, At]]:
        for (at, _), each in zip(parts, lists, strict=True):
            yield from ((one, (*at, key, number)) for number, one in enumerate(each))

    written = (
        File(path=fill(file.path, (*at, "path")), content=fill.known(file.content), mode=(file.mode or "0644").zfill(4))
        for file, at in numbered("file", (part.file for _, part in parts))
    )
    files = {file.path: file for file in written}
    return Fitted(
        name=recipe.name,
        summary=table.summary.strip(),
        accepts=table.accepts or "",
        packages=packages(apt.packages, (each.packages for each in apts)),
        build=packages(apt.build, (each.build for each in apts)),
        repositories=tuple(
            _repository(each, fill, (*at, "apt", "repository", number))
            for at, part in parts
            if part.apt is not None
            for number, each in enumerate(part.apt.repository)
        ),
        debconf=tuple(
            (owned(question), answer) for question, answer in pairs("debconf", (part.debconf for _, part in parts))
        ),
        env=pairs("env", (part.env for _, part in parts)),
        build_env=pairs("build-env", (part.build_env for _, part in parts)),
        path=tuple(
            dict.fromkeys(
                fill(each, (*at, "path", number))
                for at, part in reversed(parts)
                for number, each in enumerate(part.path)
            )
        ),
        files=tuple(files.values()),
        edits=tuple(
            Edit(
                path=fill(edit.path, (*at, "path")),
                match=edit.match,
                replace=None if edit.replace is None else fill.known(edit.replace),
                append=None if edit.append is None else fill.known(edit.append),
            )
            for edit, at in numbered("edit", (part.edit for _, part in parts))
        ),
        commands=tuple(
            Command(
                argv=tuple(fill.known(word) for word in command.argv),
                shell=None if command.shell is None else fill.known(command.shell),
            )
            for _, part in parts
            for command in part.command
        ),
    )


def _parts(recipe: Recipe, distribution: Distribution) -> Parts:
    """What of ``recipe`` is for ``distribution``, each with its place in the file."""
    whens = enumerate(recipe.table.when)
    return [((), recipe.table), *((("when", n), when) for n, when in whens if holds(when, distribution))]


def holds(when: WhenTable, distribution: Distribution) -> bool:
    """Whether ``when`` speaks of ``distribution``."""
    if when.architecture is not None and when.architecture != distribution.architecture:
        return False
    if when.distribution is None:
        return True
    return Condition.parse(when.distribution, "").holds(distribution.id, distribution.version)


class _Filling:
    """Texts with their fields filled in."""

    def __init__(self, recipe: Recipe, distribution: Distribution, problems: list[InputError]) -> None:
        self._recipe, self._distribution, self._problems = recipe, distribution, problems

    def __call__(self, text: str, at: At) -> str:
        """``text``, which stands ``at`` there, filled in; a field that the distribution has not is a problem."""
        for name in sorted(fields_in(text) - set(self._distribution.fields)):
            self._problems.append(
                InvalidConfig(
                    f"{self._recipe.source.where(at)}: {self._distribution} has no {{{name}}}",
                    hint=f"write it out in a [[when]]; fields are {', '.join(FIELDS)}",
                )
            )
        return self.known(text)

    def where(self, at: At) -> str:
        """The file, line and name of the key ``at`` there."""
        return self._recipe.source.where(at)

    def known(self, text: str) -> str:
        """``text`` with the fields that have a value filled in."""
        return filled(text, self._distribution.fields)


def _repository(table: RepositoryTable, fill: _Filling, at: At) -> Repository:
    suite = fill(table.suite or "{codename}", at if table.suite is None else (*at, "suite"))
    components = (fill(each, (*at, "components", n)) for n, each in enumerate(table.components or ("main",)))
    return Repository(
        url=fill(table.url, (*at, "url")),
        suite=suite,
        components=() if suite.endswith("/") else tuple(components),
        architectures=table.architectures,
        key=table.key or "",
        fingerprint=spelled(table.fingerprint or ""),
        keyring=table.keyring or "",
        where=fill.where((*at, "key")) if table.key is not None else "",
    )
