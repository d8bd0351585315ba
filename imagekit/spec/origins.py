"""Where the requirements of a ``pyproject.toml`` stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from imagekit.spec.image import RequirementLine
from imagekit.spec.local_source import Places
from imagekit.spec.requirement import parse_each, parse_requirement
from imagekit.spec.toml_places import Path as Keys
from imagekit.spec.toml_places import Place, place_in, places_of


class Origins:
    """The lines of ``path``, a TOML file that a reader has accepted; ``shown`` is what it is called."""

    def __init__(self, path: Path, shown: str = "") -> None:
        self._path, self._shown = path, shown or path.name

    @cached_property
    def _places(self) -> Mapping[Keys, Place]:
        return places_of(self._path.read_bytes().decode("utf-8-sig"))

    def of(self, *keys: str | int) -> str:
        """``pyproject.toml:7``: where ``keys``, or the innermost table around them, stand."""
        place = place_in(self._places, keys)
        return f"{self._shown}:{place.line if place else 1}"

    def requirements(self, texts: Sequence[str], places: Places, *keys: str) -> tuple[RequirementLine, ...]:
        """Every requirement of the list ``keys``; all that is wrong is raised at once."""
        numbers = iter(range(len(texts)))
        return parse_each(texts, lambda text: parse_requirement(text, self.of(*keys, next(numbers)), places=places))
