"""One table of another program's lock, read with the kinds that its values must have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from imagekit.errors import InvalidProject
from imagekit.spec.url import redacted

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_NO_MARKER = (InvalidMarker, UndefinedEnvironmentName, UndefinedComparison)
_KINDS: Mapping[type, str] = {str: "a string", bool: "true or false", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTable:
    """A table, where it stands, and what mends it; each method is :class:`InvalidProject` for another kind of value."""

    values: Mapping[str, Any]
    origin: str  # "poetry.lock:12"
    remedy: str
    title: str = ""  # what it is about: a package's name

    @classmethod
    def of(cls, value: Any, origin: str, remedy: str, title: str = "") -> LockedTable:
        """``value``, which must be a table."""
        if not isinstance(value, dict):
            words = f"{title}: " if title else ""
            raise InvalidProject(f"{origin}: {words}{_shown(value)} is no table", hint=remedy)
        return cls(values=value, origin=origin, remedy=remedy, title=title)

    def wrong(self, words: str) -> InvalidProject:
        """The error that ``words`` describe."""
        about = f"{self.title}: " if self.title else ""
        return InvalidProject(redacted(f"{self.origin}: {about}{words}"), hint=self.remedy)

    def text(self, key: str) -> str:
        """A string; ``""`` where there is none."""
        value: str = self._of_kind(key, str, "")
        return value

    def table(self, key: str) -> LockedTable:
        """A table; an empty one where there is none."""
        return LockedTable(
            values=self._of_kind(key, dict, {}), origin=self.origin, remedy=self.remedy, title=self.title
        )

    def items(self, key: str) -> list[Any]:
        """A list of anything; an empty one where there is none."""
        value: list[Any] = self._of_kind(key, list, [])
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings; an empty one where there is none."""
        return [self._item(key, item, str) for item in self.items(key)]

    def tables(self, key: str) -> list[LockedTable]:
        """A list of tables; an empty one where there is none."""
        return [
            LockedTable(values=self._item(key, item, dict), origin=self.origin, remedy=self.remedy, title=self.title)
            for item in self.items(key)
        ]

    def name(self) -> str:
        """The package's ``name``, as it is written."""
        name = self.text("name")
        try:
            canonicalize_name(name, validate=True)
        except InvalidName:
            words = "a package without a name" if not name else f"{_shown(name)} is no name of a package"
            raise self.wrong(words) from None
        return name

    def version(self, key: str = "version") -> str:
        """A version (PEP 440), as it is written."""
        text = self.text(key)
        try:
            Version(text)
        except InvalidVersion:
            raise self.wrong(f"{_shown(text)} is no version" if text else f"it has no {key}") from None
        return text

    def marker(self, key: str) -> Marker | None:
        """A marker (PEP 508), where there is one."""
        return self.parsed_marker(self.text(key))

    def parsed_marker(self, text: str) -> Marker | None:
        """``text`` as a marker; ``None`` where it is empty."""
        try:
            return _marker(text) if text else None
        except (*_NO_MARKER, ValueError, TypeError, RecursionError) as problem:
            raise self.wrong(f"{_shown(text)} is no marker: {_one_line(problem)}") from None

    def specifiers(self, key: str) -> SpecifierSet:
        """A specifier set (PEP 440)."""
        text = self.text(key)
        try:
            return SpecifierSet(text)
        except InvalidSpecifier as problem:
            raise self.wrong(_one_line(problem)) from None

    def sha256s(self, texts: list[str]) -> tuple[str, ...]:
        """The sha256 hashes among ``texts`` (``ALGORITHM:HEX``), each once."""
        found = sorted({text for text in texts if text.startswith("sha256:")})
        if damaged := next((text for text in found if not _SHA256.fullmatch(text)), None):
            raise self.wrong(f"{_shown(damaged)} is no sha256 hash")
        return tuple(found)

    def _of_kind(self, key: str, kind: type, default: Any) -> Any:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.wrong(f"{key} is {_shown(value)}, and must be {_KINDS[kind]}")
        return value

    def _item(self, key: str, item: Any, kind: type) -> Any:
        if not isinstance(item, kind):
            raise self.wrong(f"{key} has {_shown(item)} in it, and must be a list of {_KINDS[kind][2:]}s")
        return item


@lru_cache(maxsize=4096)  # a lock has few that differ
def _marker(text: str) -> Marker:
    marker = Marker(text)
    # What it compares is seen only now: names that one environment lacks, and versions that are none.
    marker.evaluate({"extra": "", "extras": frozenset(), "dependency_groups": frozenset()})
    return marker


def _shown(value: Any) -> str:
    text = redacted(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _one_line(problem: Exception) -> str:
    return redacted(" ".join(str(problem).split()))
