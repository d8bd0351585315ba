"""``[tool.poetry]``: dependencies, groups, extras and sources in Poetry's own words, with and without ``[project]``.

poetry-core, which defines them, says what a constraint means; here they become PEP 508 requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidRequirement
from imagekit.spec.git_url import git_url
from imagekit.spec.image import Indexes, IndexPin, RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.poetry_constraint import highest_range, one_range, poetry_dependency
from imagekit.spec.poetry_sources import poetry_indexes
from imagekit.spec.requirement import parse_requirement, requirement_name
from imagekit.spec.typed_table import TypedTable
from imagekit.spec.uv_index import absolute

_Lines = Mapping[str, tuple[RequirementLine, ...]]
_DIRECT = ("git", "url", "path", "file")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryTable:
    """What ``[tool.poetry]`` says."""

    name: str | None = None
    version: str | None = None
    is_package: bool = True  # package-mode
    requires_python: str = ""
    dependencies: tuple[RequirementLine, ...] = ()
    extras: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)  # by normalized name
    groups: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)  # the same
    indexes: Indexes = field(default_factory=Indexes)
    enriching: tuple[RequirementLine, ...] = ()  # what says more of [project]'s dependencies and extras


def read_poetry_table(path: Path, tables: Mapping[str, Any], standard: _Lines) -> PoetryTable | None:
    """``[tool.poetry]`` of the pyproject.toml ``path``, whose content is ``tables``; ``None`` where there is none.

    Groups of a name that ``standard`` (``[dependency-groups]``) has, too, are one.

    What is no one range of versions (``^1 || ^3``) is refused, but where a ``poetry.lock`` lies beside it, which
    has chosen. All that is wrong is raised at once, by file and line.
    """
    tool = tables.get("tool")
    if not isinstance(tool, dict) or "poetry" not in tool:
        return None
    table = TypedTable(tool["poetry"], Origins(path), ("tool", "poetry"))
    project = tables.get("project")
    dynamic = project.get("dynamic") if isinstance(project, dict) else None
    reader = _Reader(path, table, is_main=not isinstance(project, dict) or "dependencies" in (dynamic or ()))
    found = reader.read(standard)
    table.raise_problems()
    return found


class _Reader:
    def __init__(self, path: Path, table: TypedTable, *, is_main: bool) -> None:
        self.path, self.table, self.is_main = path, table, is_main
        self.pins: list[tuple[IndexPin, str]] = []  # and where each stands

    def read(self, standard: _Lines) -> PoetryTable:
        written = self.table.table("dependencies")
        main = list(self._declared(written))
        optional = {name for name, value in written.values.items() if _is_optional(value)}
        written_groups = self.table.table("group")
        tables: dict[str, TypedTable] = {canonicalize_name(name): written_groups.table(name) for name in written_groups}
        groups: dict[str, tuple[RequirementLine, ...]] = {
            name: tuple(line for _, line in self._declared(group.table("dependencies")))
            for name, group in tables.items()
        }
        old = tuple(line for _, line in self._declared(self.table.table("dev-dependencies")))
        if old or "dev-dependencies" in self.table:
            groups["dev"] = (*groups.get("dev", ()), *old)
        includes = {name: (group, group.texts("include-groups")) for name, group in tables.items()}
        return PoetryTable(
            name=self.table.text("name"),
            version=self.table.text("version"),
            is_package=self.table.flag("package-mode") is not False,
            requires_python=self._python(written),
            dependencies=tuple(line for name, line in main if name not in optional) if self.is_main else (),
            extras=self._extras(main, set(map(canonicalize_name, written))) if self.is_main else {},
            groups=self._with_included(groups, standard, includes),
            indexes=poetry_indexes(self.table, self.pins),
            enriching=tuple(line for _, line in main),
        )

    def _declared(self, table: TypedTable) -> Iterator[tuple[str, RequirementLine]]:
        for name, value in table.values.items():
            if name.lower() == "python":
                continue
            for number, one in enumerate(value if isinstance(value, list) else [value]):
                origin = table.origin(name, *((number,) if isinstance(value, list) else ()))
                try:
                    yield name, self._line(name, one, origin)
                except InputError as problem:
                    self.table.problems.append(problem)

    def _line(self, name: str, value: Any, origin: str) -> RequirementLine:
        root = self.path.parent
        dependency = poetry_dependency(name, value, root, origin)
        marker = "" if dependency.marker.is_any() else str(dependency.marker)
        extras = f"[{','.join(sorted(dependency.extras))}]" if dependency.extras else ""
        behind = f" ; {marker}" if marker else ""
        place = next((key for key in _DIRECT if isinstance(value, Mapping) and key in value), None)
        if place is None:
            if isinstance(value, Mapping) and (source := value.get("source")):
                pin = IndexPin(package=canonicalize_name(name), index=source, marker=marker)
                self.pins.append((pin, origin))
            if (merged := one_range(dependency.constraint)) is not None:
                return parse_requirement(f"{name}{extras}{merged}{behind}", origin)
            try:
                requirement = Requirement(dependency.to_pep_508(with_extras=False))
            except NoRequirement:
                if (root / "poetry.lock").is_file():
                    return parse_requirement(f"{name}{extras}{behind}", origin)
                raise InvalidRequirement(
                    f"{origin}: {name}: {dependency.pretty_constraint!r} is no one range, and a requirement is one",
                    hint=f'write one: {name} = "{highest_range(dependency.constraint)}", or lock it: poetry lock',
                ) from None
            return parse_requirement(str(requirement), origin)
        inside = f"#subdirectory={value['subdirectory']}" if value.get("subdirectory") else ""
        if place == "git":
            ref = next((value[key] for key in ("rev", "tag", "branch") if value.get(key)), None)
            text = f"{name}{extras} @ git+{git_url(value['git'])}{f'@{ref}' if ref else ''}{inside}{behind}"
        elif place == "url":
            text = f"{name}{extras} @ {value['url']}{inside}{behind}"
        else:
            below = f"/{value['subdirectory']}" if inside else ""
            path = absolute(root, value[place] + below)
            if path is None:
                raise InvalidRequirement(f"{origin}: {name}: {value[place]!r} is not a path", hint="name a directory")
            text = f"{name}{extras} @ {path.as_uri()}{behind}"
        return parse_requirement(text, origin, places=Places(base=root, root=root))

    def _extras(
        self, main: list[tuple[str, RequirementLine]], declared: set[str]
    ) -> dict[str, tuple[RequirementLine, ...]]:
        by_name: dict[str, list[RequirementLine]] = {}
        for name, line in main:
            by_name.setdefault(canonicalize_name(name), []).append(line)
        found: dict[str, tuple[RequirementLine, ...]] = {}
        written = self.table.table("extras")
        for extra in written:
            lines: list[RequirementLine] = []
            for name in written.texts(extra):
                if canonicalize_name(name) not in declared:
                    words = f"the extra {extra!r} names {name!r}, which is no dependency"
                    written.wrong(words, f'add {name} = {{ version = "…", optional = true }}', extra)
                lines += by_name.get(canonicalize_name(name), ())
            found[canonicalize_name(extra)] = tuple(lines)
        return found

    def _with_included(
        self, groups: _Lines, standard: _Lines, includes: Mapping[str, tuple[TypedTable, tuple[str, ...]]]
    ) -> dict[str, tuple[RequirementLine, ...]]:
        def expand(name: str, chain: tuple[str, ...]) -> tuple[RequirementLine, ...]:
            group, included = includes.get(name, (self.table, ()))
            if name in chain:
                group.wrong(f"groups include each other: {' → '.join((*chain, name))}", "take one out")
                return ()
            own = groups.get(name, ())
            asked = enriched(standard.get(name, ()), own)
            names = {requirement_name(line) for line in asked}
            lines = (*asked, *(line for line in own if requirement_name(line) not in names))
            for other in map(canonicalize_name, included):
                if other not in groups and other not in standard:
                    group.wrong(f"the group {name} includes {other!r}, which is not there", "take it out")
                lines = (*lines, *expand(other, (*chain, name)))
            return tuple(dict.fromkeys(lines))

        return {name: expand(name, ()) for name in (*standard, *(n for n in groups if n not in standard))}

    def _python(self, written: TypedTable) -> str:
        value = written.text("python")
        if value is None:
            return ""
        try:
            constraint = poetry_dependency("python", value, None, written.origin("python")).constraint
            text = "" if constraint.is_any() else str(constraint)
            return str(SpecifierSet(f"=={text}" if text[:1].isdigit() else text))
        except InvalidSpecifier:
            written.wrong(f"python = {value!r} is no one range", 'write python = ">=3.10,<4"', "python")
        except InputError as problem:
            self.table.problems.append(problem)
        return ""


def enriched(lines: Iterable[RequirementLine], entries: Iterable[RequirementLine]) -> tuple[RequirementLine, ...]:
    """``lines`` of the standard's lists with what ``entries`` of Poetry's tables add to them, as poetry-core does it.

    A line becomes one for each entry of its name, where both of their markers hold; versions must fit both; a
    repository, URL or path is the entry's.
    """
    by_name: dict[str, list[RequirementLine]] = {}
    for entry in entries:
        by_name.setdefault(requirement_name(entry), []).append(entry)
    found: list[RequirementLine] = []
    for line in lines:
        several = by_name.get(requirement_name(line), [])
        found += [more for entry in several if (more := _enriched(line, entry)) is not None] or [line]
    return tuple(found)


def _enriched(line: RequirementLine, entry: RequirementLine) -> RequirementLine | None:
    """``line`` with what ``entry`` adds; ``None`` where they never hold together."""
    from poetry.core.version.markers import parse_marker

    requirement, other = Requirement(line.text), Requirement(entry.text)
    both = parse_marker(str(requirement.marker or "")).intersect(parse_marker(str(other.marker or "")))
    if both.is_empty():
        return None
    requirement.marker = None if both.is_any() else Marker(str(both))
    if requirement.url is not None:
        if other.url is not None and other.url != requirement.url:
            raise InvalidRequirement(
                f"{entry.origin}: {requirement.name} comes from another place than {line.origin} says",
                hint="keep one of them",
            )
        return replace(line, text=str(requirement))
    requirement.specifier &= other.specifier
    requirement.url = other.url
    if requirement.url is not None:
        requirement.specifier = SpecifierSet()
    return replace(line, text=str(requirement), local=entry.local)


def _is_optional(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("optional") is True
