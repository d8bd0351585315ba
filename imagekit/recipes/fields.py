"""Fields of recipes: what is written in braces and differs from base to base."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What each stands for; ``multiarch`` is the directory of shared libraries below /usr/lib.
FIELDS = ("id", "version_id", "codename", "architecture", "multiarch")
# A shell's ${id} is none.
_FIELD = re.compile(r"(?<!\$)\{(" + "|".join(FIELDS) + r")\}")
_BRACES = re.compile(r"\{([^{}]*)\}")


def fields_in(text: str) -> set[str]:
    """The fields that ``text`` has."""
    return set(_FIELD.findall(text))


def unknown_fields(text: str) -> list[str]:
    """What stands in braces in ``text`` and is no field."""
    return [name for name in _BRACES.findall(text) if name not in FIELDS]


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with the fields that have a value among ``values``; all else in braces stays as it is."""
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), text)
