"""Whether a project can be installed by metadata alone, with one of its directories on the import path.

Conservative: where a build backend could do more than copy one package or module, the answer
is no, and the project is built into a wheel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HARMLESS = {
    "setuptools": {"include-package-data", "zip-safe", "license-files", "packages"},
    "hatchling": {"version", "envs", "metadata", "build", "publish"},
    "flit_core": {"module", "sdist"},
    "poetry": {
        # What it leaves out: build scripts, and files that are added or taken away.
        *("name", "version", "description", "readme", "license", "authors", "maintainers", "keywords", "classifiers"),
        *("homepage", "repository", "documentation", "urls", "requires-poetry", "requires-plugins", "package-mode"),
        *("dependencies", "dev-dependencies", "group", "extras", "source", "scripts", "plugins", "packages"),
    },
    "pdm": {"dev-dependencies", "scripts", "source", "resolution", "distribution"},
    "uv_build": {"module-root", "module-name"},
}


def find_import_root(
    root: Path, *, name: str, backend: str | None, tool: Mapping[str, Any], modules: set[str]
) -> str | None:
    """``"src"`` or ``"."`` where the project's one package or module lies there; ``None`` where it must be built.

    ``modules`` are the top-level modules that its scripts are in.
    """
    family = _family(backend)
    if family is None:
        return None
    module = re.sub(r"[-_.]+", "_", name)
    spellings = {module, module.lower()}
    settings = _settings(family, tool)
    if settings is None:
        return None
    if family == "flit_core" and isinstance(settings.get("module"), dict):
        spellings = {str(settings["module"].get("name"))}
    if "module-name" in settings:
        spellings = {str(settings["module-name"])}
    found = {(r, m) for r in ("src", ".") for m in spellings if _is_module(root / r / m)}
    # On a file system that ignores case both spellings are one directory.
    roots = {r for r, _ in found}
    if len(roots) != 1 or (modules and not modules <= {m for _, m in found}):
        return None
    (where,) = roots
    found_names = {m for _, m in found}
    if not _fits(family, settings, where, found_names) or (family == "setuptools" and _has_legacy_setup(root)):
        return None
    return where


def _family(backend: str | None) -> str | None:
    if backend is None:
        return "setuptools"  # PEP 517: without a build backend named, setuptools is it
    families = {
        "setuptools.build_meta": "setuptools",
        "setuptools.build_meta:__legacy__": "setuptools",
        "hatchling.build": "hatchling",
        "flit_core.buildapi": "flit_core",
        "poetry.core.masonry.api": "poetry",
        "pdm.backend": "pdm",
        "uv_build": "uv_build",
    }
    return families.get(backend)


def _settings(family: str, tool: Mapping[str, Any]) -> dict[str, Any] | None:
    """The backend's own table, or ``None`` where it says something that is not known to be harmless."""
    tables = {"hatchling": "hatch", "flit_core": "flit", "uv_build": "uv"}
    table = tool.get(tables.get(family, family), {})
    if family == "uv_build" and isinstance(table, dict):
        table = table.get("build-backend", {})
    if not isinstance(table, dict) or not set(table) <= _HARMLESS[family]:
        return None
    return table


def _fits(family: str, settings: Mapping[str, Any], where: str, modules: set[str]) -> bool:
    if family == "setuptools":
        packages = settings.get("packages")
        return packages is None or packages == {"find": {"where": [where]}} or packages in [[m] for m in modules]
    if family == "hatchling":
        build = settings.get("build", {})
        paths = [[m if where == "." else f"{where}/{m}"] for m in modules]
        allowed = [{"targets": {"wheel": {"packages": p}}} for p in paths]
        plain = {k: v for k, v in build.items() if k != "targets"}
        targets = {k: v for k, v in build.get("targets", {}).items() if k != "sdist"}
        rest = {**plain, **({"targets": targets} if targets else {})}
        return "hooks" not in settings.get("metadata", {}) and (not rest or rest in allowed)
    if family == "poetry":
        packages = settings.get("packages")
        allowed_packages = [[{"include": m, **({"from": where} if where != "." else {})}] for m in modules]
        return settings.get("package-mode", True) is True and (packages is None or packages in allowed_packages)
    if family == "uv_build":
        return str(settings.get("module-root", "src")) in ({"src"} if where == "src" else {"", "."})
    return True


def _is_module(path: Path) -> bool:
    return (path / "__init__.py").is_file() or path.with_name(path.name + ".py").is_file()


def _has_legacy_setup(root: Path) -> bool:
    return (root / "setup.py").exists() or (root / "setup.cfg").exists()
