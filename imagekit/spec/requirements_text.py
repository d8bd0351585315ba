"""A requirements file's bytes as logical lines: encoding, continuations, comments, variables.

As pip reads them (its "Requirements File Format"), but that an unset variable is an error
and that only line feeds and carriage returns end a line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagekit.errors import InvalidRequirement

# The longer mark first: UTF-16's little-endian mark is how UTF-32's starts.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_COMMENT = re.compile(r"(^|\s+)#.*$")
_LINE_END = re.compile(r"\r\n|\n|\r")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalLine:
    """A line with its continuations joined, its comment gone and its variables filled in."""

    number: int  # of its first line, from 1
    text: str
    values: tuple[tuple[str, str], ...] = ()  # (name, value) of the variables filled in

    def hide(self, message: str) -> str:
        """``message`` with the variables' values taken out again: they may be secrets."""
        for name, value in self.values:
            message = message.replace(value, f"${{{name}}}")
        return message


def decode(data: bytes, name: str) -> str:
    """The text of a file named ``name``: by its byte order mark, its ``# coding:`` line, or UTF-8."""
    encoding = "utf-8"
    for mark, marked in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], marked
            break
    else:
        for line in data.split(b"\n")[:2]:
            found = _CODING.search(line) if line.startswith(b"#") else None
            if found:
                encoding = found[1].decode("ascii", "replace")
                break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as problem:
        number = len(_LINE_END.split(data[: problem.start].decode(encoding, "replace")))
        raise InvalidRequirement(
            f"{name}:{number}: not {encoding}",
            hint="save the file as UTF-8, or say its encoding on its first line: # coding: latin-1",
        ) from None
    except (LookupError, UnicodeError, ValueError):
        raise InvalidRequirement(f"{name}:1: unknown encoding {encoding!r}", hint="save the file as UTF-8") from None


def logical_lines(
    text: str, name: str, variables: Mapping[str, str], problems: list[InvalidRequirement]
) -> Iterator[LogicalLine]:
    """The lines that say something; an unset variable goes to ``problems`` and its line is left out."""
    for number, joined in _joined(text):
        line = _COMMENT.sub("", joined).strip()
        if not line:
            continue
        names = list(dict.fromkeys(_VARIABLE.findall(line)))
        bad = next((n for n in names if not _VARIABLE_NAME.fullmatch(n) or not variables.get(n)), None)
        if bad is not None:
            problems.append(_unset(bad, f"{name}:{number}"))
            continue
        filled = _VARIABLE.sub(lambda match: variables[match[1]], line)
        yield LogicalLine(number=number, text=filled, values=tuple((n, variables[n]) for n in names))


def _joined(text: str) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    first = 1
    for number, line in enumerate(_LINE_END.split(text), 1):
        is_comment = _COMMENT.match(line) is not None
        if not parts:
            first = number
        if line.endswith("\\") and not is_comment:
            parts.append(line.strip("\\"))  # a leading one, too, as pip has it
            continue
        # The space keeps a comment that follows a continuation recognizable as one.
        parts.append(f" {line}" if is_comment else line)
        yield first, "".join(parts)
        parts = []
    if parts:
        yield first, "".join(parts)


def _unset(name: str, where: str) -> InvalidRequirement:
    if not _VARIABLE_NAME.fullmatch(name):
        return InvalidRequirement(
            f"{where}: '${{{name}}}' is not a variable".encode("unicode_escape").decode("ascii"),
            hint="a variable's name has upper-case letters, digits and '_' only",
        )
    return InvalidRequirement(f"{where}: the variable {name} is not set", hint=f"set it: export {name}=…")
