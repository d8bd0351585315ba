"""URLs without what is nobody's to see. What is no URL raises ``ValueError`` (``urllib.parse.urlsplit``)."""

from __future__ import annotations

from urllib.parse import urlsplit


def has_login(url: str) -> bool:
    """Whether ``url`` holds a user name or password, which no argument list may show."""
    return "://" in url and "@" in urlsplit(url).netloc


def without_login(url: str) -> str:
    """``url`` without its user information; all else stays, so that it can still be fetched."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def bare(url: str) -> str:
    """``url`` without login, query and fragment: a token may be in each."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
