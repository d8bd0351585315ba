"""Which names each cell of a matrix gets, those that move included. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from imagekit.errors import InputError, InvalidConfig
from imagekit.matrix.cells import default_python
from imagekit.matrix.declared import DEFAULT, MatrixTable, TagTable
from imagekit.matrix.values import STANDARD, Cell, Tags

# As the OCI distribution specification has it.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SHA_DIGITS = 7  # as git abbreviates, and Prefect's tags do


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A tag that cannot be, and the number of the rule that makes it."""

    rule: int
    words: str
    hint: str


def tags_of(table: MatrixTable, cells: Iterable[Cell]) -> Tags:
    """The tags of each of ``cells``, in the order of the matrix's rules.

    ``cells`` are those that can be had: a tag that moves names the newest of them. Raises ``InvalidConfig`` where two
    cells would have one name, or one is no tag.
    """
    found, faults = named(table, cells)
    if faults:
        raise InputError.join([InvalidConfig(fault.words, hint=fault.hint) for fault in faults])
    return found


def named(table: MatrixTable, cells: Iterable[Cell]) -> tuple[Tags, list[Fault]]:
    """As ``tags_of``, with what is wrong beside what is right."""
    cells = list(cells)
    found: dict[Cell, list[str]] = {cell: [] for cell in cells}
    owner: dict[str, Cell] = {}
    faults: dict[str, Fault] = {}
    for number, rule in enumerate(table.tag):
        for cell in _named(rule, cells, default_python(table)):
            tag = tag_of(rule.name, cell)
            other = owner.setdefault(tag, cell)
            if not _TAG.fullmatch(tag):
                words, hint = f"{cell.label} would have the tag {tag!r}, which is none", "128 signs at most"
                faults.setdefault(tag, Fault(rule=number, words=words, hint=hint))
            elif other != cell:
                words = f"the tag {tag} is of both {other.label} and {cell.label}"
                hint = f"narrow [[tag]] {rule.name!r}: category, flavor, python, newest"
                faults.setdefault(tag, Fault(rule=number, words=words, hint=hint))
            elif tag not in found[cell]:
                found[cell].append(tag)
    return {cell: tuple(tags) for cell, tags in found.items()}, list(faults.values())


def rivals(table: MatrixTable, cells: Sequence[Cell], selected: Iterable[Cell]) -> tuple[Cell, ...]:
    """Those of ``cells`` that have a tag which moves, and which one of ``selected`` would have without them."""
    chosen, found = set(selected), dict[Cell, None]()
    for rule in table.tag:
        if rule.newest is None:
            continue
        those = fitting(rule, cells, default_python(table))
        wanting = {_group(rule, cell) for cell in those if cell in chosen}
        newest = _newest(rule, those)
        found.update({newest[group]: None for group in wanting if newest[group] not in chosen})
    return tuple(found)


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
    """A version as a tag can hold it: a tag has no ``+``, which a local version begins with, and no ``!`` (PEP 440)."""
    return version.replace("+", "_").replace("!", "_")


def _named(rule: TagTable, cells: Sequence[Cell], default: str) -> list[Cell]:
    """The cells that get the rule's tag."""
    those = fitting(rule, cells, default)
    return those if rule.newest is None else list(_newest(rule, those).values())


def fitting(rule: TagTable, cells: Sequence[Cell], default: str) -> list[Cell]:
    """Those of ``cells`` that the rule is for; ``default`` is the Python that it means by that word."""
    python = default if rule.python == DEFAULT else rule.python
    return [
        cell
        for cell in cells
        if rule.category in (None, cell.category)
        and rule.flavor in (None, cell.flavor)
        and python in (None, cell.python)
        and bool(rule.commit) == bool(cell.release and cell.release.commit)
    ]


def _newest(rule: TagTable, those: Sequence[Cell]) -> dict[tuple[object, ...], Cell]:
    """The newest cell of each group of which the rule's tag is one's."""
    newest: dict[tuple[object, ...], Cell] = {}
    for cell in those:
        group = _group(rule, cell)
        if group not in newest or _rank(cell) > _rank(newest[group]):
            newest[group] = cell
    return newest


def _group(rule: TagTable, cell: Cell) -> tuple[object, ...]:
    assert rule.newest is not None
    return cell.python, cell.flavor, cell.category, _WITHIN[rule.newest](_version(cell))


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
