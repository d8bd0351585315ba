"""From a matrix's declaration to its cells. Pure: which of them can be satisfied is the resolver's to say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagekit.matrix.declared import ExcludeTable, MatrixTable
from imagekit.matrix.values import STANDARD, Cell, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """A cell that there is not, as the declaration says."""

    cell: Cell
    reason: str


def expand(table: MatrixTable) -> tuple[tuple[Cell, ...], tuple[Excluded, ...]]:
    """All cells in the order of the axes (framework version, Python, flavor, category), and those excluded."""
    cells, excluded = [], []
    for release in releases(table):
        for python in table.python:
            for flavor in table.flavor or (STANDARD,):
                for category in table.category:
                    cell = Cell(python=python, flavor=flavor, category=category.name, release=release)
                    rule = next((each for each in table.exclude if _excludes(each, cell)), None)
                    if rule is None:
                        cells.append(cell)
                    else:
                        excluded.append(Excluded(cell=cell, reason=rule.reason or "excluded by the matrix"))
    return tuple(cells), tuple(excluded)


def releases(table: MatrixTable) -> tuple[Release | None, ...]:
    """The framework's versions; one ``None`` where there is no framework."""
    if table.framework is None:
        return (None,)
    return tuple(map(_release, table.framework.versions))


def requirements(table: MatrixTable, cell: Cell) -> tuple[str, ...]:
    """What the image of ``cell`` is to hold, as requirements (PEP 508)."""
    category = next(each for each in table.category if each.name == cell.category)
    if table.framework is None or cell.release is None:
        return category.requirements
    return tuple(_filled(each, table.framework.package, cell.release) for each in category.requirements)


def default_python(table: MatrixTable) -> str:
    """The Python that tags without one mean."""
    return table.default_python or table.python[-1]


def _release(text: str) -> Release:
    if text.startswith("git+"):
        return Release(version="0", commit=text.rpartition("@")[2], url=text)
    return Release(version=str(Version(text)))


_FRAMEWORK = re.compile(r"\{framework\}(\[[^\]]*\])?")


def _filled(text: str, package: str, release: Release) -> str:
    return _FRAMEWORK.sub(lambda match: release.requirement(canonicalize_name(package) + (match[1] or "")), text)


def _excludes(rule: ExcludeTable, cell: Cell) -> bool:
    return (
        _fits(rule.python, cell.python)
        and _fits(rule.flavor, cell.flavor)
        and _fits(rule.category, cell.category)
        and (rule.versions is None or _takes(rule.versions, cell.release))
    )


def _fits(wanted: Sequence[str] | None, value: str) -> bool:
    return wanted is None or value in wanted


def _takes(specifiers: Sequence[str], release: Release | None) -> bool:
    if release is None or release.commit is not None:
        return False
    return any(SpecifierSet(each).contains(release.version, prereleases=True) for each in specifiers)
