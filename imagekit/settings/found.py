"""A setting of another program, as it was found, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagekit.errors import InvalidConfig

_YES, _NO = frozenset({"1", "true", "yes", "on", "y", "t"}), frozenset({"", "0", "false", "no", "off", "n", "f"})


@dataclass(frozen=True, slots=True)
class Found:
    """``value`` may hold a login: it is not shown."""

    value: str | bool | tuple[str, ...] = field(repr=False)
    origin: str  # a variable, or a file

    @property
    def text(self) -> str:
        """The value of a setting that has one."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """The values of a setting that has several."""
        return self.value if isinstance(self.value, tuple) else ()


def flag(text: str, where: str) -> bool:
    """Yes or no, in any of the spellings of pip and uv. ``InvalidConfig`` for another word."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise InvalidConfig(f"{where} is neither true nor false", hint="write true or false")
    return word in _YES
