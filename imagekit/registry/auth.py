"""Signing requests: Basic and Bearer, with a registry's token service.

Source: distribution/distribution (``docs/spec/auth``: token, oauth, scope), RFC 9110 (11.6.1), RFC 6750.
"""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from imagekit.errors import AuthError
from imagekit.registry.access import Access

if TYPE_CHECKING:
    from imagekit.registry.credentials import Credentials

_CLIENT = "imagekit"
_SHORTEST = 60.0  # seconds that a token is good for at least, and where nothing is said (auth/token)
_MARGIN = 5.0  # seconds before its end at which a token is no longer begun with
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)(?:\s+|$)", re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z0-9_-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
# (step, method, URL, headers, body) -> status, body; tried again where that may help.
Ask = Callable[[str, str, str, Mapping[str, str], "bytes | None"], "tuple[int, bytes]"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be done with a repository: ``pull``, ``push``."""

    repository: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"repository:{self.repository}:{','.join(self.actions)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry asks for in ``WWW-Authenticate``."""

    scheme: str  # "basic", "bearer"
    realm: str = ""
    service: str = ""

    @classmethod
    def parse(cls, header: str) -> Challenge | None:
        """The challenge that we can meet, a Bearer one if there is one."""
        marks = list(_SCHEME.finditer(header))
        found = {}
        for number, mark in enumerate(marks):
            rest = header[mark.end() : marks[number + 1].start() if number + 1 < len(marks) else None]
            values = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
                for name, quoted, bare in _PARAMETER.findall(rest)
            }
            found[mark[1].lower()] = cls(
                scheme=mark[1].lower(), realm=values.get("realm", ""), service=values.get("service", "")
            )
        return found.get("bearer") or found.get("basic")


@dataclass(frozen=True, slots=True)
class _Signature:
    header: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset()  # of a token; empty: good for all
    until: float = float("inf")  # on the monotonic clock


class Signer:
    """Signs the requests to one registry. Safe to use from several threads: one asks for a token, the others wait.

    ``ask`` talks to token services. Nothing is read or asked for before the registry wants a signature.
    """

    def __init__(self, registry: str, access: Access, ask: Ask, *, may_be_plain: bool) -> None:
        self._registry = registry
        self._access = access
        self._ask = ask
        self._may_be_plain = may_be_plain
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._signature: _Signature | None = None
        self._credentials: Credentials | None = None
        self._has_looked = False
        self._wanted: frozenset[Scope] = frozenset()
        self._optional: frozenset[Scope] = frozenset()
        self._secrets: set[str] = set()

    def expect(self, wanted: frozenset[Scope], optional: frozenset[Scope] = frozenset()) -> None:
        """What one token is to be good for; ``optional`` is done without where it is refused."""
        with self._lock:
            self._wanted |= wanted
            self._optional |= optional

    def header(self, needed: Scope) -> str | None:
        """The ``Authorization`` of a request, if the registry is known to want one."""
        with self._lock:
            if self._challenge is None:
                return None
            signature = self._signature
            if signature is None or signature.until < time.monotonic() or not _covers(signature.scopes, needed):
                self._want(needed)
                signature = self._signature = self._sign(self._challenge)
            return signature.header

    def renew(self, needed: Scope, refused: str | None, challenge: str) -> str:
        """Another ``Authorization`` than ``refused``, after a 401 with ``challenge``. Raises ``AuthError``."""
        with self._lock:
            signature = self._signature
            # Another thread was refused likewise, and has a new one by now.
            if signature is not None and refused is not None and signature.header != refused:
                return signature.header
            parsed = Challenge.parse(challenge)
            if parsed is None:
                raise self.refusal("asks for a kind of authentication that is not known here")
            self._challenge = parsed
            self._want(needed)
            signature = self._sign(parsed)
            if signature.header == refused:
                raise self.refusal("refused the credentials that are kept for it")
            self._signature = signature
            return signature.header

    def refusal(self, words: str) -> AuthError:
        return AuthError(f"{self._registry} {words}", hint=f"docker login {self._registry}")

    def scrubbed(self, text: str) -> str:
        """``text`` without any secret that this has seen."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _want(self, needed: Scope) -> None:
        if not self._wanted or not _covers(self._wanted, needed):
            self._wanted |= {needed}

    def _sign(self, challenge: Challenge) -> _Signature:
        if not self._has_looked:
            # Only here: what it takes to run a helper is a tenth of what a small push imports.
            from imagekit.registry.credentials import find_credentials

            self._credentials = find_credentials(self._registry, self._access)
            self._has_looked = True
            self._secrets.update(self._credentials.secrets if self._credentials else ())
        known = self._credentials
        if known is not None and known.registry_token:
            return _Signature(f"Bearer {known.registry_token}")
        if challenge.scheme == "basic":
            if known is None or not known.user:
                raise self.refusal("asks for a user and password, and none are kept for it")
            return _Signature(self._basic(known))
        scopes = self._wanted | self._optional
        status, body = self._token(challenge, known, scopes)
        if status in (401, 403) and scopes != self._wanted:
            # Some services grant all that is asked for or nothing.
            self._optional = frozenset()
            scopes = self._wanted
            status, body = self._token(challenge, known, scopes)
        if status in (400, 401, 403):
            why = "refused the credentials that are kept for it" if known else "gives no access without credentials"
            raise self.refusal(why)
        return self._read(status, body, scopes)

    def _token(self, challenge: Challenge, known: Credentials | None, scopes: frozenset[Scope]) -> tuple[int, bytes]:
        try:
            realm = urlsplit(challenge.realm)
        except ValueError:
            raise self.refusal("names no token service that can be asked") from None
        if not realm.netloc or realm.scheme not in ("https", "http") or "@" in realm.netloc:
            raise self.refusal("names no token service that can be asked")
        if realm.scheme == "http" and not self._may_be_plain:
            raise self.refusal("has a token service without TLS, which no credentials are sent to")
        step = f"the token service of {self._registry}"
        names = sorted(str(scope) for scope in scopes)
        if known is not None and known.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": challenge.service,
                "client_id": _CLIENT,
                "scope": " ".join(names),
                "refresh_token": known.identity_token,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._ask(step, "POST", challenge.realm, headers, urlencode(form).encode())
        query = [("service", challenge.service)] if challenge.service else []
        query += [("scope", name) for name in names]
        if known is not None:
            query.append(("account", known.user))
        whole = "&".join(filter(None, (realm.query, urlencode(query))))
        url = urlunsplit(realm._replace(query=whole, fragment=""))
        signed = {"Authorization": self._basic(known)} if known is not None else {}
        return self._ask(step, "GET", url, signed, None)

    def _read(self, status: int, body: bytes, scopes: frozenset[Scope]) -> _Signature:
        try:
            value: Mapping[str, Any] = json.loads(body) if status == 200 else {}
            token = value.get("token") or value.get("access_token")
            seconds = max(_SHORTEST, float(value.get("expires_in") or 0))
        except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise self.refusal(f"has a token service that gave no token (HTTP {status})")
        self._secrets.add(token)
        return _Signature(f"Bearer {token}", scopes, time.monotonic() + seconds - _MARGIN)

    def _basic(self, known: Credentials) -> str:
        pair = b64encode(f"{known.user}:{known.password}".encode()).decode()
        self._secrets.add(pair)
        return f"Basic {pair}"


def _covers(scopes: frozenset[Scope], needed: Scope) -> bool:
    return not scopes or any(
        scope.repository == needed.repository and set(needed.actions) <= set(scope.actions) for scope in scopes
    )
