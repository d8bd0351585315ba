"""``EXTRA_PIP_PACKAGES`` taken apart, by the standard library alone: this is also a file of images.

It keeps to the syntax of Python 3.8. Where a requirement ends is never in doubt: whatever continues one (``[``, ``(``,
an operator, ``,``, ``;``, ``@``) begins none, and a marker ends where no ``and`` or ``or`` follows.
"""

import re
import typing

VARIABLE = "EXTRA_PIP_PACKAGES"
# More than any list of packages, and less than an argument may be (execve(2): 128 KiB).
LONGEST = 64 * 1024

_SPACE = " \t\r\n"
_GAP = r"[ \t\r\n]+"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?![A-Za-z0-9._-])"
_SPECIFIER = r"(?:===|~=|==|!=|<=|>=|<|>)\s*[^\s,;()\[\]<>=!~@'\"]+"
_SPECIFIERS = rf"{_SPECIFIER}(?:\s*,\s*{_SPECIFIER})*"
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[a-z_.]+)"
_COMPARED = rf"(?:\s*\()*\s*{_VALUE}\s*(?:===|~=|==|!=|<=|>=|<|>|in\b|not\s+in\b)\s*{_VALUE}(?:\s*\))*"
# An "and" that nothing follows is no package of that name.
_MARKER = rf"\s*;{_COMPARED}(?:\s*\b(?:and|or)\b{_COMPARED})*(?!\s*\b(?:and|or)\b)"
_HOST = r"(?:git@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?"
# The extent of one; ``packaging`` says whether it is right.
_REQUIREMENT = (
    rf"{_NAME}(?:\s*\[[^\[\]]*\])?"
    rf"(?:\s*@\s*[^\s;]\S*(?:\s{_MARKER})?|(?:\s*(?:\(\s*{_SPECIFIERS}\s*\)|{_SPECIFIERS}))?(?:{_MARKER})?)"
    r"(?=\s|$)"
)


class NoRequirement(Exception):
    """What is wrong, and what to do: two arguments, both of one line and without a credential."""


def split(text: str) -> typing.List[str]:  # noqa: UP006
    """The requirements of ``text`` one by one, as they are written but for white space, which becomes one space.

    Raises ``NoRequirement`` for the first word that begins none.
    """
    if len(text) > LONGEST:
        raise NoRequirement(f"{len(text)} characters, and {LONGEST} are the most", "build an image with the packages")
    requirement = re.compile(_REQUIREMENT, re.ASCII)
    pieces: typing.List[str] = []  # noqa: UP006
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _SPACE:
            at += 1
        if at == end:
            return pieces
        found = requirement.match(text, at)
        if found is None:
            raise _refusal(re.split(_GAP, text[at:], maxsplit=1)[0])
        pieces.append(re.sub(_GAP, " ", found[0]))
        at = found.end()


def url_of(piece: str) -> str:
    """The URL of ``NAME @ URL``, without its fragment; empty for any other requirement.

    Raises ``NoRequirement``, and shows nothing of it, for what may hold a credential.
    """
    name, at, url = piece.partition("@")
    # What is written in a marker is no URL.
    if not at or ";" in name:
        return ""
    url = url.strip().partition(" ")[0].partition("#")[0]
    place, _, query = url.partition("?")
    found = re.match(r"[A-Za-z0-9+.-]+://(?P<host>[^/]*)", place)
    host = "" if found is None else found["host"]
    netrc = "put the login for that host into ~/.netrc"
    if host and not re.fullmatch(_HOST, host):
        raise NoRequirement(
            f"the URL of {name.strip()} has a user or password in it, or its host is not valid",
            f"take the login out of the URL: {netrc}",
        )
    if query:
        raise NoRequirement(
            f"{place!r} has a query, which would be recorded with the image", f"leave the query out: {netrc}"
        )
    return url


def _refusal(word: str) -> NoRequirement:
    # A login may have a space in it, and then a word is the first part of one.
    shown = re.sub(r"://.*", "://…", word)
    shown = repr(shown if len(shown) <= 120 else f"{shown[:117]}...")
    if word.startswith("-"):
        return NoRequirement(
            f"{shown} is an option, and only requirements are taken",
            "indexes are set by [tool.imagekit], UV_INDEX or pip's configuration; a file's lines are written out",
        )
    if word[0] in "'\"":
        return NoRequirement(
            f"{shown} is in quotes", "leave them out: they are a shell's, and no part of the value (also in a file)"
        )
    if "://" in word:
        return NoRequirement(f"a URL ({shown}) does not say which package it is", "write NAME @ https://HOST/FILE.whl")
    if word.endswith(",") or ("," in word and re.match(rf"{_NAME},", word, re.ASCII)):
        return NoRequirement(f"{shown} is not a requirement", "separate packages by spaces: boto3 requests>=2")
    return NoRequirement(
        f"{shown} is not a requirement",
        "write NAME, NAME==1.2, NAME>=1,<2, NAME[EXTRA], NAME; MARKER or NAME @ https://HOST/FILE.whl, "
        "with spaces between them",
    )
