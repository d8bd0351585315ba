"""The default namespace as Prefect itself would find it.

Source: PrefectHQ/prefect, ``settings/models/deployments.py`` (names) and
``settings/sources.py`` (order: environment, ``.env``, ``prefect.toml``, ``pyproject.toml``, profile).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imagekit.errors import InvalidConfig
from imagekit.spec.toml import read_toml

NAMES = ("PREFECT_DEPLOYMENTS_DEFAULT_DOCKER_BUILD_NAMESPACE", "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE")
_DOTENV = re.compile(r"^\s*(?:export\s+)?([A-Z_]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^#\n]*)", re.MULTILINE)


def prefect_namespace(environ: Mapping[str, str], cwd: Path, home: Path) -> tuple[str, str] | None:
    """The namespace and where it is set, or ``None``. A file of Prefect's that cannot be read is passed over."""
    return next(_found(environ, cwd, home), None)


def _found(environ: Mapping[str, str], cwd: Path, home: Path) -> Iterator[tuple[str, str]]:
    dotenv = _dotenv(cwd / ".env")
    for source, where in ((environ, ""), (dotenv, f" in {cwd / '.env'}")):
        for name in NAMES:
            if source.get(name):
                yield source[name], f"{name}{where}"
    prefect_toml = _toml(cwd / "prefect.toml")
    pyproject = _table(_toml(cwd / "pyproject.toml"), "tool", "prefect")
    for tables, where in ((prefect_toml, "prefect.toml"), (pyproject, "pyproject.toml")):
        value = _table(tables, "deployments").get("default_docker_build_namespace")
        if isinstance(value, str) and value:
            yield value, f"{cwd / where}"
    profiles = (
        environ.get("PREFECT_PROFILES_PATH")
        or dotenv.get("PREFECT_PROFILES_PATH")
        or prefect_toml.get("profiles_path")
        or pyproject.get("profiles_path")
        or Path(environ.get("PREFECT_HOME") or home / ".prefect") / "profiles.toml"
    )
    path = cwd / Path(str(profiles)).expanduser()
    document = _toml(path)
    active = environ.get("PREFECT_PROFILE") or document.get("active")
    profile = _table(document, "profiles", str(active))
    for name in NAMES:
        if profile.get(name):
            yield str(profile[name]), f"Prefect's profile {active} in {path}"


def _toml(path: Path) -> dict[str, Any]:
    # One that is missing is opened all the same: who watches what is read (recall) sees that it was looked for.
    if path.exists() and not path.is_file():
        return {}
    try:
        return read_toml(path, InvalidConfig)
    except InvalidConfig:
        return {}


def _table(tables: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        inner = tables.get(name)
        if not isinstance(inner, Mapping):
            return {}
        tables = inner
    return tables


def _dotenv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() or not path.exists() else ""
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value.strip().strip("\"'") for name, value in _DOTENV.findall(text)}
