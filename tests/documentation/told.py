"""Commands that a page tells between backquotes, in running text or in a cell of a table.

``docker build`` alone is a name, as ``docker run --env-file`` is one of an option; ``imagekit promote RUN`` and what
has a ``…`` in it stand for many. What is left is to be typed as it stands, so somebody does: in a block of some page,
or in an example of ``--help``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .blocks import BLOCK, COMMANDS, HEADING, ROOT, RUN, blocks, pages, steps

# The address of a clone: each reader has one, and the tests put theirs in its place.
CLONE = "PATH_OF_A_CLONE_OF_THIS_REPOSITORY"
_PROGRAM = re.compile(r"(?:docker|pip|make|kubectl|prefect|imagekit|\.venv/bin/[\w-]+) (?!=)")
_CODE = re.compile(r"(?<!`)`(?!`)([^`]+)`(?!`)")
_WORD = re.compile(r"[a-z][a-z-]*")
# A name in capitals that is no variable's: what somebody is to put something in the place of.
_PLACEHOLDER = re.compile(r"(?<![a-zA-Z$])[A-Z]{2,}|…|\|")
_ASSIGNED = re.compile(r"^[A-Z_]+=")


@dataclass(frozen=True, kw_only=True)
class Told:
    """``text`` is on one line, as it would be typed; ``line`` counts from 1."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def told(page: str) -> list[Told]:
    """All of them, names too."""
    text = BLOCK.sub(lambda match: "\n" * match[0].count("\n"), (ROOT / page).read_text("utf-8"))
    found = []
    for match in _CODE.finditer(text):
        words = " ".join(match[1].split())
        if _PROGRAM.match(words):
            found.append(Told(page=page, line=text.count("\n", 0, match.start()) + 1, text=words))
    return found


def is_to_type(text: str) -> bool:
    words = split(text)
    rest = words[_name(words) :]
    if words[0] == "make" or words[0].startswith("."):
        rest = words[2:]
    elif words[0] != "imagekit" and all(word.startswith("-") for word in rest):
        rest = []
    return bool(rest) and not any(_stands_for_others(word) for word in rest)


def is_typed(text: str) -> bool:
    """Whether some block has this very command, maybe with more options, or in another order."""
    words = split(text)
    name = max(_name(words), 1)
    return any(
        line[:name] == words[:name] and all(word in line for word in words[name:])
        for line in _typed().get(words[0], [])
    )


def split(command: str) -> list[str]:
    """Its words, without comments; one that goes on in other lines has its own of this one."""
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def _stands_for_others(word: str) -> bool:
    return _PLACEHOLDER.search(_ASSIGNED.sub("", word).replace(CLONE, "")) is not None


def _name(words: list[str]) -> int:
    """How many words are the command's own: of imagekit's those that it has, of any other the first plain ones."""
    if words[0] == "imagekit":
        known = [name.split() for name in commands()]
        return 1 + max((len(name) for name in known if words[1 : len(name) + 1] == name), default=len(words) - 1)
    plain = next((number for number, word in enumerate(words[1:]) if not _WORD.fullmatch(word)), len(words) - 1)
    return 1 + plain


@cache
def commands() -> tuple[str, ...]:
    """imagekit's, as their page has them, without ``imagekit``."""
    return tuple(match["words"] for match in HEADING.finditer((ROOT / COMMANDS).read_text("utf-8")))


@cache
def _typed() -> dict[str, list[list[str]]]:
    """Commands of blocks by their program, those of which the page says why nobody can run them here too."""
    found: dict[str, list[list[str]]] = {}
    for line in _of_pages():
        words = split(line)
        if words:
            found.setdefault(words[0], []).append(words)
    return found


def _of_pages() -> Iterator[str]:
    for page in (*pages(), COMMANDS):
        for block in blocks(page):
            if block.language in RUN - {"python"} and block.file is None:
                for step in steps(block):
                    yield from step.command.replace("\\\n", " ").splitlines()
