"""Which names each cell of a matrix gets, those that move included. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from packaging.version import Version

from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix.cells import default_python
from imagekit.matrix.declared import DEFAULT, MatrixTable, TagTable
from imagekit.matrix.values import STANDARD, Cell, Tags

_SHA_DIGITS = 7  # as git abbreviates, and Prefect's tags do


def tags_of(table: MatrixTable, cells: Iterable[Cell]) -> Tags:
    """The tags of each of ``cells``, in the order of the matrix's rules.

    ``cells`` are those that can be had: a tag that moves names the newest of them. Raises ``InvalidConfig`` where two
    cells would have one name.
    """
    cells = list(cells)
    found: dict[Cell, list[str]] = {cell: [] for cell in cells}
    owner: dict[str, Cell] = {}
    problems: dict[str, InputError] = {}
    for rule in table.tag:
        for cell in _named(rule, cells, default_python(table)):
            tag = tag_of(rule.name, cell)
            other = owner.setdefault(tag, cell)
            if other != cell:
                problems.setdefault(
                    tag,
                    InvalidConfig(
                        f"the tag {tag} is of both {other.label} and {cell.label}",
                        hint=f"narrow [[tag]] {rule.name!r}: category, flavor, python, newest",
                    ),
                )
            elif tag not in found[cell]:
                found[cell].append(tag)
    if problems:
        raise InputError.join(list(problems.values()))
    return {cell: tuple(tags) for cell, tags in found.items()}


def tag_of(template: str, cell: Cell) -> str:
    """The tag that ``template`` makes of ``cell``."""
    values = {
        "python": cell.python,
        "-flavor": "" if cell.flavor == STANDARD else f"-{cell.flavor}",
        "category": cell.category,
    }
    if cell.release is not None:
        version = Version(cell.release.version)
        values |= {
            "version": written(cell.release.version),
            "minor": f"{version.major}.{version.minor}",
            "major": str(version.major),
            "sha": (cell.release.commit or "")[:_SHA_DIGITS],
        }
    for field, value in values.items():
        template = template.replace(f"{{{field}}}", value)
    return template


def written(version: str) -> str:
    """A version as a tag can hold it: a tag has no ``+``, which a local version begins with (PEP 440)."""
    return version.replace("+", "_")


def _named(rule: TagTable, cells: Sequence[Cell], default: str) -> list[Cell]:
    """The cells that get the rule's tag."""
    python = default if rule.python == DEFAULT else rule.python
    fitting = [
        cell
        for cell in cells
        if rule.category in (None, cell.category)
        and rule.flavor in (None, cell.flavor)
        and python in (None, cell.python)
        and bool(rule.commit) == bool(cell.release and cell.release.commit)
    ]
    if rule.newest is None:
        return fitting
    within = _WITHIN[rule.newest]
    newest: dict[tuple[object, ...], Cell] = {}
    for cell in fitting:
        key = (cell.python, cell.flavor, cell.category, within(_version(cell)))
        if key not in newest or _rank(cell) > _rank(newest[key]):
            newest[key] = cell
    return [cell for cell in fitting if cell in newest.values()]


_WITHIN: dict[str, Callable[[Version], object]] = {
    "minor": lambda version: (version.major, version.minor),
    "major": lambda version: version.major,
    "all": lambda version: None,
}


def _version(cell: Cell) -> Version:
    return Version(cell.release.version if cell.release else "0")


def _rank(cell: Cell) -> tuple[bool, Version]:
    # A pre-release is the newest only where there is nothing else.
    version = _version(cell)
    return not version.is_prerelease, version
