"""Credentials in URLs: one rule for all URLs that are read, and its strict half for text that may be anything.

A URL holds one where it has a user with a password, or with a token in the user's place; where its query or its
fragment has a signature or a token (``?sig=``, ``?access_token=``, ``X-Amz-Signature``); where its path has one
(conda's channels); or where a token of a known form stands anywhere in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from imagekit.secrets.no_credential import generated
from imagekit.secrets.shapes import Shape, is_harmless, shape_of
from imagekit.secrets.telling import LOGIN, in_text, tokens_of_queries

SIGNED = "a URL with a token"
WHAT_TO_DO = (
    "keep it out of the URL: an index takes a login from ~/.netrc, a keyring or a variable; a file that is signed "
    "for is downloaded first, and named by its path"
)
# From its "://" on, which few texts have.
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,15})://[^\s\"'<>`\\]+")
_REST = re.compile(rb"://(?:[^\s/?#@:\"'<>`\\]*:(?P<password>[^\s/?#@\"'<>`\\]+)@)?[^\s\"'<>`\\]*")
# As it is written, and not as a program puts it together: {password}, ${TOKEN}, %(user)s.
_WRITTEN = re.compile(r"[\w.~+/=%:,;*!-]+")
_MAY_HOLD = re.compile(r"[@?#]|/t/")


def in_url(url: str) -> str | None:
    """What credential ``url`` holds (``"a URL with a token"``), or ``None``; a harmless query is none."""
    return in_text(url)


def in_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Line (from 1), URL and kind of each URL in ``text``, a file of URLs such as a lock, that holds a credential."""
    for found in _URL.finditer(text):
        url = found.group()
        if _MAY_HOLD.search(url) and (kind := in_url(url)) is not None:
            yield text.count("\n", 0, found.start()) + 1, url, kind


def in_source(data: bytes) -> Iterator[Shape]:
    """URLs in ``data``, which is anything, with a password, a token or a signature that a machine made.

    ``postgres:postgres@localhost`` stands in many a source, and is nobody's secret.
    """
    for found in _REST.finditer(data):
        url = found.group()
        if b"=" not in url and found["password"] is None:
            continue
        text = url.decode("utf-8", "replace")
        password = (found["password"] or b"").decode("utf-8", "replace")
        tokens = tokens_of_queries(text) if "=" in text else ()
        for kind, written in ((LOGIN, password), *((SIGNED, token) for token in tokens)):
            value = unquote(written)
            # One of a known form is found as that.
            if (
                _WRITTEN.fullmatch(written)
                and generated(value)
                and shape_of(value) is None
                and not is_harmless(data, found.start(), value.encode())
            ):
                yield Shape(kind, found.start(), found.end())
