"""Reading a TOML file, its faults told with file and line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

_LOCK = re.compile(r"(^|/)pylock[^/]*\.toml$|\.lock$")
_POSITION = re.compile(r" \(at line (\d+), column \d+\)$")


def toml_text(path: Path, error: type[InputError]) -> str:
    """The text of ``path``, without a byte order mark; what cannot be read is raised as ``error``."""
    name = path.name or str(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise error(f"{name} is not there", hint=f"looked for {path.absolute()}") from None
    except OSError as problem:
        raise error(f"{name} cannot be read: {problem.strerror}", hint=f"see: ls -l {path}") from None
    except UnicodeDecodeError as problem:
        line = problem.object.count(b"\n", 0, problem.start) + 1
        raise error(f"{name}:{line}: not UTF-8", hint="TOML is UTF-8: save the file as that") from None


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """The tables of ``path``; what is wrong with it is raised as ``error``."""
    return parse_toml(toml_text(path, error), path.name, error)


def parse_toml(text: str, name: str, error: type[InputError]) -> dict[str, Any]:
    """The tables in ``text`` of the file ``name``; what is wrong with it is raised as ``error``, with its line."""
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except ValueError as problem:  # TOML's own, and integers of more digits than Python reads
        words = str(problem).splitlines()[0]
        position = _POSITION.search(words)
        # Without a position the file ended too soon.
        line = int(position[1]) if position else text.count("\n") + 1
        twice = words.startswith(("Cannot overwrite", "Cannot declare"))
        hint = "a key or table is there twice: keep one of them" if twice else "mend the TOML there"
        if _LOCK.search(name):
            hint = "nobody writes a lock by hand: make it anew with the program that wrote it, or with imagekit lock"
        raise error(f"{name}:{line}: {_POSITION.sub('', words)}", hint=hint) from None
    except RecursionError:
        raise error(f"{name}: nested too deeply", hint="flatten its tables") from None
    return tables


def with_line_ends_of(before: str, text: str) -> str:
    """``text``, which ``before`` became, with its line ends: those of Windows where all of its lines end so."""
    lines = before.count("\n")
    if lines and before.count("\r\n") == lines:
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text


def toml_value(value: Any) -> str:
    """``value`` as TOML, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    # JSON's strings are TOML's but for one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
