"""The values of a build's secrets, looked for in what came of it, and taken out of what is said.

A value is looked for as it is, in base64 at any alignment (as in ``Authorization: Basic``), URL-encoded, as JSON has
it, in hexadecimal digits and in UTF-16. What is a secret by itself within a value counts, too: the password of a URL,
of a connection string and of a netrc file, the fields of a document (JSON, ``.env``, ``.npmrc``, YAML), each word of a
key. A value that is one plain word (``production``) stands in many files, and is not looked for.
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
_FIELD = (
    r"(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*[=:]\s*"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>[^']*)'|(?P<plain>[^\s\"']+))"
)
_LOGIN = r"[^\s:/]+:(?P<password>[^\s/]\S*)"  # USER:PASSWORD
_PGPASS = r"(?m)^(?:[^:\s\"']+:){4}(?P<password>[^:\s\"']+)$"


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

    def taken_out(self, data: bytes) -> bytes:
        """``data`` with each of the values in it, in any form, replaced by ``***``."""
        for form in self.forms:
            if form in data:
                data = data.replace(form, CONCEALED.encode())
        return data

    def concealed(self, text: str) -> str:
        """The same of a text."""
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


def parts(value: bytes, *, by_looks: bool = True) -> Iterator[bytes]:
    """What in ``value`` is a secret by itself: passwords of URLs and logins, fields of documents, generated words.

    Without ``by_looks`` only what is said to be one: where hosts and users stand beside it, too.
    """
    from urllib.parse import unquote

    from imagekit.secrets.telling import logins, passwords_of_connections

    text = value.decode("utf-8", "surrogateescape")
    found = [word for login in logins(text) for word in (login, unquote(login))]
    found += passwords_of_connections(text)
    found += [match["password"] for pattern in (_NETRC, _PGPASS) for match in re.finditer(pattern, text)]
    found += _in_fields(text, by_looks=by_looks)
    if by_looks and (login := re.fullmatch(_LOGIN, text.strip())) is not None:
        found.append(login["password"])
    if by_looks and len(text.split()) > 1:
        found += [word for word in (piece.strip("\"',;") for piece in text.split()) if _looks_so(word)]
    for word in found:
        yield word.encode("utf-8", "surrogateescape")


def _in_fields(text: str, *, by_looks: bool) -> Iterator[str]:
    """The values of a document's fields that are secrets, by their names or their looks."""
    from imagekit.secrets.telling import fields_of_json, named

    fields = list(fields_of_json(text))
    for match in re.finditer(_FIELD, text) if not fields else ():
        fields.append((match["name"], match["double"] or match["single"] or match["plain"] or ""))
    for name, value in fields:
        for word in {value, value.rstrip(",;}")}:
            if named(name, word) is not None or (by_looks and _looks_so(word)):
                yield word
                yield from _in_login(word)


def _in_login(word: str) -> Iterator[str]:
    """The password in base64 of ``USER:PASSWORD``, as configurations of registries and indexes have it."""
    import base64
    import binascii

    try:
        login = re.fullmatch(_LOGIN, base64.b64decode(word, validate=True).decode())
    except (binascii.Error, ValueError):
        return
    if login is not None:
        yield login["password"]


def _looks_so(value: str) -> bool:
    from imagekit.secrets.no_credential import generated, stands_for_another

    # A list of hosts looks like nothing that anybody wrote.
    return any(map(generated, re.split("[,;]", value))) and not stands_for_another(value)


def _forms(value: bytes) -> Iterator[bytes]:
    import json
    from urllib.parse import quote, quote_plus

    yield value
    yield from _base64(value)
    yield from (value.hex().encode(), value.hex().upper().encode())
    text = value.decode("utf-8", "surrogateescape")
    try:
        for encoded in (quote(value, safe=""), quote(value), quote_plus(value)):
            yield encoded.encode()
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded).encode()
        # Of ASCII both are the same.
        yield text.encode("utf-16-le")[:-1]
        yield text.encode("utf-16-be")[1:]
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
