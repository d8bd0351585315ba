"""What an image is to have of conda's packages, and which channels they come from. Values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagekit.errors import InputError, InvalidConfig

PRIORITIES = ("strict", "flexible", "disabled")
DEFAULTS = "defaults"  # conda's word for the channels that are asked where none is named
_NODEFAULTS = "nodefaults"
_CHANNEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
_SPEC = re.compile(r"(?:(?P<channel>[^\s\[\]]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)(?P<rest>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaLine:
    """One match spec and where it was written."""

    text: str  # numpy=1.26, conda-forge::scipy>=1.11, python 3.11.* *_cpython
    origin: str  # "environment.yml:5", "conda"

    @property
    def name(self) -> str:
        """The package's name, as conda has it: small letters."""
        found = _SPEC.fullmatch(self.text)
        return found["name"].lower() if found else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaWanted:
    """An environment of conda's packages."""

    packages: tuple[CondaLine, ...]
    channels: tuple[str, ...]  # names, or URLs without a login; the first goes first
    priority: str = "flexible"  # one of PRIORITIES, as conda has them
    secrets: tuple[tuple[str, str], ...] = ()  # (channel, name of the secret that is its login)
    newest: bool = False  # what was locked before is passed over
    previous: Path | None = None  # a pylock.toml whose versions are kept where they fit


def conda_wanted(
    lines: Iterable[CondaLine],
    channels: Iterable[str],
    *,
    python: CondaLine | None,
    priority: str | None = None,
    secrets: Iterable[tuple[str, str]] = (),
) -> CondaWanted | None:
    """The environment that ``lines`` ask for; ``None`` where they are none.

    ``python`` is the Python that the image is to have; a line of it among ``lines`` goes before it.
    """
    asked = tuple(dict.fromkeys(lines))
    if not asked:
        return None
    if python is not None and not any(line.name == "python" for line in asked):
        asked = (python, *asked)
    named = tuple(dict.fromkeys(channel for channel in channels if channel != _NODEFAULTS))
    return CondaWanted(
        packages=asked,
        channels=named or (DEFAULTS,),
        priority=priority or "flexible",
        secrets=tuple(secrets),
    )


def check_channel(text: str, origin: str) -> str:
    """``text`` as a channel; refused where it is neither a name nor a URL, or holds a login."""
    from imagekit.spec.url import check_index_url

    if "://" in text:
        check_index_url(text, origin)
        return text.rstrip("/")
    if not _CHANNEL.fullmatch(text):
        raise InvalidConfig(
            f"{origin}: {text!r} is no channel", hint='write a name ("conda-forge"), https://HOST/PATH or file:///PATH'
        )
    return text


def check_channels(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Channels of a table; all that is wrong with them at once."""
    problems: list[InputError] = []
    found = []
    for each in value:
        try:
            found.append(check_channel(each, where))
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return tuple(found)


def check_specs(value: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Match specs of a table, as far as they can be told without conda's own grammar."""
    wrong = [text for text in value if not is_spec(text)]
    if wrong:
        raise InputError.join(
            [InvalidConfig(f"{where}: {text!r} is no conda package", hint='write "NAME=VERSION"') for text in wrong]
        )
    return value


def is_spec(text: str) -> bool:
    """Whether ``text`` begins as a match spec does: a name, a channel before it, whatever is asked of it behind it."""
    found = _SPEC.fullmatch(text.strip())
    if found is None or not text.isprintable():
        return False
    return not found["rest"] or found["rest"].lstrip()[:1] in tuple("=<>!~[*,|(") or found["rest"][0] == " "
