"""A project's keys as the environment and the user's configuration give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import InputError
from imagekit.settings.config_file import ConfigFile
from imagekit.settings.origin import Origin
from imagekit.spec.keys import keys_of
from imagekit.spec.table import Table


def table_of_environment(environ: Mapping[str, str]) -> tuple[Table, dict[str, Origin]]:
    """``IMAGEKIT_PYTHON`` and the like; what is wrong with any of them is raised at once."""
    values: dict[str, Any] = {}
    origins = {}
    problems: list[InputError] = []
    for name, declared in keys_of(Table).items():
        if text := environ.get(declared.variable):
            origins[name] = Origin.of_variable(declared.variable)
            try:
                values[declared.attribute] = declared.of_text(text, declared.variable)
            except InputError as problem:
                problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return Table(**values), origins


def table_of_user(file: ConfigFile, profile: str | None) -> tuple[Table, dict[str, Origin]]:
    """What the profile, or the user's configuration for all of them, says of projects."""
    values: dict[str, Any] = {}
    origins = {}
    for name, declared in keys_of(Table).items():
        if (found := file.find(name, profile)) is not None:
            values[declared.attribute], origins[name] = found
    return Table(**values), origins
