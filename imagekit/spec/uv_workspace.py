"""uv's workspaces: which project belongs to which, and what its ``uv.lock`` was made from (docs.astral.sh/uv)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject
from imagekit.spec.toml import read_toml


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
    own = _uv(project).get("workspace")
    if own is not None:
        return _workspace(project, own)
    for above in project.parents:
        table = _uv(above).get("workspace") if (above / "pyproject.toml").is_file() else None
        if table is None:
            continue
        workspace = _workspace(above, table)
        if workspace.name_of(project) is not None:
            return workspace
        break  # uv, too, asks the nearest workspace alone
    return Workspace(root=project, members=_named(project))


def _workspace(root: Path, table: Any) -> Workspace:
    if not isinstance(table, dict) or not all(_is_list(table.get(key, [])) for key in ("members", "exclude")):
        raise InvalidProject(
            f"{root.name}/pyproject.toml: tool.uv.workspace is not a table of lists",
            hint='write members = ["packages/*"]',
        )
    excluded = {path for pattern in table.get("exclude", []) for path in _matching(root, pattern)}
    members = dict(_named(root))
    for pattern in table.get("members", []):
        for path in _matching(root, pattern):
            if path not in excluded and (path / "pyproject.toml").is_file():
                members |= _named(path)
    return Workspace(root=root, members=members)


def _matching(root: Path, pattern: str) -> Iterator[Path]:
    pattern = pattern.strip("/")
    if pattern in (".", ""):
        return
    if pattern.startswith("..") or "/.." in pattern:
        raise InvalidProject(
            f"pyproject.toml: tool.uv.workspace names {pattern!r}, outside the workspace", hint="name members below it"
        )
    yield from (path.resolve() for path in sorted(root.glob(pattern)) if path.is_dir())


def _named(directory: Path) -> dict[str, Path]:
    if not (directory / "pyproject.toml").is_file():
        return {}
    project = read_toml(directory / "pyproject.toml", InvalidProject).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return {canonicalize_name(name): directory} if isinstance(name, str) else {}


def _uv(directory: Path) -> Mapping[str, Any]:
    path = directory / "pyproject.toml"
    if not path.is_file():
        return {}
    tool = read_toml(path, InvalidProject).get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return uv if isinstance(uv, dict) else {}


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
