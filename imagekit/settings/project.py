"""A project's keys as the environment and the user's configuration give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import InputError
from imagekit.settings.config_file import ConfigFile
from imagekit.settings.origin import Origin
from imagekit.spec.keys import keys_of
from imagekit.spec.table import Table, layered


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
    origins = {}
    for name in keys_of(Table):
        if (found := file.find(name, profile)) is not None:
            origins[name] = found[1]
    return layered(_of_user(file.table(profile)), _of_user(file.values)), origins


def _of_user(values: Mapping[str, Any]) -> Table:
    known = keys_of(Table)
    return Table(**{known[name].attribute: value for name, value in values.items() if name in known})
