"""``EXTRA_PIP_PACKAGES``: requirements (PEP 508) with white space between them, and nothing else.

The images that made the variable known hand it to an installer unquoted, so that white space separates its words.
Here it separates requirements: one may have white space in it, as PEP 508 allows. Where one ends is never in doubt,
for whatever continues a requirement (``[``, ``(``, an operator, ``,``, ``;``, ``@``) begins none, and a marker ends
where no ``and`` or ``or`` follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from imagekit.errors import InvalidRequirement
from imagekit.spec.image import RequirementLine

VARIABLE = "EXTRA_PIP_PACKAGES"
# More than any list of packages, and less than an argument may be (execve(2): 128 KiB).
LONGEST = 64 * 1024

_SPACE = " \t\r\n"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?![A-Za-z0-9._-])"
_SPECIFIER = r"(?:===|~=|==|!=|<=|>=|<|>)\s*[^\s,;()\[\]<>=!~@'\"]+"
_SPECIFIERS = rf"{_SPECIFIER}(?:\s*,\s*{_SPECIFIER})*"
_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[a-z_.]+)"
_COMPARED = rf"(?:\s*\()*\s*{_VALUE}\s*(?:===|~=|==|!=|<=|>=|<|>|in\b|not\s+in\b)\s*{_VALUE}(?:\s*\))*"
# An "and" that nothing follows is no package of that name.
_MARKER = rf"\s*;{_COMPARED}(?:\s*\b(?:and|or)\b{_COMPARED})*(?!\s*\b(?:and|or)\b)"
_HOST = r"(?:git@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?"
_GAP = r"[ \t\r\n]+"


def read_extras(text: str) -> tuple[RequirementLine, ...]:
    """The requirements of ``text``, in its order; all that is wrong with it is raised at once as ``InputError``.

    Nothing is asked of anything. A URL must hold no credential, neither as a login nor in its query, because it is
    written into the lock and the image.
    """
    from imagekit.spec.requirement import parse_each, parse_requirement

    def parse(piece: str) -> RequirementLine:
        _check_url(piece)
        return parse_requirement(piece, VARIABLE)

    if not isinstance(text, str):
        raise InvalidRequirement(f"{VARIABLE} is not a text", hint=f"write {VARIABLE}='boto3 requests>=2'")
    if len(text) > LONGEST:
        raise InvalidRequirement(
            f"{VARIABLE} has {len(text)} characters, and {LONGEST} are the most", hint="build an image with them"
        )
    from imagekit.secrets.telling import in_text

    if (kind := in_text(text)) is not None:
        raise InvalidRequirement(
            f"{VARIABLE} has {kind} in it",
            hint="put logins into ~/.netrc, or give the index one: UV_INDEX_NAME_PASSWORD",
        )
    return tuple(dict.fromkeys(parse_each(split(text), parse)))


@cache
def _requirement() -> re.Pattern[str]:
    """The extent of one; ``packaging`` says whether it is right. A start that was seen before needs none of it."""
    return re.compile(
        rf"{_NAME}(?:\s*\[[^\[\]]*\])?"
        rf"(?:\s*@\s*[^\s;]\S*(?:\s{_MARKER})?|(?:\s*(?:\(\s*{_SPECIFIERS}\s*\)|{_SPECIFIERS}))?(?:{_MARKER})?)"
        r"(?=\s|$)",
        re.ASCII,
    )


def split(text: str) -> tuple[str, ...]:
    """The requirements of ``text`` one by one, as they are written but for white space, which becomes one space.

    ``InvalidRequirement`` for the first word that begins none.
    """
    return tuple(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _SPACE:
            at += 1
        if at == end:
            return
        found = _requirement().match(text, at)
        if found is None:
            raise _refusal(text, at)
        yield re.sub(_GAP, " ", found[0])
        at = found.end()


def _refusal(text: str, at: int) -> InvalidRequirement:
    # A word of the variable, with what separates others in it: a token in a URL must not be shown.
    word = re.split(_GAP, text[at:], maxsplit=1)[0]
    # A login may have a space in it, and then a word is the first part of one.
    shown = re.sub(r"://.*", "://…", word)
    shown = repr(shown if len(shown) <= 120 else f"{shown[:117]}...")
    if word.startswith("-"):
        return InvalidRequirement(
            f"{VARIABLE}: {shown} is an option, and only requirements are taken",
            hint="indexes are set by [tool.imagekit], UV_INDEX or pip's configuration; a file's lines are written out",
        )
    if "://" in word:
        return InvalidRequirement(
            f"{VARIABLE}: a URL ({shown}) does not say which package it is", hint="write NAME @ https://HOST/FILE.whl"
        )
    if word.endswith(",") or ("," in word and re.match(rf"{_NAME},", word, re.ASCII)):
        return InvalidRequirement(
            f"{VARIABLE}: {shown} is not a requirement", hint="separate packages by spaces: boto3 requests>=2"
        )
    return InvalidRequirement(
        f"{VARIABLE}: {shown} is not a requirement",
        hint="write NAME, NAME==1.2, NAME>=1,<2, NAME[EXTRA], NAME; MARKER or NAME @ https://HOST/FILE.whl, "
        "with spaces between them",
    )


def _check_url(piece: str) -> None:
    """Refuse what may be a credential, without showing it; what is written in a marker is no URL."""
    name, at, url = piece.partition("@")
    if not at or ";" in name:
        return
    url = url.strip().partition(" ")[0]
    place, _, query = url.partition("#")[0].partition("?")
    found = re.match(r"[A-Za-z0-9+.-]+://(?P<host>[^/]*)", place)
    host = "" if found is None else found["host"]
    if host and not re.fullmatch(_HOST, host):
        raise InvalidRequirement(
            f"{VARIABLE}: the URL of {name.strip()} has a user or password in it, or its host is not valid",
            hint="take the login out of the URL, and put it into ~/.netrc for that host",
        )
    if query:
        raise InvalidRequirement(
            f"{VARIABLE}: {place!r} has a query, which would be recorded with the image",
            hint="put the login for that host into ~/.netrc, and leave the query out",
        )
