"""Where each key of a TOML document stands: its line, and its value as it is written there.

TOML readers give values without places. This walks the tokens of a document that a reader has
already accepted, so it need not judge, only find.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

Path = tuple[str | int, ...]  # ("tool", "imagekit", "indexes", 0, "url")
_TOKEN = re.compile(
    r"""
    (?P<string> \"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]* )
    | (?P<mark> [\[\]{}=,.\n] )
    | (?P<word> [^\s\[\]{}=,.\#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Place:
    """One key of a document."""

    line: int  # from 1
    written: str  # its value as it stands there; "" for a table under a header


def places_of(text: str) -> Mapping[Path, Place]:
    """The place of every key of ``text``, a valid document, by its path; items of arrays by their number."""
    return _Walk(text).places


def place_in(places: Mapping[Path, Place], path: Sequence[str | int]) -> Place | None:
    """The place of ``path``, or of the innermost table around it that has one."""
    for length in range(len(path), 0, -1):
        if (found := places.get(tuple(path[:length]))) is not None:
            return found
    return None


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[Path, Place] = {}
        self._tokens: list[tuple[str, int, int]] = [
            (match.group(), match.start(), match.end()) for match in _tokens(text) if match.lastgroup != "comment"
        ]
        self._at = 0
        self._line, self._counted = 1, 0
        self._document()

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _document(self) -> None:
        table: Path = ()
        counts: dict[Path, int] = {}
        while self._at < len(self._tokens):
            if self._next() == "\n":
                self._at += 1
            elif self._next() == "[":
                line = self._line_here()
                self._at += 1
                is_array = self._next() == "["
                self._at += is_array
                table = _resolved(self._key(), counts)
                if is_array:
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                for length in range(1, len(table) + 1):
                    self.places.setdefault(table[:length], Place(line, ""))
                while self._next() not in ("\n", ""):
                    self._at += 1
            else:
                self._assignment(table)

    def _assignment(self, table: Path) -> None:
        line = self._line_here()
        key = self._key()
        self._at += 1  # the "="
        start = self._tokens[self._at][1] if self._at < len(self._tokens) else len(self.text)
        path = (*table, *key)
        self._value(path)
        end = self._tokens[self._at - 1][2]
        for length in range(len(table) + 1, len(path)):
            self.places.setdefault(path[:length], Place(line, ""))
        self.places[path] = Place(line, self.text[start:end])

    def _key(self) -> tuple[str, ...]:
        parts = []
        while self._next() not in ("=", "]", "\n", ""):
            if self._next() != ".":
                parts.append(_unquoted(self._next()))
            self._at += 1
        return tuple(parts)

    def _value(self, path: Path) -> None:
        opening = self._next()
        if opening not in ("[", "{"):
            while self._next() not in (",", "]", "}", "\n", ""):
                self._at += 1
            return
        self._at += 1
        number = 0
        while self._next() not in ("]", "}", ""):
            if self._next() in (",", "\n"):
                self._at += 1
            elif opening == "{":
                self._assignment(path)
            else:
                line, start = self._line_here(), self._tokens[self._at][1]
                item: Path = (*path, number)
                self._value(item)
                self.places[item] = Place(line, self.text[start : self._tokens[self._at - 1][2]])
                number += 1
        self._at += 1

    def _line_here(self) -> int:
        start = self._tokens[self._at][1]
        self._line += self.text.count("\n", self._counted, start)
        self._counted = start
        return self._line


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return _TOKEN.finditer(text)


def _unquoted(key: str) -> str:
    if key[:1] == "'":
        return key[1:-1]
    return str(tomllib.loads(f"x = {key}")["x"]) if key[:1] == '"' else key


def _resolved(header: tuple[str, ...], counts: Mapping[Path, int]) -> Path:
    """A header's path, with the number of the item it is in where an array of tables stands above."""
    path: Path = ()
    for name in header[:-1]:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path])
    return path + header[-1:]
