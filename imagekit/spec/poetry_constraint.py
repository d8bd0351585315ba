"""Poetry's dependency declarations, read by poetry-core, which defines what they mean."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from imagekit.errors import InvalidRequirement
from imagekit.nearest import nearest_hint
from imagekit.spec.url import redacted

if TYPE_CHECKING:
    from poetry.core.factory import Factory
    from poetry.core.packages.dependency import Dependency

# poetry-core's schema of a dependency (poetry/core/json/schemas/poetry-schema.json), and what locks add.
_TEXTS = frozenset("version python platform markers source git branch tag rev subdirectory path file url".split())
_FLAGS = frozenset("allow-prereleases allows-prereleases optional develop".split())
_KEYS = _TEXTS | _FLAGS | {"extras"}


def poetry_factory() -> type[Factory]:
    """poetry-core's reader; what it says about the form of a table that it takes is for Poetry's own users."""
    # Importing it takes a tenth of a second, and only Poetry's projects need it.
    from poetry.core.factory import Factory

    logging.getLogger("poetry").addHandler(logging.NullHandler())
    return Factory


def poetry_dependency(name: str, constraint: Any, root: Path | None, origin: str) -> Dependency:
    """``name = constraint`` of a Poetry table; ``InvalidRequirement`` names ``origin``."""
    if not isinstance(constraint, (str, Mapping)):
        raise InvalidRequirement(f"{origin}: {name} is {constraint!r}, no version", hint=f'write {name} = "^1.2"')
    if isinstance(constraint, Mapping) and (unknown := sorted(set(constraint) - _KEYS)):
        raise InvalidRequirement(
            f"{origin}: {name}: {unknown[0]!r} is not a key of a dependency", hint=nearest_hint(unknown[0], _KEYS)
        )
    for key, value in constraint.items() if isinstance(constraint, Mapping) else ():
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        fits = isinstance(value, str) if key in _TEXTS else isinstance(value, bool) if key in _FLAGS else is_list
        if not fits:
            what = "a string" if key in _TEXTS else "true or false" if key in _FLAGS else "a list of strings"
            raise InvalidRequirement(f"{origin}: {name}: {key} is not {what}", hint=f"make it {what}")
    try:
        return poetry_factory().create_dependency(name, constraint, root_dir=root)
    except Exception as problem:  # also its parser's own, which share no class; it reads text and nothing else
        words = redacted(" ".join(str(problem).split())) or "not a dependency that Poetry knows"
        raise InvalidRequirement(f"{origin}: {name}: {words}", hint=f'write {name} = "^1.2"') from None


def one_range(constraint: Any) -> str | None:
    """The PEP 440 specifiers of ranges that touch each other (``^1 || ^2``); ``None`` for any other constraint."""
    ranges = _ranges(constraint)
    if len(ranges) < 2:
        return None
    for low, high in pairwise(ranges):
        if low.max is None or high.min is None or _bound(low.max) != _bound(high.min):
            return None
        if not (low.include_max or high.include_min):
            return None
    return _specifiers(ranges[0], ranges[-1])


def highest_range(constraint: Any) -> str:
    """The PEP 440 specifiers of the highest of a constraint's ranges; any version where it has none."""
    ranges = _ranges(constraint)
    return _specifiers(ranges[-1], ranges[-1]) if ranges else "*"


def _ranges(constraint: Any) -> list[Any]:
    return sorted(getattr(constraint, "ranges", ()), key=lambda r: (r.min is not None, r.min))


def _specifiers(first: Any, last: Any) -> str:
    parts = [] if first.min is None else [f">{'=' if first.include_min else ''}{_bound(first.min)}"]
    parts += [] if last.max is None else [f"<{'=' if last.include_max else ''}{_bound(last.max)}"]
    return ",".join(parts)


def _bound(version: Any) -> Version:
    """A range's end: poetry-core writes ``<2`` as ``<2.dev0``, so that no pre-release of 2 is in it."""
    found = Version(str(version))
    return Version(found.base_version) if found.dev == 0 and found.pre is None else found
