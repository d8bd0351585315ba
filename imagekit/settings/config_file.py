"""The user's own configuration: keys at the top level for every profile, ``[profiles.NAME]`` for one.

``profile = "NAME"`` says which one holds where none is named. ``default`` is the name of having none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.atomic import rewrite
from imagekit.errors import InputError, InvalidConfig
from imagekit.nearest import nearest_hint
from imagekit.settings.origin import Origin
from imagekit.spec.toml import parse_toml, toml_text, with_line_ends_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

if TYPE_CHECKING:
    from imagekit.spec.keys import Declared, Source

DEFAULT_PROFILE = "default"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_Edit = Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """What the file says; every value in it is valid."""

    path: Path
    values: Mapping[str, Any] = field(default_factory=dict)  # for every profile
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    profile: str | None = None  # the one that holds where none is named
    text: str = ""

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        """The file at ``path``, which need not exist. Raises ``InvalidConfig`` with file and line, all at once."""
        if not path.exists():
            return cls(path=path)
        text = toml_text(path, InvalidConfig)
        return cls._checked(path, text, parse_toml(text, path.name, InvalidConfig))

    @classmethod
    def _checked(cls, path: Path, text: str, tables: Mapping[str, Any]) -> ConfigFile:
        from imagekit.spec.keys import Source

        source = Source(path=path, shown=str(path), text=text)
        problems: list[InputError] = []
        profiles = {}
        named = tables.get("profiles", {})
        for name, inner in named.items() if isinstance(named, dict) else [(None, named)]:
            if not isinstance(inner, dict):
                where = source.where(["profiles", name] if name else ["profiles"])
                problems.append(InvalidConfig(f"{where} is not a table", hint="write [profiles.NAME] above its keys"))
            elif problem := _profile_problem(str(name)):
                problems.append(InvalidConfig(f"{source.at(['profiles', str(name)])}: {problem}", hint=_NAME_HINT))
            else:
                profiles[str(name)] = _values(inner, source, problems, "profiles", str(name))
        own = {name: value for name, value in tables.items() if name not in ("profile", "profiles")}
        values = _values(own, source, problems)
        profile = tables.get("profile")
        if profile == DEFAULT_PROFILE:
            profile = None
        if profile is not None and (not isinstance(profile, str) or profile not in named):
            hint = nearest_hint(str(profile), [*profiles, DEFAULT_PROFILE])
            problems.append(InvalidConfig(f"{source.at(['profile'])}: no profile {str(profile)!r}", hint=hint))
        if problems:
            raise InputError.join(problems)
        return cls(path=path, values=values, profiles=profiles, profile=profile, text=text)

    def table(self, profile: str | None) -> Mapping[str, Any]:
        """The keys of ``profile`` alone, or those of none."""
        return self.values if profile is None else self.profiles.get(profile, {})

    def find(self, name: str, profile: str | None) -> tuple[Any, Origin] | None:
        """The value of ``name`` and where it stands: in ``profile``, or else for all of them."""
        if profile is not None and name in self.profiles[profile]:
            at = ("profiles", profile, name)
            return self.profiles[profile][name], Origin(source=self.source, path=at, profile=profile)
        if name in self.values:
            return self.values[name], Origin(source=self.source, path=(name,))
        return None

    @property
    def source(self) -> Source:
        from imagekit.spec.keys import Source

        return Source(path=self.path, shown=str(self.path), text=self.text)

    def with_value(self, name: str, text: str, profile: str | None = None) -> ConfigFile:
        """The file with ``name`` set to what ``text`` means, comments and other lines as they were."""
        value = known_key(name).of_text(text, name)
        _refuse_credentials(name, value)
        written = _written(value)
        return self._edited(lambda table: table.update({name: written}), profile, makes=True)

    def without(self, name: str, profile: str | None = None) -> ConfigFile:
        """The file without ``name``."""
        known_key(name)

        return self._edited(lambda table: table.pop(name, None), profile)

    def with_profile(self, name: str | None) -> ConfigFile:
        """The file in which ``name`` is the profile that holds where none is named."""
        if name is None:
            return self._edited(lambda table: table.pop("profile", None), None)
        return self._edited(lambda table: table.update({"profile": name}), None)

    def known_profile(self, name: str, origin: str) -> str | None:
        """``name``, if the file has such a profile, ``None`` for ``default``; else ``InvalidConfig``."""
        if name == DEFAULT_PROFILE:
            return None
        if name not in self.profiles:
            raise InvalidConfig(
                f"{origin}: no profile {name!r} in {self.path}",
                hint=nearest_hint(name, [*self.profiles, DEFAULT_PROFILE])
                if self.profiles
                else f"make it: imagekit config set --profile {name} KEY=VALUE",
            )
        return name

    def write(self) -> None:
        """Put the file in place, whole or not at all; a link is followed."""
        hint = "IMAGEKIT_CONFIG_FILE names another"
        rewrite(self.path, self.text.encode(), InvalidConfig, hint=hint, mode=0o600)

    def _edited(self, edit: _Edit, profile: str | None, *, makes: bool = False) -> ConfigFile:
        import tomlkit

        document = tomlkit.parse(self.text)
        table: Any = document
        if profile is not None:
            if makes and (problem := _profile_problem(profile)):
                raise InvalidConfig(problem, hint=_NAME_HINT)
            if not makes and profile not in self.profiles:
                return self
            if "profiles" not in document:
                document["profiles"] = tomlkit.table(is_super_table=True)
            if profile not in document["profiles"]:
                document["profiles"][profile] = tomlkit.table()
            table = document["profiles"][profile]
        edit(table)
        text = with_line_ends_of(self.text, tomlkit.dumps(document))
        return self._checked(self.path, text, tomllib.loads(text))


def _refuse_credentials(name: str, value: Any) -> None:
    """``CredentialExposed`` for those in ``value``, which images would show; files of settings are copied, besides."""
    from imagekit.errors import CredentialExposed
    from imagekit.secrets.command_text import in_pair

    pairs = value if isinstance(value, Mapping) else {name: value}
    problems: list[InputError] = []
    for key, each in pairs.items():
        if isinstance(each, str) and (kind := in_pair(key, each)) is not None:
            told = name if pairs is not value else f"{name} {key}"
            hint = "leave it out; what steps of a build need is kept by imagekit secret set NAME"
            problems.append(CredentialExposed(f"{told} holds {kind}, and is not kept", hint=hint))
    if problems:
        raise InputError.join(problems)


def known_key(name: str, *, where: str | None = None) -> Declared:
    """The key called ``name``; ``InvalidConfig`` with the nearest one where there is none."""
    from imagekit.settings.keys import user_keys

    known = user_keys()
    if name in known:
        return known[name]
    from imagekit.spec.keys import keys_of
    from imagekit.spec.table import Table

    before = f"{where}: " if where else ""
    if name in keys_of(Table):
        raise InvalidConfig(
            f"{before}{name} is a key of projects",
            hint="write it into imagekit.toml, or into [tool.imagekit] of pyproject.toml",
        )
    if name in ("profile", "profiles"):
        raise InvalidConfig(
            f"{before}{name} is no setting, and stands at the top of the file",
            hint="imagekit config use-profile NAME chooses one; imagekit config set --profile NAME KEY=VALUE fills it",
        )
    from imagekit.settings.prefect_profile import NAMES

    hint = "it is called default-namespace here" if name in NAMES else nearest_hint(name, known)
    raise InvalidConfig(f"{before}unknown key {name!r}", hint=hint)


def _values(table: Mapping[str, Any], source: Source, problems: list[InputError], *above: str) -> dict[str, Any]:
    from imagekit.settings.keys import machine_keys
    from imagekit.spec.keys import read_value

    found = {}
    machine = machine_keys()
    for name, value in table.items():
        try:
            # A file without a project's keys does not load what declares them.
            declared = machine.get(name) or known_key(name, where=source.at([*above, name]))
            found[name] = read_value(declared, value, source, *above)
        except InputError as problem:
            problems.append(problem)
    return found


def _written(value: Any) -> Any:
    """``value`` as it is put on one line of TOML."""
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return list(value) if isinstance(value, tuple) else value


_NAME_HINT = "use letters, digits, '.', '_' and '-', the first a letter or a digit"


def _profile_problem(name: str) -> str | None:
    if name == DEFAULT_PROFILE:
        return "'default' stands for the keys at the top of the file"
    return None if _PROFILE_NAME.fullmatch(name) else f"{name!r} is no name for a profile"
