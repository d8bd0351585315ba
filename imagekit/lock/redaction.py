"""URLs and other programs' words, without the credentials in them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@]*(?::[^\s/?#]*)?@")
_QUERY = re.compile(r"(?P<url>[A-Za-z][A-Za-z0-9+.-]*://[^\s?#'\"`)]+)\?[^\s#'\"`)]+")


def redacted(text: str) -> str:
    """``text`` with the user information and query of every URL in it replaced by ``***``."""
    return _QUERY.sub(r"\g<url>?***", _USERINFO.sub(r"\g<scheme>***@", text))


def without_credentials(url: str) -> str:
    """``url`` without its user information; all else stays, so that it can still be fetched."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def has_credentials(url: str) -> bool:
    """Whether ``url`` holds a user name or password, which no argument list may show."""
    return "://" in url and "@" in urlsplit(url).netloc
