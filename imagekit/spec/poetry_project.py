"""A project of Poetry's own table, without ``[project]``: its metadata, as poetry-core writes them into a wheel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.spec.image import Project
from imagekit.spec.import_root import find_import_root
from imagekit.spec.poetry_constraint import poetry_factory

BACKEND = "poetry.core.masonry.api"


def poetry_project(path: Path, tables: Mapping[str, Any], *, name: str, version: str | None) -> Project:
    """The project of the pyproject.toml ``path``.

    ``import_root`` is ``None``, so that it is built, wherever its build could do more than copy one package, or
    poetry-core does not take its table.
    """
    built = Project(name=name, version=version, import_root=None)
    if (tables.get("build-system") or {}).get("build-backend") != BACKEND:
        return built
    if not all(_is_inside(path.parent, name) for name in _readmes(tables)):
        return built
    try:
        metadata, points = _metadata(path.parent)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OSError):
        return built
    # A dependency at a path has no place in the image.
    if "file://" in metadata:
        return built
    by_group = {group: tuple(sorted(pairs)) for group, pairs in points.items()}
    scripts, gui = by_group.pop("console_scripts", ()), by_group.pop("gui_scripts", ())
    modules = {value.split(":")[0].split(".")[0].strip() for _, value in (*scripts, *gui)}
    root = find_import_root(path.parent, name=name, backend=BACKEND, tool=tables.get("tool", {}), modules=modules)
    if root is None or version is None or any(":" not in value for _, value in (*scripts, *gui)):
        return built
    return Project(
        name=name,
        version=version,
        import_root=root,
        scripts=scripts,
        gui_scripts=gui,
        entry_points=tuple((group, n, v) for group, pairs in sorted(by_group.items()) for n, v in pairs),
        metadata=metadata,
    )


def _metadata(directory: Path) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """``METADATA``, and by group the names and values of the entry points."""
    from poetry.core.masonry.builders.builder import Builder

    builder = Builder(poetry_factory()().create_poetry(directory))
    points: dict[str, list[tuple[str, str]]] = {}
    for group, lines in builder.convert_entry_points().items():
        points[group] = [(name.strip(), value.strip()) for name, _, value in (line.partition("=") for line in lines)]
    return builder.get_metadata_content(), points


def _readmes(tables: Mapping[str, Any]) -> list[str]:
    written = tables["tool"]["poetry"].get("readme") or []
    return [name for name in ([written] if isinstance(written, str) else written) if isinstance(name, str)]


def _is_inside(directory: Path, name: str) -> bool:
    return (directory / name).resolve().is_relative_to(directory.resolve())
