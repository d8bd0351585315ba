"""Indexes, proxies and certificates that refuse: one clear line, what to do, and no secret in either."""

from __future__ import annotations

import re

from imagekit.errors import IndexUnreachable
from imagekit.lock.access import IndexAccess, variable_name
from imagekit.lock.logins import server_of
from imagekit.spec.url import redacted

DOCS = "docs/indexes.md"
# What uv (rustls) and Python (OpenSSL) say of a certificate, in this order.
_CERTIFICATES = (
    (re.compile(r"(?i)certificate expired|has expired|cert.*\bExpired\b"), "the certificate of {host} has expired",
     "its owner must renew it; is this machine's clock right? See: date"),
    (re.compile(r"(?i)not valid for name|hostname mismatch|ip address mismatch|NotValidForName|doesn't match"),
     "the certificate of {host} is for another name",
     "write the name that the certificate has into the index's URL"),
    (re.compile(r"(?i)CertificateRequired|certificate required|PEER_DID_NOT_RETURN|handshake failure"),
     "{host} asks for a client certificate",
     "name a PEM file with certificate and key: SSL_CLIENT_CERT=FILE, or client-cert in pip.conf"),
    (re.compile(r"(?i)alert: ?(?:UnknownCA|BadCertificate)|alert unknown ca|alert bad certificate"),
     "{host} does not accept the client certificate",
     "is SSL_CLIENT_CERT the one that was issued for it?"),
    (re.compile(r"(?i)UnknownIssuer|invalid peer certificate|certificate verify failed|CERTIFICATE_VERIFY_FAILED"),
     "the certificate of {host} is not trusted",
     "name the CA bundle of your site: SSL_CERT_FILE=FILE (imagekit doctor shows which one is used)"),
)  # fmt: skip
_PROXY_LOGIN = re.compile(r"proxy authorization required|407 Proxy Authentication Required|\(407\)")
# A proxy's other noes: tinyproxy says 401 to a wrong login, and others 403 to a host that they do not lead to.
_PROXY_NO = re.compile(r"tunnel error: unsuccessful|Tunnel connection failed: (\d+)")
_PROXY_DEAD = re.compile(r"failed to create underlying connection|Unable to connect to proxy|Cannot connect to proxy")
_STATUS = re.compile(r"\b(401|403)\b")
_URL = re.compile(r"https?://[^\s`'\"()<>]+")


def refusal(words: str, url: str, access: IndexAccess, *, about: str = "", details: str | None = None) -> (
    IndexUnreachable | None
):  # fmt: skip
    """The error for what a program said when it asked ``url``; ``None`` where it says nothing of a refusal.

    ``about`` is what was asked for: ``"alpha: "``.
    """
    host = host_of(url)
    proxy = _proxy_of(url, access)
    if _PROXY_LOGIN.search(words):
        return IndexUnreachable(
            f"{about}the proxy {proxy} wants a login, or refuses the one it was given (HTTP 407), on the way to {host}",
            hint="write it into the variable that names the proxy: HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT",
            details=details,
        )
    if _PROXY_NO.search(words):
        return IndexUnreachable(
            f"{about}the proxy {proxy} refuses the way to {host}",
            hint="is the login in HTTPS_PROXY right, and may the proxy lead there? "
            f"Without it: NO_PROXY={server_of(url)[1]}",
            details=details,
        )
    if _PROXY_DEAD.search(words):
        return IndexUnreachable(
            f"{about}the proxy {proxy} does not answer, on the way to {host}",
            hint=f"correct HTTPS_PROXY and HTTP_PROXY, or reach {host} without it: NO_PROXY={server_of(url)[1]}",
            details=details,
        )
    for pattern, message, hint in _CERTIFICATES:
        if pattern.search(words):
            return IndexUnreachable(about + message.format(host=host), hint=hint, details=details)
    status = _STATUS.search(words)
    return None if status is None else denied(int(status[1]), url, access, about=about, details=details)


def denied(status: int, url: str, access: IndexAccess, *, about: str = "", details: str | None = None) -> (
    IndexUnreachable
):  # fmt: skip
    """The error for HTTP 401 or 403 at ``url``."""
    host = host_of(url)
    known = access.logins.of(url)
    proxy = access.proxies.url_for(*server_of(url)) if url else None
    # What is not encrypted may have been answered by the proxy.
    or_proxy = (
        "" if proxy is None or url.startswith("https:") else f"; or the proxy {redacted(proxy)} refuses its login"
    )
    if known:
        return IndexUnreachable(
            f"{about}{redacted(url)} refuses the login from {known[0].origin} (HTTP {status})",
            hint=f"renew that login; may it read this index? See {DOCS}{or_proxy}",
            details=details,
        )
    name = next((each.name for each in access.indexes.named if server_of(each.url) == server_of(url)), None)
    variable = f"UV_INDEX_{variable_name(name or 'NAME')}"
    if access.logins.withheld(url):
        return IndexUnreachable(
            f"{about}{redacted(url)} asks for a login, and {host} gets none from netrc in the clear (HTTP {status})",
            hint=f"ask it by https, or make it an index or a place of files of the project; see {DOCS}{or_proxy}",
            details=details,
        )
    return IndexUnreachable(
        f"{about}{redacted(url)} asks for a login, and none is known for {host} (HTTP {status})",
        hint=f"put one into ~/.netrc (machine {server_of(url)[1]} login USER password PASSWORD), or "
        f"{'name the index and ' if name is None else ''}set {variable}_USERNAME and {variable}_PASSWORD; "
        f"see {DOCS}{or_proxy}",
        details=details,
    )


def first_url(words: str) -> str | None:
    """The first URL in a program's words."""
    found = _URL.search(words)
    return found.group().rstrip(".,:") if found else None


def host_of(url: str) -> str:
    """``HOST[:PORT]`` of ``url``, as it stands there."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2] or "the index"


def _proxy_of(url: str, access: IndexAccess) -> str:
    scheme, host, port = server_of(url)
    found = access.proxies.url_for(scheme, host, port)
    return redacted(found) if found is not None else "in between"
