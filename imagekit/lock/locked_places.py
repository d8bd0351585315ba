"""On which lines of a lock its packages stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imagekit.spec.toml_places import places_of

_NAME = re.compile(r"""name\s*=\s*["'](?P<name>[^"']+)["']""")


def entry_lines(text: str, key: str, count: int) -> Sequence[int | None]:
    """The lines on which the ``count`` items of the array ``key`` (``package``) of the document ``text`` begin.

    Those that are written inline may have none.
    """
    header = re.compile(rf"[ \t]*\[\[[ \t]*{key}[ \t]*\]\][ \t]*(#.*)?\r?")
    found = [number for number, line in enumerate(text.split("\n"), 1) if header.fullmatch(line)]
    if len(found) == count:
        return found
    # A header in a text of several lines, or items that are written inline: whoever knows the tokens can tell.
    places = places_of(text)
    whole = (places.get((key, number)) for number in range(count))
    return [None if place is None else place.line for place in whole]


def table_line(text: str, key: str) -> int | None:
    """The line of the table ``key``; ``None`` where it has no header."""
    found = re.search(rf"^[ \t]*\[[ \t]*{key}[ \t]*\]", text, re.MULTILINE)
    return None if found is None else text.count("\n", 0, found.start()) + 1


def named_lines(text: str, key: str = "package") -> dict[str, int]:
    """The line of the first entry of each name, where the name stands below its header."""
    lines = text.split("\n")
    found: dict[str, int] = {}
    for number, line in enumerate(lines[:-1], 1):
        if line.strip() == f"[[{key}]]" and (match := _NAME.match(lines[number])) is not None:
            found.setdefault(match["name"], number)
    return found
