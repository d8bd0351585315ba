"""Where a setting's value comes from, so that a person can find the line to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imagekit.spec.keys import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One source of a value: a variable, a line of a file, another program's configuration, or nobody's."""

    words: str = "default"  # "IMAGEKIT_ENGINE", "docker context far"
    variable: str | None = None
    source: Source | None = None  # a file of ours
    path: tuple[str, ...] = ()  # the key in it
    profile: str | None = None

    @classmethod
    def of_variable(cls, name: str) -> Origin:
        return cls(words=name, variable=name)

    @property
    def line(self) -> int | None:
        return self.source.line(self.path) if self.source is not None else None

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line or 1}" if self.source is not None else self.words

    def to_json(self) -> dict[str, str | int | None]:
        return {
            "origin": str(self),
            "file": str(self.source.path) if self.source is not None else None,
            "line": self.line,
            "variable": self.variable,
            "profile": self.profile,
        }


DEFAULT = Origin()
