"""Checks of what is configured: the user's file and profile, variables, the project here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.cli.finding import FAIL, OK, WARN, Finding, told

if TYPE_CHECKING:
    from imagekit.settings import Settings


def configured(settings: Settings, project: Path) -> Iterator[Finding]:
    """What is configured, and by which files."""
    yield _file(settings)
    yield from _variables()
    yield from _project(settings, project)


def _file(settings: Settings) -> Finding:
    path = settings.config_file
    where = str(path) if path.exists() else f"none ({path})"
    profile = f", profile {settings.profile} ({settings.origin('profile')})" if settings.profile else ""
    return Finding(name="configuration", status=OK, message=f"{where}{profile}")


def _variables() -> Iterator[Finding]:
    from imagekit.nearest import nearest
    from imagekit.settings.variables import known_variables, unknown_variables

    for name in unknown_variables(os.environ):
        meant = nearest(name, known_variables())
        yield Finding(
            name="variables",
            status=WARN,
            message=f"{name} means nothing",
            mend=f"unset {name}" + (f", or set {meant}" if meant else ""),
        )


def _project(settings: Settings, project: Path) -> Iterator[Finding]:
    from imagekit.errors import InputError
    from imagekit.settings.view import settings_of_project

    try:
        found = settings_of_project(settings, project)
    except InputError as error:
        yield Finding(name="project", status=FAIL, message=told(error), mend=error.hint)
        return
    files = sorted(
        {
            each.origin.source.path.name
            for each in found
            if each.origin.source is not None and each.origin.source.path.parent == project.resolve()
        }
    )
    if files:
        yield Finding(name="project", status=OK, message=", ".join(files))
    elif any((project / name).exists() for name in ("pyproject.toml", "requirements.txt", "setup.py")):
        yield Finding(
            name="project", status=OK, message="no keys of imagekit: defaults hold (imagekit init writes some)"
        )
