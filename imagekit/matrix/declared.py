"""A matrix of base images as its TOML file declares it: validated, nothing filled in, nothing expanded.

The axes are Python, the framework's version and the flavor; the categories say what an image of a cell holds. One
line declares a key, as in ``spec.table``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix import checks
from imagekit.matrix.values import CONDA, FLAVORS, STANDARD
from imagekit.spec import table_checks
from imagekit.spec.keys import Key, Source, read_table
from imagekit.spec.toml import parse_toml, toml_text

NEWEST = ("minor", "major", "all")
DEFAULT = "default"  # in place of a Python: the default one

_Texts = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkTable:
    """``[framework]``: the package that the images are made for."""

    package: Annotated[str, Key("the distribution's name", example="prefect", check=checks.package)]
    versions: Annotated[
        tuple[str, ...],
        Key("its versions: X.Y.Z, or a URL of git at a commit", example=["3.8.8"], check=checks.versions),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryTable:
    """One ``[[category]]``: what images of it hold."""

    name: Annotated[str, Key("what it is called", example="core", check=checks.word)]
    requirements: Annotated[
        tuple[str, ...],
        Key("requirements (PEP 508); {framework} is the framework at the cell's version", check=checks.requirements),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludeTable:
    """One ``[[exclude]]``: cells that there are not; a key that is not given fits any."""

    python: Annotated[_Texts, Key("of these Pythons", example=["3.9"], check=checks.pythons)] = None
    versions: Annotated[
        _Texts,
        Key("of framework versions that one of these specifiers takes", example=[">=3"], check=checks.specifiers),
    ] = None
    flavor: Annotated[_Texts, Key("of these flavors", check=checks.flavors)] = None
    category: Annotated[_Texts, Key("of these categories")] = None
    reason: Annotated[str | None, Key("why there are none")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagTable:
    """One ``[[tag]]``: a name that the cells which fit it get."""

    name: Annotated[
        str,
        Key(
            "the tag; {version}, {minor}, {major}, {python}, {-flavor}, {category}, {sha} are the cell's",
            example="{version}-python{python}{-flavor}",
            check=checks.template,
        ),
    ]
    category: Annotated[str | None, Key("for cells of this category", otherwise="any")] = None
    flavor: Annotated[str | None, Key("for cells of this flavor", otherwise="any", choices=FLAVORS)] = None
    python: Annotated[
        str | None, Key("for cells of this Python; default is the default one", otherwise="any", example="default")
    ] = None
    newest: Annotated[
        str | None,
        Key(
            "for the newest version of those with the same minor or major version, or of all: the tag moves",
            otherwise="any version",
            choices=NEWEST,
        ),
    ] = None
    commit: Annotated[bool | None, Key("for builds of a commit, and not of a release", default=False)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaTable:
    """``[conda]``: where the conda flavor's Python and packages come from."""

    channels: Annotated[
        tuple[str, ...], Key("channels, the first wins: names, URLs, or file://", example=["conda-forge"])
    ]
    packages: Annotated[_Texts, Key("match specs beside Python itself", default=[])] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixTable:
    """A matrix, as its file says it."""

    name: Annotated[str, Key("the images' name, without a tag", example="imagekit/prefect", check=table_checks.name)]
    python: Annotated[tuple[str, ...], Key("Python versions", example=["3.11", "3.13"], check=checks.pythons)]
    default_python: Annotated[
        str | None, Key("the one of them that tags without a Python mean", otherwise="the last", example="3.13")
    ] = None
    flavor: Annotated[_Texts, Key("flavors", default=[STANDARD], check=checks.flavors)] = None
    platform: Annotated[_Texts, Key("platforms", otherwise="the engine's", check=checks.platforms)] = None
    framework: Annotated[FrameworkTable | None, Key("the package that the images are made for", otherwise="none")] = (
        None
    )
    category: Annotated[tuple[CategoryTable, ...], Key("what images hold")] = ()
    exclude: Annotated[tuple[ExcludeTable, ...], Key("cells that there are not")] = ()
    tag: Annotated[tuple[TagTable, ...], Key("names of the cells")] = ()
    conda: Annotated[CondaTable | None, Key("where the conda flavor comes from", otherwise="there is none")] = None


def read_matrix(path: Path) -> MatrixTable:
    """The matrix that the file at ``path`` declares.

    Raises ``InvalidConfig``, or several of them at once (``InputError.join``), with file, line and key.
    """
    text = toml_text(path, InvalidConfig)
    source = Source(path=path, shown=path.name, text=text)
    table = read_table(MatrixTable, parse_toml(text, path.name, InvalidConfig), source)
    problems = list(_contradictions(table, source))
    if problems:
        raise InputError.join(problems)
    return table


def _contradictions(table: MatrixTable, source: Source) -> list[InputError]:
    """What is wrong between keys that are each right by themselves."""
    problems: list[InputError] = []

    def wrong(path: tuple[str | int, ...], words: str, hint: str | None) -> None:
        problems.append(InvalidConfig(f"{source.where(path)}: {words}", hint=hint))

    names = [category.name for category in table.category]
    for number, name in enumerate(names):
        if name in names[:number]:
            wrong(("category", number, "name"), f"there is a category {name!r} already", "give it another name")
    if table.default_python is not None and table.default_python not in table.python:
        wrong(("default-python",), f"{table.default_python!r} is none of python", "add it there, or name one of them")
    if CONDA in (table.flavor or ()) and table.conda is None:
        wrong(("flavor",), "the conda flavor has no channels", 'add [conda] with channels = ["conda-forge"]')
    for number, tag in enumerate(table.tag):
        if tag.category is not None and tag.category not in names:
            wrong(("tag", number, "category"), *checks.unknown("category", tag.category, names))
        if tag.python not in (None, DEFAULT, *table.python):
            wrong(("tag", number, "python"), *checks.unknown("Python", str(tag.python), [*table.python, DEFAULT]))
        if table.framework is None and (asked := checks.framework_fields(tag.name)):
            wrong(("tag", number, "name"), f"there is no framework, and so no {{{asked[0]}}}", "add [framework]")
    for number, exclude in enumerate(table.exclude):
        for word in exclude.category or ():
            if word not in names:
                wrong(("exclude", number, "category"), *checks.unknown("category", word, names))
        for python in exclude.python or ():
            if python not in table.python:
                wrong(("exclude", number, "python"), *checks.unknown("Python", python, table.python))
        if exclude.versions and table.framework is None:
            wrong(("exclude", number, "versions"), "there is no framework", "add [framework], or leave it out")
    if table.framework is None:
        for number, category in enumerate(table.category):
            if any("{framework}" in each for each in category.requirements):
                wrong(("category", number, "requirements"), "there is no {framework}", "add [framework]")
    return problems
