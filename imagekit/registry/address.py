"""Where a request goes: what registries say in ``Location`` and in challenges is not believed unseen."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from imagekit.errors import RegistryError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """What may share a connection, and what credentials are for."""

    scheme: str  # "http", "https"
    host: str  # an IPv6 address without its brackets
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def address(url: str, own: Origin) -> tuple[Origin, str]:
    """Origin and target (path and query) of ``url``: a path at ``own``, or an absolute URL that ``own`` gave.

    ``RegistryError`` where it leads nowhere, or from TLS to plain HTTP elsewhere.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise _nowhere(own) from None
    if not parts.netloc and not parts.scheme and parts.path.startswith("/"):
        return own, _target(parts)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or "@" in parts.netloc:
        raise _nowhere(own)
    if scheme == "http" and own.scheme == "https":
        # Behind a proxy that ends TLS, registries name themselves with http.
        if host != own.host:
            raise RegistryError(f"{own} redirects from https to http at {host}", hint="mend the registry's set-up")
        return own, _target(parts)
    return Origin(scheme, host, port or _PORTS[scheme]), _target(parts)


def joined(said_at: str, location: str) -> str:
    """The URL that ``location`` means in an answer of the URL ``said_at`` (RFC 9110, 10.2.2)."""
    try:
        return urljoin(said_at, location)
    except ValueError:
        raise RegistryError(
            f"{urlsplit(said_at).netloc} redirects to what is no address", hint="mend the registry's set-up"
        ) from None


def count_in(text: str | None) -> int | None:
    """The number in a header's field; ``None`` where there is none."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _nowhere(own: Origin) -> RegistryError:
    return RegistryError(f"{own} redirects to what is no address", hint="mend the registry's set-up")
