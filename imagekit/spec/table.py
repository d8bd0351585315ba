"""``[tool.imagekit]`` of a pyproject.toml, or an ``imagekit.toml`` with the same keys: validated, nothing filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import InputError, InvalidConfig
from imagekit.spec.nearest import nearest_hint
from imagekit.spec.toml import line_of, read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The table's values as they were written; ``None`` where a key is not there."""

    name: str | None = None
    python: str | None = None
    base_image: str | None = None
    requirements: tuple[str, ...] | None = None  # files, relative to the context
    packages: tuple[str, ...] | None = None
    extras: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    env: Mapping[str, str] | None = None
    files: Mapping[str, str] | None = None  # source → target
    labels: Mapping[str, str] | None = None
    resolver: str | None = None
    source_builds: bool | tuple[str, ...] | None = None
    entrypoints: tuple[str, ...] | None = None
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] | None = None
    find_links: tuple[str, ...] | None = None
    no_index: bool | None = None
    include_source: bool | None = None
    health_check: bool | None = None
    workdir: str | None = None
    platform: str | None = None
    dockerignore: str | None = None


_STRING, _BOOL, _STRINGS, _STRING_TABLE = "a string", "true or false", "a list of strings", "a table of strings"
_BOOL_OR_STRINGS = "true, false or a list of strings"
_KEYS = {
    "name": _STRING,
    "python": _STRING,
    "base-image": _STRING,
    "requirements": _STRINGS,
    "packages": _STRINGS,
    "extras": _STRINGS,
    "groups": _STRINGS,
    "env": _STRING_TABLE,
    "files": _STRING_TABLE,
    "labels": _STRING_TABLE,
    "resolver": _STRING,
    "source-builds": _BOOL_OR_STRINGS,
    "entrypoints": _STRINGS,
    "index-url": _STRING,
    "extra-index-urls": _STRINGS,
    "find-links": _STRINGS,
    "no-index": _BOOL,
    "include-source": _BOOL,
    "health-check": _BOOL,
    "workdir": _STRING,
    "platform": _STRING,
    "dockerignore": _STRING,
}


def read_imagekit_toml(path: Path) -> Table:
    """An ``imagekit.toml``; ``InvalidConfig`` names each key at fault with its line."""
    return parse_table(read_toml(path, InvalidConfig), path, "")


def parse_table(table: Mapping[str, Any], path: Path, prefix: str = "[tool.imagekit] ") -> Table:
    """``table`` of the file ``path``; all that is wrong with it is raised at once."""
    problems: list[InputError] = []
    values: dict[str, Any] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    for key, value in table.items():
        line = line_of(text, key)
        where = f"{path.name}:{line}: {prefix}{key}" if line else f"{path.name}: {prefix}{key}"
        if key not in _KEYS:
            problems.append(InvalidConfig(f"{where} is not a known key", hint=nearest_hint(key, _KEYS)))
            continue
        try:
            values[key.replace("-", "_")] = _typed(value, _KEYS[key], where)
        except InvalidConfig as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return Table(**values)


def _typed(value: Any, what: str, where: str) -> Any:
    if what == _STRING and isinstance(value, str):
        return value
    if isinstance(value, bool) and what in (_BOOL, _BOOL_OR_STRINGS):
        return value
    if isinstance(value, list) and what in (_STRINGS, _BOOL_OR_STRINGS) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if isinstance(value, dict) and what == _STRING_TABLE:
        for key, item in value.items():
            if not isinstance(item, str):
                raise InvalidConfig(f"{where}.{key} is not a string", hint=_hint(item, key))
        return dict(value)
    raise InvalidConfig(f"{where} is not {what}", hint=_hint(value, where.rsplit(" ", 1)[-1], what))


def _hint(value: Any, key: str, what: str = _STRING) -> str:
    if what in (_BOOL, _BOOL_OR_STRINGS) and isinstance(value, str):
        return f"write {key} = true or {key} = false, without quotes"
    if what == _STRING and isinstance(value, (bool, int, float)):
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        # TOML's 3.10 is the number 3.1.
        shown = "3.10" if key == "python" and shown == "3.1" else shown
        return f'put it in quotes: {key} = "{shown}"'
    if what == _STRINGS and isinstance(value, str):
        return f'write a list: {key} = ["{value}"]'
    return f"make it {what}"
