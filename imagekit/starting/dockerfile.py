"""What a Dockerfile that lies in a project tells of the image that is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.secrets.dockerfile_text import instructions

_PYTHON = re.compile(r"(?:docker\.io/)?(?:library/)?python:(3\.\d{1,2})(?:[.\w-]*)?")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
_APT = re.compile(r"apt(?:-get)?\s+(?:-\S+\s+)*install\s+([^&|;\n]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileFacts:
    """The last stage's base and what it is given; a line is of the file."""

    base: str | None = None  # None: another stage, or a variable without a default
    base_line: int = 0
    packages: tuple[str, ...] = ()  # of the distribution, in any stage

    @property
    def python(self) -> str | None:
        """The version of an official Python image."""
        found = _PYTHON.fullmatch(self.base or "")
        return found[1] if found else None


def read_dockerfile(path: Path) -> DockerfileFacts:
    """The facts of ``path``; none of one that cannot be read."""
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError):
        return DockerfileFacts()
    defaults: dict[str, str] = {}
    stages: dict[str, tuple[str | None, int]] = {}
    last: tuple[str | None, int] = (None, 0)
    packages: list[str] = []
    for each in instructions(text):
        if each.name == "ARG":
            defaults.update(each.pairs)
        elif each.name == "FROM":
            words = [word for word in each.text.split() if not word.startswith("--")]
            named = _filled(words[0], defaults) if words else None
            last = stages.get((named or "").lower(), (named, each.line))
            if len(words) == 3 and words[1].lower() == "as":
                stages[words[2].lower()] = last
        elif each.name == "RUN":
            packages += _packages(each.text)
    base = last[0] if last[0] != "scratch" else None
    return DockerfileFacts(base=base, base_line=last[1], packages=tuple(dict.fromkeys(packages)))


def _filled(text: str, defaults: Mapping[str, str]) -> str | None:
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        known = defaults.get(found[1] or found[2], found[3])
        missing = missing or not known
        return known or ""

    filled = _VARIABLE.sub(value, text)
    return None if missing else filled


def _packages(command: str) -> Iterator[str]:
    for found in _APT.finditer(command.replace("\\", " ")):
        for word in found[1].split():
            if re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(=\S+)?", word):
                yield word
