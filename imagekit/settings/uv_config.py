"""What uv's configuration says of indexes: its files and its environment variables.

The files are those of uv's documentation ("Configuration files"): the user's ``uv.toml`` before the machine's, lists
joined; ``UV_CONFIG_FILE`` names another one in their place. ``[pip]`` rules out the top level. A variable rules
out all of them. A project's own ``[tool.uv]`` belongs to the project (``spec.indexes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.errors import InvalidConfig
from imagekit.settings.found import Found, flag
from imagekit.spec.toml import read_toml

_VARIABLES = {
    "UV_INDEX_URL": ("default", str),
    "UV_DEFAULT_INDEX": ("default", str),
    "UV_INSECURE_HOST": ("insecure-hosts", tuple),
    "UV_INDEX_STRATEGY": ("strategy", str),
    "UV_KEYRING_PROVIDER": ("keyring", str),
    "UV_PRERELEASE": ("prerelease", str),
    "UV_EXCLUDE_NEWER": ("exclude-newer", str),
    "UV_OFFLINE": ("offline", bool),
    "SSL_CLIENT_CERT": ("client-cert", str),
}
_KEYS = {
    "index-url": "default",
    "extra-index-url": "extra",
    "find-links": "find-links",
    "no-index": "no-index",
    "allow-insecure-host": "insecure-hosts",
    "index-strategy": "strategy",
    "keyring-provider": "keyring",
    "prerelease": "prerelease",
    "exclude-newer": "exclude-newer",
    "offline": "offline",
}
# What would change a resolution, too, and is not told to uv.
_UNHEEDED = (
    *("build-constraint-dependencies", "config-settings", "constraint-dependencies", "dependency-metadata"),
    *("exclude-dependencies", "exclude-newer-package", "fork-strategy", "no-binary", "no-binary-package", "no-build"),
    *("no-build-isolation", "no-build-package", "no-deps", "no-sources", "no-sources-package", "only-binary"),
    *("override-dependencies", "prerelease-package", "resolution", "torch-backend"),
)


def read_uv(environ: Mapping[str, str], home: Path) -> dict[str, Found]:
    """What is set, by our names; indexes as ``[NAME=]URL``. ``InvalidConfig`` names a file that cannot be read."""
    found: dict[str, Found] = {}
    for path in uv_files(environ, home):
        for key, further in _of_file(path).items():
            before = found.get(key)
            if before is not None and isinstance(before.value, tuple) and isinstance(further.value, tuple):
                found[key] = Found((*before.value, *further.value), f"{before.origin}, {further.origin}")
            else:
                found.setdefault(key, further)
    for variable, (key, kind) in _VARIABLES.items():
        if text := environ.get(variable):
            value: str | bool | tuple[str, ...] = text
            if kind is not str:
                value = tuple(text.split()) if kind is tuple else flag(text, variable)
            found[key] = Found(value, variable)
    extra = {name: environ[name].split() for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL") if environ.get(name)}
    if extra:
        found["extra"] = Found(tuple(url for urls in extra.values() for url in urls), ", ".join(extra))
    if links := environ.get("UV_FIND_LINKS"):
        found["find-links"] = Found(tuple(part.strip() for part in links.split(",") if part.strip()), "UV_FIND_LINKS")
    return found


def uv_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The files that uv reads here, the one that rules out the others first."""
    if _is_set(environ, "UV_NO_CONFIG"):
        return []
    if chosen := environ.get("UV_CONFIG_FILE"):
        return [Path(chosen)]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = [Path(d, "uv", "uv.toml") for d in (environ.get("XDG_CONFIG_DIRS") or "").split(":") if d]
    shared = [] if _is_set(environ, "UV_NO_SYSTEM_CONFIG") else [*shared, Path("/etc/uv/uv.toml")]
    machine = next((path for path in shared if path.is_file()), None)
    places = [own / "uv" / "uv.toml", *([machine] if machine is not None else [])]
    return [path for path in places if path.is_file()]


def _is_set(environ: Mapping[str, str], variable: str) -> bool:
    return (environ.get(variable) or "0").lower() not in ("", "0", "false")


def _of_file(path: Path) -> dict[str, Found]:
    tables = read_toml(path, InvalidConfig)
    pip = tables.get("pip")
    merged = {**tables, **(pip if isinstance(pip, dict) else {})}
    found: dict[str, Found] = {}
    for name, key in _KEYS.items():
        if name in merged:
            found[key] = Found(_value(merged[name], path, name), str(path))
    if unheeded := tuple(f"{name} ({path})" for name in _UNHEEDED if merged.get(name)):
        found["unheeded"] = Found(unheeded, str(path))
    extra: list[str] = []
    for index in _tables(tables, path):
        url = _text(index.get("url"), path, "index.url")
        named = f"{index['name']}={url}" if isinstance(index.get("name"), str) else url
        if index.get("default"):
            found["default"] = Found(named, str(path))
        elif index.get("format") == "flat":
            found["find-links"] = Found((url, *found.get("find-links", Found((), "")).texts), str(path))
        elif not index.get("explicit"):  # which is for a project's own packages alone
            extra.append(named)
    if extra:
        found["extra"] = Found((*extra, *found.get("extra", Found((), "")).texts), str(path))
    return found


def _tables(tables: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    value = tables.get("index", [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidConfig(f"{path}: index is not a list of tables", hint="write [[index]]")
    return value


def _value(value: Any, path: Path, name: str) -> str | bool | tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(each, path, name) for each in value)
    return value if isinstance(value, bool) else _text(value, path, name)


def _text(value: Any, path: Path, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidConfig(f"{path}: {name} is not a string", hint=f'write {name} = "…"')
    return value
