"""Every setting with its value and where that comes from: the machine's, and a project's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from imagekit.errors import InvalidProject
from imagekit.settings import Settings
from imagekit.settings.keys import machine_keys
from imagekit.settings.origin import DEFAULT, Origin
from imagekit.settings.project import table_of_environment, table_of_user
from imagekit.spec.keys import keys_of
from imagekit.spec.table import Table, layered, project_table
from imagekit.spec.toml import read_toml
from imagekit.spec.url import redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting as people see it; no credential is in it."""

    name: str
    value: Any  # as JSON has it
    origin: Origin
    otherwise: str = ""  # what holds where there is no value, in words

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, **self.origin.to_json()}


def settings_of_machine(settings: Settings) -> list[Shown]:
    """How imagekit is set up here."""
    keys = machine_keys()
    return [
        Shown(
            name=name,
            value=_shown(value),
            origin=settings.origins.get(name, DEFAULT),
            otherwise=keys[name].key.otherwise if name in keys else "",
        )
        for name, value in settings.view().items()
    ]


def settings_of_project(settings: Settings, context: Path) -> list[Shown]:
    """What a build of the project in ``context`` goes by, arguments aside."""
    context = context.resolve()
    if not context.is_dir():
        raise InvalidProject(f"{context} is no directory", hint="name the directory of the project")
    own, source = project_table(context, _in_pyproject(context))
    environment, of_environment = table_of_environment(settings.variables)
    user, of_user = table_of_user(settings.file, settings.profile) if settings.file is not None else (Table(), {})
    table = layered(environment, own, user)
    found = []
    for name, declared in keys_of(Table).items():
        value = getattr(table, declared.attribute)
        if name in of_environment:
            origin = of_environment[name]
        elif source is not None and getattr(own, declared.attribute) is not None:
            origin = Origin(source=source, path=(name,))
        else:
            origin = of_user.get(name, DEFAULT)
        shown = declared.key.default if value is None else value
        found.append(Shown(name=name, value=_shown(shown), origin=origin, otherwise=declared.key.otherwise))
    return found


def _in_pyproject(context: Path) -> Mapping[str, Any] | None:
    path = context / "pyproject.toml"
    tool = read_toml(path, InvalidProject).get("tool") if path.exists() else None
    found = tool.get("imagekit") if isinstance(tool, dict) else None
    if found is not None and not isinstance(found, dict):
        raise InvalidProject(f"{path.name}: tool.imagekit is not a table", hint="make it a table")
    return found


def _shown(value: Any, name: str = "") -> Any:
    """``value``, which is called ``name``, as JSON has it; ``***`` for what is a credential or holds one."""
    from imagekit.secrets.command_text import in_command, in_pair
    from imagekit.secrets.needles import CONCEALED
    from imagekit.secrets.redaction import without_credentials

    if isinstance(value, str):
        text = without_credentials(redacted(value))
        # What is left is one by its name, or as a program is told it.
        return CONCEALED if (in_pair(name, text) if name else in_command(text)) is not None else text
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _shown(item, key) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        items = ((key, getattr(value, each.attribute)) for key, each in keys_of(type(value)).items())
        return {key: _shown(item) for key, item in items if item is not None}
    return value
