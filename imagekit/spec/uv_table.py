"""``[tool.uv]``: where requirements come from, and what else decides a resolution (docs.astral.sh/uv, "Settings").

With a ``uv.lock`` uv itself has honoured it. Without one it is honoured here as far as ``uv pip compile`` can be
told of it; what it cannot be told of is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject, InvalidRequirement
from imagekit.spec.image import Indexes, IndexPin, NamedIndex, RequirementLine
from imagekit.spec.origins import Origins
from imagekit.spec.requirement import parse_requirements
from imagekit.spec.url import refuse_login

# What changes a resolution, or a build, and cannot be passed on.
_NOT_HONOURED = (
    "build-constraint-dependencies",
    "config-settings",
    "config-settings-package",
    "dependency-metadata",
    "exclude-dependencies",
    "exclude-newer-package",
    "extra-build-dependencies",
    "extra-build-variables",
    "no-build-isolation",
    "no-build-isolation-package",
    "no-sources",
    "no-sources-package",
)
# Of builds alone: they matter where something is built, with a lock, too.
_OF_BUILDS = frozenset(name for name in _NOT_HONOURED if "build" in name or "config" in name)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T|$)")
_CHOICES = {
    "resolution": {"highest"},
    "prerelease": {"allow", "if-necessary", "if-necessary-or-explicit", "explicit"},
    "index-strategy": {"first-index", "unsafe-best-match"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UvTable:
    """What ``[tool.uv]`` says, as far as it is honoured."""

    sources: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)  # by normalized name
    constraints: tuple[RequirementLine, ...] = ()
    overrides: tuple[RequirementLine, ...] = ()
    indexes: Indexes = field(default_factory=Indexes)
    dev: tuple[RequirementLine, ...] = ()  # dev-dependencies, a group called dev
    is_package: bool | None = None
    exclude_newer: str | None = None
    prereleases: bool = False
    any_index: bool = False
    no_binary: tuple[str, ...] = ()


def read_uv_table(path: Path, tables: Mapping[str, Any], *, locked: bool, builds: bool) -> UvTable:
    """``[tool.uv]`` of the pyproject.toml ``path``, whose content is ``tables``.

    ``locked``: a ``uv.lock`` is used. ``builds``: something is, or may be, built from source. All that is wrong
    is raised at once, by file and line.
    """
    tool = tables.get("tool")
    table = tool.get("uv") if isinstance(tool, dict) else None
    if table is None:
        return UvTable()
    if not isinstance(table, dict):
        raise InvalidProject(f"{path.name}: tool.uv is not a table", hint="make it a table")
    reader = _Reader(path, table)
    reader.refuse(locked=locked, builds=builds)
    found = UvTable(
        sources=reader.sources,
        constraints=() if locked else reader.lines("constraint-dependencies"),
        overrides=() if locked else reader.lines("override-dependencies"),
        indexes=reader.indexes(),
        dev=reader.lines("dev-dependencies"),
        is_package=table.get("package") if isinstance(table.get("package"), bool) else None,
        exclude_newer=None if locked else reader.moment("exclude-newer"),
        prereleases=not locked and reader.text("prerelease") == "allow",
        any_index=not locked and reader.text("index-strategy") == "unsafe-best-match",
        no_binary=reader.no_binary(),
    )
    if reader.problems:
        raise InputError.join(reader.problems)
    return found


class _Reader:
    def __init__(self, path: Path, table: Mapping[str, Any]) -> None:
        self.path, self.table = path, table
        self.problems: list[InputError] = []
        self._origins = Origins(path)

    def origin(self, *keys: str | int) -> str:
        return self._origins.of("tool", "uv", *keys)

    def refuse(self, *, locked: bool, builds: bool) -> None:
        for key in _NOT_HONOURED:
            value = self.table.get(key)
            if not value or (key in _OF_BUILDS and not builds) or (locked and key not in _OF_BUILDS):
                continue
            hint = "lock it with uv: uv lock" if key not in _OF_BUILDS else "take it out: builds get what they ask for"
            self._wrong(f"[tool.uv] {key} is not honoured", hint, key)
        for key, known in _CHOICES.items():
            value = self.table.get(key)
            if value is not None and not locked and value not in known:
                self._wrong(f"[tool.uv] {key} = {value!r} is not honoured", "lock it with uv: uv lock", key)

    def lines(self, key: str) -> tuple[RequirementLine, ...]:
        value = self.table.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(f"[tool.uv] {key} is not a list of requirements", "make it one", key)
            return ()
        found: list[RequirementLine] = []
        for number, text in enumerate(value):
            try:
                found += parse_requirements([text], self.origin(key, number))
            except InvalidRequirement as problem:
                self.problems.append(problem)
        return tuple(found)

    def text(self, key: str) -> str | None:
        value = self.table.get(key)
        return value if isinstance(value, str) else None

    def moment(self, key: str) -> str | None:
        value = self.table.get(key)
        if value is None or (isinstance(value, str) and _MOMENT.match(value)):
            return value
        hint = f'write {key} = "2026-01-31", which is the same tomorrow, or lock it with uv: uv lock'
        self._wrong(f"[tool.uv] {key} = {str(value)!r} is no date", hint, key)
        return None

    def no_binary(self) -> tuple[str, ...]:
        if self.table.get("no-binary") is True:
            return (":all:",)
        names = self.table.get("no-binary-package") or []
        return tuple(canonicalize_name(name) for name in names if isinstance(name, str))

    @cached_property
    def sources(self) -> dict[str, tuple[Mapping[str, Any], ...]]:
        written = self.table.get("sources") or {}
        found: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for name, value in written.items() if isinstance(written, dict) else ():
            entries = value if isinstance(value, list) else [value]
            if all(isinstance(entry, dict) for entry in entries):
                found[canonicalize_name(name)] = tuple(entries)
            else:
                self._wrong(f"[tool.uv.sources] {name} is not a table", f"write {name} = {{ … }}", "sources", name)
        return found

    def indexes(self) -> Indexes:
        default, extra, links = self.text("index-url"), [*self._texts("extra-index-url")], [*self._texts("find-links")]
        named: list[NamedIndex] = []
        written = self.table.get("index") or []
        for number, entry in enumerate(written if isinstance(written, list) else [written]):
            url = entry.get("url") if isinstance(entry, dict) else None
            if not isinstance(url, str):
                self._wrong("[[tool.uv.index]] has no url", 'write url = "https://HOST/simple"', "index", number)
                continue
            name = entry.get("name")
            if "://" not in url:
                url = (self.path.parent / url).resolve().as_uri()
            self._check_url(url, "index", number)
            if isinstance(name, str):
                named.append(NamedIndex(name=name, url=url, explicit=entry.get("explicit") is True))
            if entry.get("explicit") is True:
                continue
            if entry.get("format") == "flat":
                links.append(url)
            elif entry.get("default") is True:
                default = url
            else:
                extra.append(url)
        pins = [
            IndexPin(package=name, index=entry["index"], marker=str(entry.get("marker") or ""))
            for name, entries in self.sources.items()
            for entry in entries
            if isinstance(entry.get("index"), str)
        ]
        for pin in pins:
            if pin.index not in {one.name for one in named}:
                words = f"[tool.uv.sources] {pin.package} names the index {pin.index!r}, which is not there"
                self._wrong(words, f'add [[tool.uv.index]] name = "{pin.index}"', "sources", pin.package)
        for key, urls in (("index-url", [self.text("index-url")]), ("extra-index-url", self._texts("extra-index-url"))):
            for url in filter(None, urls):
                self._check_url(url, key)
        for link in links:
            self._check_url(link, "find-links")
        here = [link if "://" in link else str((self.path.parent / link).resolve()) for link in links]
        return Indexes(
            default=default,
            extra=tuple(dict.fromkeys(extra)),
            find_links=tuple(dict.fromkeys(here)),
            no_index=self.table.get("no-index") is True,
            named=tuple(named),
            pins=tuple(pins),
        )

    def _texts(self, key: str) -> list[str]:
        value = self.table.get(key) or []
        return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []

    def _check_url(self, url: str, *keys: str | int) -> None:
        try:
            refuse_login(url, self.origin(*keys))
        except InvalidRequirement as problem:
            self.problems.append(problem)

    def _wrong(self, words: str, hint: str, *keys: str | int) -> None:
        self.problems.append(InvalidProject(f"{self.origin(*keys)}: {words}", hint=hint))


def negated(marker: str) -> str | None:
    """The marker that holds where ``marker`` does not; ``None`` where that is more than one comparison."""
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in", "not in": "in"}
    try:
        parts = Marker(marker)._markers
    except InvalidMarker:
        return None
    if len(parts) != 1 or not isinstance(parts[0], tuple):
        return None
    left, operator, right = parts[0]
    if operator.value not in opposite:
        return None
    return f"{left.serialize()} {opposite[operator.value]} {right.serialize()}"


def joined(indexes: Indexes, more: Indexes) -> Indexes:
    """``indexes``, and behind them ``more``."""
    return replace(
        indexes,
        default=indexes.default if indexes.default is not None else more.default,
        extra=tuple(dict.fromkeys((*indexes.extra, *more.extra))),
        find_links=tuple(dict.fromkeys((*indexes.find_links, *more.find_links))),
        no_index=indexes.no_index or more.no_index,
        named=tuple(dict.fromkeys((*indexes.named, *more.named))),
        pins=tuple(dict.fromkeys((*indexes.pins, *more.pins))),
    )
