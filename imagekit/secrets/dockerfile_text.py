"""The instructions of a Dockerfile, as far as it takes to see the values in them.

Source: the Dockerfile reference (docs.docker.com/reference/dockerfile): the ``escape`` directive, comments and
continued lines, here-documents, ``ENV NAME VALUE``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPE = re.compile(r"#\s*escape\s*=\s*([\\`])\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*\w+\s*=.*")
_HEREDOC = re.compile(r"(?<!<)<<(?!<)-?\s*([\"']?)([A-Za-z_]\w*)\1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction: its name in capitals, what follows it in one text, and the line it begins at."""

    name: str
    text: str
    line: int
    pairs: tuple[tuple[str, str], ...] = ()  # of ARG, ENV and LABEL


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of the Dockerfile ``text``; an ``ONBUILD`` is given as what it is followed by."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape, number = _escape(lines), 0
    while number < len(lines):
        first = number
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        parts = []
        while line.endswith(escape):
            parts.append(line[:-1])
            line = ""
            while number < len(lines) and not line:
                # Blank lines and comments stand within a continued one.
                line = lines[number].strip()
                line = "" if line.startswith("#") else line
                number += 1
            if not line:
                break
        parts.append(line)
        whole = " ".join(part.strip() for part in parts).strip()
        for _, end in _HEREDOC.findall(whole):
            while number < len(lines):
                whole += "\n" + lines[number]
                number += 1
                if lines[number - 1].strip() == end:
                    break
        name, rest = _first_word(whole)
        while name.upper() == "ONBUILD":
            name, rest = _first_word(rest)
        name = name.upper()
        yield Instruction(name=name, text=rest.strip(), line=first + 1, pairs=tuple(_pairs(name, rest.strip(), escape)))


def _first_word(text: str) -> tuple[str, str]:
    """The first word, and what follows the spaces or tabs after it."""
    words = text.split(None, 1)
    return (words[0] if words else ""), (words[1] if len(words) > 1 else "")


def _escape(lines: list[str]) -> str:
    for line in lines:
        if found := _ESCAPE.fullmatch(line.strip()):
            return found[1]
        if not _DIRECTIVE.fullmatch(line.strip()):
            break
    return "\\"


def _pairs(name: str, rest: str, escape: str) -> Iterator[tuple[str, str]]:
    if name not in ("ARG", "ENV", "LABEL"):
        return
    try:
        lexer = shlex.shlex(rest, posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", escape
        words = list(lexer)
    except ValueError:
        words = rest.split()
    # As BuildKit's parser has it: ENV NAME VALUE, where the first word has no "=".
    if name != "ARG" and words and "=" not in words[0]:
        key, value = _first_word(rest)
        yield key.strip("\"'"), value.strip().strip("\"'")
        return
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            yield key, value
