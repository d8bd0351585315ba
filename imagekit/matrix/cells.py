"""From a matrix's declaration to its cells. Pure: which of them can be satisfied is the resolver's to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagekit.matrix.checks import FRAMEWORK
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
                    rule = next((each for each in table.exclude if excludes(each, cell)), None)
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


def program(table: MatrixTable, cell: Cell) -> str:
    """The Python program that must end well in the image of ``cell``: the versions, then the category's own check."""
    # What hangs says where it does, and ends.
    lines = ["import faulthandler", "faulthandler.dump_traceback_later(300, exit=True)"]
    lines += ["import sys", f"assert '%d.%d' % sys.version_info[:2] == {cell.python!r}, sys.version"]
    if table.framework is not None and cell.release is not None:
        package = table.framework.package
        lines += ["from importlib.metadata import version", f"found = version({package!r})"]
        if cell.release.commit is None:
            lines.append(f"assert found == {cell.release.version!r}, '{package} is ' + found")
    category = next(each for each in table.category if each.name == cell.category)
    own = category.check or ""
    values = {"python": cell.python, "version": cell.release.version if cell.release else ""}
    for field, value in values.items():
        own = own.replace(f"{{{field}}}", value)
    return "\n".join([*lines, own, ""])


def default_python(table: MatrixTable) -> str:
    """The Python that tags without one mean."""
    return table.default_python or table.python[-1]


def _release(text: str) -> Release:
    if text.startswith("git+"):
        return Release(version="0", commit=text.rpartition("@")[2], url=text)
    return Release(version=str(Version(text)))


def _filled(text: str, package: str, release: Release) -> str:
    name = canonicalize_name(package)
    return FRAMEWORK.sub(lambda match: release.requirement(name + (match[1] or "")), text).strip()


def excludes(rule: ExcludeTable, cell: Cell) -> bool:
    """Whether ``rule`` takes ``cell`` out of the matrix."""
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
