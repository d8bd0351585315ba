"""Reading a matrix's file: each key by itself, and then what is wrong between keys that are each right."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix import checks
from imagekit.matrix.cells import default_python, excludes, expand, program
from imagekit.matrix.declared import DEFAULT, BaseTable, MatrixTable
from imagekit.matrix.partly import Partly, partly
from imagekit.matrix.tags import fitting, named
from imagekit.matrix.values import CONDA, DEBIAN, REGISTRY, Cell
from imagekit.spec.image import OCI_LAYOUT
from imagekit.spec.keys import Source, read_table
from imagekit.spec.told import in_order
from imagekit.spec.toml import parse_toml, toml_text

_Wrong = Callable[[tuple[str | int, ...], str, str | None], None]
# What decides which cells there are, and what they are called.
_OF_CELLS = ("python", "default-python", "flavor", "framework", "category", "exclude", "tag")


def read_matrix(path: Path) -> MatrixTable:
    """The matrix that the file at ``path`` declares.

    Raises ``InvalidConfig``, or several of them at once (``InputError.join``), with file, line and key.
    """
    text = toml_text(path, InvalidConfig)
    source = Source(path=path, shown=path.name, text=text)
    values = parse_toml(text, path.name, InvalidConfig)
    problems: list[InputError] = []
    try:
        found = Partly(table=read_table(MatrixTable, values, source))
    except InputError as problem:
        problems += problem.problems or (problem,)
        found = partly(values, source)
    between: list[InputError] = []

    def wrong(path: tuple[str | int, ...], words: str, hint: str | None) -> None:
        place = source.where(found.place(path)) if path else source.shown
        between.append(InvalidConfig(f"{place}: {words}", hint=hint))

    _lists(found, wrong)
    _axes(found, wrong)
    _rules(found, wrong)
    if found.table.framework is None and found.knows("framework"):
        _without_framework(found.table, wrong)
    # Cells are looked at where the axes are right: else each mistake would be told once for every cell.
    if not between and found.knows(*_OF_CELLS):
        _cells(found.table, wrong)
    # Nothing of it decides which cells there are.
    if found.table.base is not None:
        _base(found, found.table.base, wrong)
    if problems or between:
        raise InputError.join(in_order([*problems, *between]))
    return found.table


def _lists(found: Partly, wrong: _Wrong) -> None:
    if not found.table.category and found.knows("category"):
        wrong((), "there is no category, and so no image", 'add [[category]] with name = "core" and requirements = []')
    if not found.table.tag and found.knows("tag"):
        wrong((), "there is no tag, and so no image has a name", 'add [[tag]] with name = "python{python}"')


def _axes(found: Partly, wrong: _Wrong) -> None:
    table = found.table
    names = [category.name for category in table.category]
    for number, name in enumerate(names):
        if name in names[:number]:
            wrong(("category", number, "name"), f"there is a category {name!r} already", "give it another name")
    default = table.default_python
    if default is not None and default not in table.python and found.knows("python"):
        wrong(("default-python",), f"{default!r} is none of python", "add it there, or name one of them")
    if not found.knows("flavor", "conda"):
        return
    if CONDA in (table.flavor or ()) and table.conda is None:
        wrong(("flavor",), "the conda flavor has no channels", 'add [conda] with channels = ["conda-forge"]')
    if table.conda is not None and CONDA not in (table.flavor or ()):
        wrong(("conda",), "no flavor is conda", 'add it: flavor = ["standard", "conda"]')


def _rules(found: Partly, wrong: _Wrong) -> None:
    table = found.table
    names, flavors = [category.name for category in table.category], table.flavor or ("standard",)
    has_names, has_pythons, has_flavors = (found.knows(key) for key in ("category", "python", "flavor"))
    for number, tag in enumerate(table.tag):
        if tag in table.tag[:number]:
            wrong(("tag", number, "name"), f"{tag.name!r} stands there twice", "name it once")
        if has_names and tag.category is not None and tag.category not in names:
            wrong(("tag", number, "category"), *checks.unknown("category", tag.category, names))
        if has_pythons and tag.python not in (None, DEFAULT, *table.python):
            wrong(("tag", number, "python"), *checks.unknown("Python", str(tag.python), [*table.python, DEFAULT]))
        fields = checks.framework_fields(tag.name)
        if tag.commit and set(fields) - {"sha"}:
            wrong(("tag", number, "name"), "a build of a commit has no version", "name it by {sha}")
        if not tag.commit and "sha" in fields:
            wrong(("tag", number, "name"), "a release has no {sha}", "add commit = true")
        if has_flavors and tag.flavor is not None and tag.flavor not in flavors:
            wrong(("tag", number, "flavor"), f"the matrix has no {tag.flavor}", "add it to flavor, or leave it out")
    for number, exclude in enumerate(table.exclude):
        for word in exclude.category or () if has_names else ():
            if word not in names:
                wrong(("exclude", number, "category"), *checks.unknown("category", word, names))
        for python in exclude.python or () if has_pythons else ():
            if python not in table.python:
                wrong(("exclude", number, "python"), *checks.unknown("Python", python, table.python))
        for flavor in exclude.flavor or () if has_flavors else ():
            if flavor not in flavors:
                wrong(("exclude", number, "flavor"), f"the matrix has no {flavor}", "leave it out")


def _without_framework(table: MatrixTable, wrong: _Wrong) -> None:
    """What only a framework gives a meaning."""
    for number, tag in enumerate(table.tag):
        if asked := checks.framework_fields(tag.name):
            wrong(("tag", number, "name"), f"there is no framework, and so no {{{asked[0]}}}", "add [framework]")
        for key in ("newest", "commit"):
            if getattr(tag, key):
                wrong(("tag", number, key), "there is no framework that has versions", "add [framework]")
    for number, exclude in enumerate(table.exclude):
        if exclude.versions:
            wrong(("exclude", number, "versions"), "there is no framework", "add [framework], or leave it out")
    for number, category in enumerate(table.category):
        if any("{framework}" in each for each in category.requirements):
            wrong(("category", number, "requirements"), "there is no {framework}", "add [framework]")


def _base(found: Partly, base: BaseTable, wrong: _Wrong) -> None:
    python = found.table.python
    if base.source == DEBIAN:
        for key in ("image", "digest"):
            if getattr(base, key) is not None:
                wrong(("base", key), "bases from Debian's packages have none", 'write source = "registry" or "local"')
        return
    if base.variant is not None:
        wrong(("base", "variant"), "it is of Debian's packages alone", 'write source = "debian", or leave it out')
    if base.image is None:
        wrong(("base", "source"), f"{base.source!r} needs an image", 'write image = "python:{python}-slim"')
    elif checks.PYTHON not in base.image and len(python) > 1:
        wrong(("base", "image"), "one image cannot have every Python", "write {python} where its version stands")
    elif base.source == REGISTRY and base.image.startswith(OCI_LAYOUT):
        wrong(("base", "image"), "a layout is no registry", 'write source = "local"')
    if base.digest is not None and base.source != REGISTRY:
        wrong(("base", "digest"), "only what a registry has is pinned", 'write source = "registry", or leave it out')
    for each in base.digest or () if found.knows("python") else ():
        if each not in python:
            wrong(("base", "digest", each), *checks.unknown("Python", each, python))


def _cells(table: MatrixTable, wrong: _Wrong) -> None:
    cells, excluded = expand(table)
    if not cells:
        wrong(("exclude",), "every cell is excluded", "leave one in")
    # A rule for nothing is a typing error in one of its keys, or left over from an axis that was shortened.
    every = (*cells, *(each.cell for each in excluded))
    for number, rule in enumerate(table.exclude):
        if not any(excludes(rule, cell) for cell in every):
            wrong(("exclude", number), "it fits no cell, and so excludes nothing", "correct its keys, or remove it")
    for number, tag in enumerate(table.tag):
        # One for commits, or for releases, may wait for the first of them.
        if fitting(tag, every, default_python(table)) and cells and not fitting(tag, cells, default_python(table)):
            words = f"no cell gets the tag {tag.name!r}: all that it fits are excluded"
            wrong(("tag", number, "name"), words, "correct its keys, or those of [[exclude]], or remove it")
    for label, number in Counter(cell.label for cell in cells).items():
        if number > 1:
            wrong((), f"{number} cells are called {label}", "give categories other names, or name one commit")
    for fault in named(table, cells)[1]:
        wrong(("tag", fault.rule, "name"), fault.words, fault.hint)
    _programs(table, cells, wrong)


def _programs(table: MatrixTable, cells: Sequence[Cell], wrong: _Wrong) -> None:
    """Checks that are a program no more once the cell's values are in them; each is told once."""
    for number, category in enumerate(table.category):
        for cell in cells if category.check else ():
            if cell.category != category.name:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    compile(program(table, cell), "check", "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as problem:
                words = f"of {cell.label} it is no Python program: {getattr(problem, 'msg', problem)}"
                hint = "its lines come after others, in a module; values stand in quotes: '{version}'"
                wrong(("category", number, "check"), words, hint)
                break
