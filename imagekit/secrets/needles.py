"""The values of a build's secrets, looked for in what came of it, and taken out of what is said.

A value is looked for as it is, in base64 at any alignment (as in ``Authorization: Basic``), URL-encoded and as
JSON has it. Of a file of several words (a key, a netrc file, an ``.env``) each word that looks like a secret
counts, and of a URL its password. A value that is one plain word (``production``) stands in many files, and is
not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# What is shorter stands in many files by chance.
SHORTEST = 6
CONCEALED = "***"
_ORDINARY = rb"[A-Za-z]{1,12}|[0-9.]{1,8}"
_NETRC = r"\bpassword\s+(?P<password>\S+)"  # of a netrc file
_FIELD = r"(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[=:]\s*[\"']?(?P<value>[^\s\"']+)"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Needles:
    """What is looked for: forms of the values, as bytes, the longest first."""

    forms: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.forms)

    def __repr__(self) -> str:
        return f"Needles({len(self.forms)} forms)"

    @property
    def longest(self) -> int:
        """Bytes of the longest form."""
        return len(self.forms[0]) if self.forms else 0

    def found_in(self, data: bytes) -> bool:
        """Whether ``data`` holds one of the values in any of its forms."""
        return any(form in data for form in self.forms)

    def concealed(self, text: str) -> str:
        """``text`` with each of the values in it, in any form, replaced by ``***``."""
        for form in self.forms:
            plain = form.decode("utf-8", "surrogateescape")
            if plain in text:
                text = text.replace(plain, CONCEALED)
        return text


def needles(values: Iterable[bytes]) -> Needles:
    """``Needles`` for ``values``; those shorter than six bytes are left out."""
    forms: set[bytes] = set()
    for value in values:
        for part in {value.strip(), *parts(value)}:
            if len(part) >= SHORTEST and not re.fullmatch(_ORDINARY, part):
                forms.update(_forms(part))
    return Needles(forms=tuple(sorted(forms, key=lambda form: (-len(form), form))))


def parts(value: bytes) -> Iterator[bytes]:
    """What in ``value`` is a secret by itself: passwords of URLs and of netrc files, words that look generated."""
    from urllib.parse import unquote

    from imagekit.secrets.telling import generated, logins, named

    text = value.decode("utf-8", "surrogateescape")
    found = [word for login in logins(text) for word in (login, unquote(login))]
    found += [match["password"] for match in re.finditer(_NETRC, text)]
    if len(text.split()) > 1:
        found += [match["value"] for match in re.finditer(_FIELD, text) if named(match["name"], match["value"])]
        found += [
            word for word in (piece.strip("\"',;") for piece in text.split()) if "://" not in word and generated(word)
        ]
    for word in found:
        yield word.encode("utf-8", "surrogateescape")


def _forms(value: bytes) -> Iterator[bytes]:
    import json
    from urllib.parse import quote, quote_plus

    yield value
    yield from _base64(value)
    text = value.decode("utf-8", "surrogateescape")
    try:
        for encoded in (quote(value, safe=""), quote(value), quote_plus(value)):
            yield encoded.encode()
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded).encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return


def _base64(value: bytes) -> Iterator[bytes]:
    """What stands in base64 of any text that holds ``value``: whole groups of six bits, at each alignment."""
    import base64

    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        first = (before * 8 + 5) // 6
        last = (before + len(value)) * 8 // 6
        core = encoded[first:last]
        if len(core) >= SHORTEST:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))
