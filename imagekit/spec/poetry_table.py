"""``[tool.poetry]``: dependencies, groups, extras and sources in Poetry's own words, with and without ``[project]``.

poetry-core, which defines them, says what a constraint means; here they become PEP 508 requirements.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject, InvalidRequirement
from imagekit.spec.git_url import git_url
from imagekit.spec.image import Indexes, IndexPin, NamedIndex, RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.origins import Origins
from imagekit.spec.poetry_constraint import one_range, poetry_dependency
from imagekit.spec.requirement import parse_requirement
from imagekit.spec.url import refuse_login

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


def read_poetry_table(path: Path, tables: Mapping[str, Any], standard: _Lines) -> PoetryTable | None:
    """``[tool.poetry]`` of the pyproject.toml ``path``, whose content is ``tables``; ``None`` where there is none.

    Groups of a name that ``standard`` (``[dependency-groups]``) has, too, are one.

    What is no one range of versions (``^1 || ^3``) is refused, but where a ``poetry.lock`` lies beside it, which
    has chosen. All that is wrong is raised at once, by file and line.
    """
    tool = tables.get("tool")
    table = tool.get("poetry") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise InvalidProject(f"{path.name}: tool.poetry is not a table", hint="make it a table")
    project = tables.get("project")
    dynamic = project.get("dynamic") if isinstance(project, dict) else None
    reader = _Reader(path, table, is_main=not isinstance(project, dict) or "dependencies" in (dynamic or ()))
    found = reader.read(standard)
    if reader.problems:
        raise InputError.join(reader.problems)
    return found


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any], *, is_main: bool) -> None:
        self.path, self.table, self.is_main = path, table, is_main
        self.problems: list[InputError] = []
        self.pins: list[IndexPin] = []
        self._origins = Origins(path)

    def read(self, standard: _Lines) -> PoetryTable:
        written = self._table("dependencies")
        # Beside [project] dependencies, these only say from where ("enriching").
        main = list(self._declared(written, "dependencies")) if self.is_main else []
        optional = {name for name, value in written.items() if _is_optional(value)}
        groups: dict[str, tuple[RequirementLine, ...]] = {}
        for name, group in self._table("group").items():
            if not isinstance(group, dict):
                self._wrong(f"the group {name} is not a table", "make it one", "group", name)
                continue
            lines = self._declared(self._of_group(name), "group", name, "dependencies")
            groups[canonicalize_name(name)] = tuple(line for _, line in lines)
        if "dev-dependencies" in self.table:
            old = tuple(line for _, line in self._declared(self._table("dev-dependencies"), "dev-dependencies"))
            groups["dev"] = (*groups.get("dev", ()), *old)
        groups = self._with_included(groups, standard)
        return PoetryTable(
            name=self._text("name"),
            version=self._text("version"),
            is_package=self.table.get("package-mode") is not False,
            requires_python=self._python(written.get("python")),
            dependencies=tuple(line for name, line in main if name not in optional),
            extras=self._extras(main) if self.is_main else {},
            groups=groups,
            indexes=self._indexes(),
        )

    def _declared(self, table: Mapping[str, Any], *where: str) -> Iterator[tuple[str, RequirementLine]]:
        for name, value in table.items():
            if name.lower() == "python":
                continue
            for number, one in enumerate(value if isinstance(value, list) else [value]):
                origin = self._origin(*where, name, *((number,) if isinstance(value, list) else ()))
                try:
                    yield name, self._line(name, one, origin)
                except InputError as problem:
                    self.problems.append(problem)

    def _line(self, name: str, value: Any, origin: str) -> RequirementLine:
        root = self.path.parent
        dependency = poetry_dependency(name, value, root, origin)
        marker = "" if dependency.marker.is_any() else f" ; {dependency.marker}"
        extras = f"[{','.join(sorted(dependency.extras))}]" if dependency.extras else ""
        place = next((key for key in _DIRECT if isinstance(value, Mapping) and key in value), None)
        if place is None:
            if isinstance(value, Mapping) and isinstance(value.get("source"), str):
                self.pins.append(IndexPin(package=canonicalize_name(name), index=value["source"]))
            if (merged := one_range(dependency.constraint)) is not None:
                return parse_requirement(f"{name}{extras}{merged}{marker}", origin)
            try:
                requirement = Requirement(dependency.to_pep_508(with_extras=False))
            except NoRequirement:
                if (root / "poetry.lock").is_file():
                    return parse_requirement(f"{name}{extras}{marker}", origin)
                raise InvalidRequirement(
                    f"{origin}: {name}: {dependency.pretty_constraint!r} is no one range, and a requirement is one",
                    hint=f'write one: {name} = ">=1,<3"',
                ) from None
            return parse_requirement(str(requirement), origin)
        if place == "git":
            ref = next((value[key] for key in ("rev", "tag", "branch") if value.get(key)), None)
            inside = f"#subdirectory={value['subdirectory']}" if value.get("subdirectory") else ""
            text = f"{name}{extras} @ git+{git_url(value['git'])}{f'@{ref}' if ref else ''}{inside}{marker}"
        elif place == "url":
            text = f"{name}{extras} @ {value['url']}{marker}"
        else:
            inside = f"/{value['subdirectory']}" if value.get("subdirectory") else ""
            text = f"{name}{extras} @ {(root / (value[place] + inside)).resolve().as_uri()}{marker}"
        return parse_requirement(text, origin, places=Places(base=root, root=root))

    def _extras(self, main: list[tuple[str, RequirementLine]]) -> dict[str, tuple[RequirementLine, ...]]:
        by_name: dict[str, list[RequirementLine]] = {}
        for name, line in main:
            by_name.setdefault(canonicalize_name(name), []).append(line)
        found: dict[str, tuple[RequirementLine, ...]] = {}
        for extra, names in self._table("extras").items():
            lines: list[RequirementLine] = []
            for name in names if isinstance(names, list) else []:
                known = by_name.get(canonicalize_name(str(name)))
                if known is None:
                    words = f"the extra {extra!r} names {name!r}, which is no dependency"
                    self._wrong(words, f'add {name} = {{ version = "…", optional = true }}', "extras", extra)
                lines += known or []
            found[canonicalize_name(extra)] = tuple(lines)
        return found

    def _with_included(self, groups: _Lines, standard: _Lines) -> dict[str, tuple[RequirementLine, ...]]:
        def expand(name: str, chain: tuple[str, ...]) -> tuple[RequirementLine, ...]:
            if name in chain:
                self._wrong(f"groups include each other: {' → '.join((*chain, name))}", "take one out", "group", name)
                return ()
            lines = (*standard.get(name, ()), *groups.get(name, ()))
            for other in self._group(name).get("include-groups") or ():
                lines = (*lines, *expand(canonicalize_name(str(other)), (*chain, name)))
            return tuple(dict.fromkeys(lines))

        return {name: expand(name, ()) for name in (*standard, *(n for n in groups if n not in standard))}

    def _of_group(self, name: str) -> Mapping[str, Any]:
        dependencies = self._group(name).get("dependencies")
        return dependencies if isinstance(dependencies, dict) else {}

    def _group(self, name: str) -> Mapping[str, Any]:
        groups = self._table("group")
        known = {canonicalize_name(key): group for key, group in groups.items() if isinstance(group, dict)}
        return known.get(canonicalize_name(name), {})

    def _python(self, value: Any) -> str:
        if not isinstance(value, str):
            return ""
        origin = self._origin("dependencies", "python")
        try:
            constraint = poetry_dependency("python", value, None, origin).constraint
            text = "" if constraint.is_any() else str(constraint)
            return str(SpecifierSet(f"=={text}" if text[:1].isdigit() else text))
        except InvalidSpecifier:
            self._wrong(f"python = {value!r} is no one range", 'write python = ">=3.10,<4"', "dependencies", "python")
        except InputError as problem:
            self.problems.append(problem)
        return ""

    def _indexes(self) -> Indexes:
        named: list[NamedIndex] = []
        default: str | None = None
        extra: list[str] = []
        written = self.table.get("source") or []
        for number, source in enumerate(written if isinstance(written, list) else []):
            name, url = source.get("name"), source.get("url")
            priority = source.get("priority", "primary")
            if not isinstance(name, str) or not isinstance(url, str):
                continue  # Poetry's own PyPI has no URL: it is the machine's default here
            try:
                refuse_login(url, self._origin("source", number))
            except InvalidRequirement as problem:
                self.problems.append(problem)
            named.append(NamedIndex(name=name, url=url, explicit=priority == "explicit"))
            if priority in ("primary", "default") and default is None:
                default = url
            elif priority != "explicit":
                extra.append(url)
        names = {one.name for one in named}
        # "source = 'PyPI'" is the machine's default index.
        pins = tuple(pin for pin in self.pins if pin.index in names)
        for pin in self.pins:
            if pin.index not in names and pin.index.lower() != "pypi":
                words = f"{pin.package} names the source {pin.index!r}, which is not there"
                self._wrong(words, f'add [[tool.poetry.source]] name = "{pin.index}"', "source")
        return Indexes(default=default, extra=tuple(extra), named=tuple(named), pins=pins)

    def _table(self, key: str) -> Mapping[str, Any]:
        value = self.table.get(key) or {}
        if not isinstance(value, dict):
            self._wrong(f"tool.poetry.{key} is not a table", "make it one", key)
            return {}
        return value

    def _text(self, key: str) -> str | None:
        value = self.table.get(key)
        return value if isinstance(value, str) else None

    def _origin(self, *keys: str | int) -> str:
        return self._origins.of("tool", "poetry", *keys)

    def _wrong(self, words: str, hint: str, *keys: str | int) -> None:
        self.problems.append(InvalidProject(f"{self._origin(*keys)}: {words}", hint=hint))


def _is_optional(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("optional") is True
