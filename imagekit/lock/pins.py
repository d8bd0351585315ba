"""Packages that come from one index alone: how uv is told, and that it holds for what others need, too.

uv knows an index of a package by ``[tool.uv.sources]`` of the project that asks for it, and only for what that
project asks for itself. So the requirements in question go to it in a ``pyproject.toml``, and a pinned package that
turns out to be needed by another is asked for as well: else it would come from wherever its name is found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imagekit.errors import InvalidConfig, NoWheel, Unsatisfiable
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.spec.image import Indexes, RequirementLine

PROJECT = "pyproject.toml"


def pinned(indexes: Indexes, target: Target) -> dict[str, str]:
    """Package → name of the index that it comes from on ``target``; the first pin of a package that applies."""
    found: dict[str, str] = {}
    for pin in indexes.pins:
        if not pin.marker or Marker(pin.marker).evaluate({**target.environment, "extra": ""}):
            found.setdefault(pin.package, pin.index)
    return found


def split_lines(
    lines: Iterable[RequirementLine], pins: Iterable[str], also: Iterable[str] = ()
) -> tuple[list[RequirementLine], list[RequirementLine]]:
    """``lines`` of ordinary packages, and those of pinned ones with the packages ``also``, which others need."""
    names = frozenset(pins)
    ordinary: list[RequirementLine] = []
    own: list[RequirementLine] = []
    for line in lines:
        requirement = Requirement(line.text)
        is_pinned = canonicalize_name(requirement.name) in names and requirement.url is None
        (own if is_pinned else ordinary).append(line)
    return ordinary, [*own, *(RequirementLine(text=name, origin="the indexes") for name in also)]


def project_text(lines: Sequence[RequirementLine], indexes: Indexes, pins: dict[str, str]) -> str:
    """A ``pyproject.toml`` that asks for ``lines``, each from the index that it is pinned to."""
    by_name = {each.name: each for each in indexes.named}
    text = ["[project]", 'name = "imagekit-request"', 'version = "0"', "dependencies = ["]
    text += [f"  {_quoted(line.text)}," for line in lines]
    text += ["]", "[tool.uv.sources]"]
    text += [f"{_quoted(package)} = {{ index = {_quoted(index)} }}" for package, index in sorted(pins.items())]
    for name in sorted(set(pins.values())):
        text += [
            "[[tool.uv.index]]",
            f"name = {_quoted(name)}",
            f"url = {_quoted(by_name[name].url)}",
            "explicit = true",
        ]
    return "\n".join((*text, ""))


def ask_with_pins(pins: Iterable[str], direct: Iterable[str], ask: Callable[[tuple[str, ...]], Lock]) -> Lock:
    """What ``ask`` answers when it is told of every pinned package that is needed, though nobody asks for it."""
    candidates = set(pins) - set(direct)
    also: tuple[str, ...] = ()
    while True:
        try:
            lock = ask(also)
        except (Unsatisfiable, NoWheel) as error:
            words = f"{error.message}\n{error.details or ''}"
            more = {
                name for name in candidates - set(also) if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", words)
            }
            if not more:
                raise
        else:
            more = {package.name for package in lock.packages} & candidates - set(also)
            if not more:
                return lock
        also = tuple(sorted({*also, *more}))


def refuse_pins(indexes: Indexes, resolver: str) -> None:
    """``InvalidConfig`` where ``resolver`` cannot keep to them."""
    if indexes.pins and resolver != "uv":
        raise InvalidConfig(
            f"{indexes.pins[0].package} comes from the index {indexes.pins[0].index} alone, and {resolver} cannot hold "
            "to that: all indexes are one to it",
            hint='resolve with uv: resolver = "uv"',
        )


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(text, ensure_ascii=False)
