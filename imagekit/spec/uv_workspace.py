"""uv's workspaces: which project belongs to which, and what its ``uv.lock`` was made from (docs.astral.sh/uv)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.origins import Origins
from imagekit.spec.toml import read_toml
from imagekit.spec.typed_table import TypedTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace, or a project alone: the directory that holds the lock, and its members' directories by name."""

    root: Path
    members: Mapping[str, Path]  # normalized names; the root's own among them, if it is a project

    def name_of(self, directory: Path) -> str | None:
        """The member that lies in ``directory``."""
        return next((name for name, path in self.members.items() if path == directory), None)


def find_workspace(project: Path) -> Workspace:
    """The workspace that the directory ``project`` belongs to; one of it alone where it belongs to none.

    :class:`InvalidProject` for a ``pyproject.toml`` that cannot be read.
    """
    own = uv_table(project, project)
    if "workspace" in own:
        return _workspace(project, own)
    for above in project.parents:
        if not (above / "pyproject.toml").is_file():
            continue
        table = uv_table(above, project)
        if "workspace" not in table:
            continue
        workspace = _workspace(above, table)
        if workspace.name_of(project) is not None:
            return workspace
        break  # uv, too, asks the nearest workspace alone
    return Workspace(root=project, members=_named(project))


def uv_table(directory: Path, project: Path, problems: list[InputError] | None = None) -> TypedTable:
    """``[tool.uv]`` of the ``pyproject.toml`` in ``directory``, called as it is seen from ``project``."""
    path = directory / "pyproject.toml"
    tables: dict[str, Any] = read_toml(path, InvalidProject) if is_there(path) else {}
    origins = Origins(path, os.path.relpath(path, project))
    return TypedTable(tables.get("tool"), origins, ("tool",), problems).table("uv")


def is_there(path: Path) -> bool:
    """Whether ``path`` can be opened: a build that was remembered is known by what it tried to open."""
    try:
        path.open("rb").close()
    except (OSError, ValueError):
        return False
    return True


def _workspace(root: Path, uv: TypedTable) -> Workspace:
    table = uv.table("workspace")
    excluded = {path for pattern in table.texts("exclude") for path in _matching(root, pattern, table, "exclude")}
    members = dict(_named(root))
    for pattern in table.texts("members"):
        for path in _matching(root, pattern, table, "members"):
            if path not in excluded and (path / "pyproject.toml").is_file():
                members |= _named(path)
    table.raise_problems()
    return Workspace(root=root, members=members)


def _matching(root: Path, pattern: str, table: TypedTable, key: str) -> Iterator[Path]:
    pattern = pattern.strip("/")
    if pattern in (".", ""):
        return
    if pattern.startswith("..") or "/.." in pattern:
        table.wrong(f"tool.uv.workspace names {pattern!r}, outside the workspace", "name members below it", key)
        return
    try:
        yield from (path.resolve() for path in sorted(root.glob(pattern)) if path.is_dir())
    except (ValueError, NotImplementedError, OSError, RecursionError):
        table.wrong(f"tool.uv.workspace: {pattern!r} is no pattern of paths", 'write members = ["packages/*"]', key)


def _named(directory: Path) -> dict[str, Path]:
    if not (directory / "pyproject.toml").is_file():
        return {}
    project = read_toml(directory / "pyproject.toml", InvalidProject).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return {canonicalize_name(name): directory} if isinstance(name, str) else {}
