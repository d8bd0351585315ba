"""imagekit's configuration file: TOML, a few keys at the top level."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.errors import InvalidConfig
from imagekit.settings.keys import KEYS, Key
from imagekit.spec.nearest import nearest_hint
from imagekit.spec.toml import line_of, read_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the configuration file says; every value in it is valid."""

    path: Path
    values: Mapping[str, str | float]
    text: str = ""

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """The file at ``path``, which need not exist. Raises ``InvalidConfig`` with file and line."""
        if not path.exists():
            return cls(path=path, values={})
        tables = read_toml(path, InvalidConfig)
        text = path.read_text(encoding="utf-8")
        values = {}
        for name, value in tables.items():
            where = f"{path}:{line_of(text, name) or 1}"
            key = known_key(name, where=where)
            # A bool is an int to Python, and not to a person.
            fits = type(value) in ((int, float) if key.is_number else (str,))
            if not fits:
                wanted = "a number" if key.is_number else "a string in quotes"
                raise InvalidConfig(f"{where}: {name} takes {wanted}", hint=f"imagekit config set {name}=VALUE")
            values[name] = key.read(str(value), f"{where}: {name}")
        return cls(path=path, values=values, text=text)

    def origin(self, name: str) -> str:
        """``FILE:LINE`` where ``name`` is set."""
        return f"{self.path}:{line_of(self.text, name) or 1}"

    def with_value(self, name: str, text: str) -> ConfigFile:
        """The file with ``name`` set to what ``text`` means, comments and other lines as they were."""
        value = known_key(name).read(text, name)
        return self._with_lines({**self.values, name: value}, name, _assignment(name, value))

    def without(self, name: str) -> ConfigFile:
        """The file without ``name``."""
        known_key(name)
        return self._with_lines({k: v for k, v in self.values.items() if k != name}, name, None)

    def write(self) -> None:
        """Put the file in place, whole or not at all; a link is followed."""
        path = self.path.resolve()
        try:
            write_whole(path, self.text.encode())
        except OSError as error:
            raise InvalidConfig(
                f"{path} cannot be written: {error.strerror}", hint="IMAGEKIT_CONFIG_FILE names another"
            ) from error

    def _with_lines(self, values: Mapping[str, str | float], name: str, assignment: str | None) -> ConfigFile:
        lines = self.text.splitlines()
        number = line_of(self.text, name)
        if number is not None:
            lines[number - 1 : number] = [assignment] if assignment is not None else []
        elif assignment is not None:
            lines.append(assignment)
        text = "".join(line + "\n" for line in lines)
        if not _means(text, values):
            # Written in a way that a line's edit does not reach (a value over several lines).
            text = "".join(_assignment(k, v) + "\n" for k, v in values.items())
        return ConfigFile(path=self.path, values=values, text=text)


def known_key(name: str, *, where: str | None = None) -> Key:
    """The key called ``name``; ``InvalidConfig`` with the nearest one where there is none."""
    if name not in KEYS:
        before = f"{where}: " if where else ""
        raise InvalidConfig(f"{before}unknown key {name!r}", hint=nearest_hint(name, KEYS))
    return KEYS[name]


def _assignment(name: str, value: str | float) -> str:
    import tomli_w

    return tomli_w.dumps({name: value}).rstrip("\n")


def _means(text: str, values: Mapping[str, str | float]) -> bool:
    try:
        return bool(tomllib.loads(text) == dict(values))
    except tomllib.TOMLDecodeError:
        return False
