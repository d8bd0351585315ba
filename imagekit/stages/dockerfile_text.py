"""Values in a Dockerfile: each comes out byte for byte where it is used, or is refused.

Source: BuildKit's ``frontend/dockerfile/parser`` (lines, words, JSON form) and ``shell.Lex`` (quotes,
``$``, backslash), which all instructions but ``RUN`` and ``CMD`` go through; POSIX shell quoting for ``RUN``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from imagekit.errors import InputError
from imagekit.spec.commands import instruction_of, sets_user

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+")


def word(text: str, what: str) -> str:
    """``text`` as one word of ``ENV``, ``LABEL``, ``USER`` or ``WORKDIR``; ``what`` names it in an error."""
    checked(text, what)
    if _PLAIN.fullmatch(text):
        return text
    # Single quotes leave all else as it is. A backslash before one would be misread by hadolint, so it stays outside.
    return '"\'"'.join(map(_quoted, text.split("'"))) or "''"


def _quoted(text: str) -> str:
    body = text.rstrip("\\")
    return (f"'{body}'" if body else "") + "\\\\" * (len(text) - len(body))


def pair(name: str, value: str, what: str) -> str:
    """``name=value`` for ``ENV`` and ``LABEL``. BuildKit takes the first ``=`` for theirs, in quotes, too."""
    if "=" in name or not name:
        raise InputError(f"{what} {name!r} has no name, or a '=' in it", hint="choose another name")
    return f"{word(name, what)}={word(value, f'{what} {name}')}"


def paths(words: Sequence[str], what: str) -> str:
    """Sources and target of a ``COPY``, in the JSON form where a shell would see more than a path in one of them."""
    for text in words:
        checked(text, what)
    if all(map(_PLAIN.fullmatch, words)):
        return " ".join(words)
    # JSON keeps the words apart; BuildKit expands quotes and variables in each of them all the same.
    return json.dumps([_escaped(text, "\"'\\$") for text in words], ensure_ascii=False)


def as_root(commands: Sequence[str], user: str) -> list[str]:
    """``commands`` run as root, and ``user`` again for whoever runs the image, unless one of them says who does."""
    return ["USER 0:0", *commands, *([] if sets_user(commands) else [f"USER {word(user, 'the user')}"])]


def in_network(commands: Sequence[str], network: str) -> tuple[str, ...]:
    """``commands`` with every ``RUN`` in ``network`` that does not say its own: others of the build keep theirs."""
    return tuple(
        re.sub(r"\A(?i:RUN)(?=\s)", f"RUN --network={network}", command)
        if instruction_of(command) == "RUN" and not re.match(r"\w+(?:\s+--\S+)*?\s+--network=", command)
        else command
        for command in commands
    )


def shell_word(text: str, what: str) -> str:
    """``text`` as one word of a ``RUN`` in the shell form."""
    return shlex.quote(checked(text, what))


def checked(text: str, what: str) -> str:
    """``text``; ``InputError`` where a line of a Dockerfile, or a process of the image, cannot hold it."""
    if any(c in text for c in "\n\r\0"):
        raise InputError(f"{what} has a line break or a NUL in it", hint="put it in a file of the project instead")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{what} is no valid text (UTF-8)", hint="put it in a file of the project instead") from None
    return text


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{c}" if c in special else c for c in text)
