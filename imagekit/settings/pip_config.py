"""What pip's configuration says of indexes: its files and its environment variables.

The files and their order are those of pip's documentation ("Configuration"): of the whole machine, of the user,
of the environment that runs, each ruling out the one before; ``[install]`` rules out ``[global]``; a variable rules
out all of them. Only what concerns indexes is read.
"""

from __future__ import annotations

import configparser
import sys
from collections.abc import Mapping
from pathlib import Path

from imagekit.errors import InvalidConfig
from imagekit.settings.found import Found, flag

# pip's name → ours, and how its value is to be read.
_KEYS = {
    "index-url": ("default", str),
    "extra-index-url": ("extra", tuple),
    "find-links": ("find-links", tuple),
    "no-index": ("no-index", bool),
    "trusted-host": ("insecure-hosts", tuple),
    "cert": ("ca-bundle", str),
    "client-cert": ("client-cert", str),
    "proxy": ("proxy", str),
    "pre": ("prereleases", bool),
    "keyring-provider": ("keyring", str),
}
# What would change a resolution, too, and is not told to pip.
_UNHEEDED = frozenset(
    "build-constraint constraint no-binary no-build-isolation no-deps only-binary prefer-binary require-hashes"
    " requirement upgrade-strategy use-deprecated use-feature".split()
)


def read_pip(environ: Mapping[str, str], home: Path) -> dict[str, Found]:
    """What is set, by our names. ``InvalidConfig`` names a file that cannot be read."""
    found: dict[str, Found] = {}
    for path in pip_files(environ, home):
        further = _of_file(path)
        if "unheeded" in found and "unheeded" in further:
            both = (*found["unheeded"].texts, *further["unheeded"].texts)
            further["unheeded"] = Found(both, further["unheeded"].origin)
        found |= further
    for name, (key, kind) in _KEYS.items():
        variable = f"PIP_{name.replace('-', '_').upper()}"
        if environ.get(variable):
            found[key] = Found(_value(environ[variable], kind, variable), variable)
    return found


def pip_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    """The files that pip reads here, the one that rules out the others last."""
    chosen = environ.get("PIP_CONFIG_FILE", "")
    if chosen == "/dev/null":
        return []
    shared = environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    places = [Path(d, "pip", "pip.conf") for d in reversed(shared.split(":")) if d]
    own = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if sys.platform == "darwin" and (home / "Library/Application Support/pip").is_dir():
        own = home / "Library/Application Support"
    places += [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        own / "pip" / "pip.conf",
        Path(sys.prefix, "pip.conf"),
    ]
    if chosen:
        places.append(Path(chosen))
    return [path for path in places if path.is_file()]


def _of_file(path: Path) -> dict[str, Found]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"), str(path))
    except (configparser.Error, OSError, UnicodeDecodeError) as problem:
        # configparser shows the lines, which may hold a password.
        line = getattr(problem, "lineno", None) or next((n for n, _ in getattr(problem, "errors", ())), None)
        where = f"{path}:{line}" if line else str(path)
        raise InvalidConfig(f"{where}: pip's configuration cannot be read", hint="see: pip config debug") from None
    found: dict[str, Found] = {}
    for section in ("global", "install"):
        if not parser.has_section(section):
            continue
        for name, text in parser.items(section):
            key = name.lower().replace("_", "-").removeprefix("--")
            known = _KEYS.get(key)
            if key in _UNHEEDED and text.strip():
                before = found.get("unheeded", Found((), "")).texts
                found["unheeded"] = Found((*before, f"{key} ({path})"), str(path))
            if known is not None:
                found[known[0]] = Found(_value(text, known[1], f"{path}: {name}"), str(path))
    return found


def _value(text: str, kind: type, where: str) -> str | bool | tuple[str, ...]:
    if kind is tuple:
        return tuple(text.split())
    return flag(text, where) if kind is bool else text.strip()
