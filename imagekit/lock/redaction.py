"""URLs without the credentials in them: to be shown (``redacted``, of ``spec.url``), and to be fetched."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from imagekit.spec.url import redacted

__all__ = ["has_credentials", "redacted", "without_credentials"]


def without_credentials(url: str) -> str:
    """``url`` without its user information; all else stays, so that it can still be fetched."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def has_credentials(url: str) -> bool:
    """Whether ``url`` holds a user name or password, which no argument list may show."""
    return "://" in url and "@" in urlsplit(url).netloc
