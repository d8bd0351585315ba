"""A token service as registries name it in their challenge; it signs with a key of its own.

Source: distribution (``docs/spec/auth/jwt``, ``token``, ``oauth``).
"""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..own_registry import PASSWORD, USER

SERVICE, ISSUER = "tests-registry", "tests-issuer"
IDENTITY = "canary-identity-31415"
# docker-registry takes tokens that ended a minute ago (registry/auth/token, Leeway).
LEEWAY = 60


class TokenServer:
    """Listens at ``realm``. ``asked`` are the scopes of each request; ``granted`` the tokens given.

    Tokens are good for ``seconds``, the first for ``first_seconds`` where that is set.
    Scopes of repositories in ``refuses`` are granted to nobody, and where
    ``all_or_nothing`` is set they refuse the whole request. ``is_open``: the anonymous may pull.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._key, self.certificate = directory / "key.pem", directory / "certificate.pem"
        make_certificate(self._key, self.certificate, "tests-issuer")
        self.seconds = 300.0
        self.first_seconds: float | None = None
        self.refuses: set[str] = set()
        self.all_or_nothing = False
        self.is_open = False
        self.status = 0
        self.asked: list[list[str]] = []
        self.granted: list[str] = []
        self._lock = threading.Lock()
        owner = self

        class Handler(_Handler):
            server_of = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def auth(self) -> dict[str, Any]:
        """The ``auth`` of a registry's configuration."""
        bundle = str(self.certificate)
        token = {"realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}
        return {"token": token}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, scopes: list[str], user: str | None) -> tuple[int, Mapping[str, Any]]:
        with self._lock:
            self.asked.append(scopes)
        if self.status:
            return self.status, {"details": "out of order"}
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = actions.split(",") if user else ["pull"] if self.is_open else []
            if name in self.refuses:
                if self.all_or_nothing:
                    return 403, {"details": "not all of it"}
                allowed = []
            access.append({"type": kind, "name": name, "actions": allowed})
        token = self._signed(access)
        with self._lock:
            self.granted.append(token)
        return 200, {"token": token, "expires_in": max(60, int(self.seconds))}

    def _signed(self, access: list[dict[str, Any]]) -> str:
        der = "".join(self.certificate.read_text().split("-----")[2].split())
        now = time.time()
        seconds = self.seconds if self.granted or self.first_seconds is None else self.first_seconds
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "exp": int(now + seconds - LEEWAY),
            "nbf": int(now - 600),
            "iat": int(now),
            "jti": secrets.token_hex(8),
            "access": access,
        }
        parts = [_encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "RS256", "x5c": [der]}, claims)]
        text = ".".join(parts)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._key)],
            input=text.encode(),
            capture_output=True,
            check=True,
        )
        return f"{text}.{_encoded(done.stdout)}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: TokenServer

    def log_message(self, *words: Any) -> None:
        pass

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        assert query["service"] == [SERVICE]
        header = self.headers.get("Authorization")
        user = None
        if header:
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if header != expected:
                return self._put(401, {"details": "wrong password"})
            user = USER
        return self._put(*self.server_of.answer(query.get("scope", []), user))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert form["grant_type"] == ["refresh_token"]
        assert form["service"] == [SERVICE]
        if form["refresh_token"] != [IDENTITY]:
            return self._put(401, {"details": "wrong token"})
        status, value = self.server_of.answer(form["scope"][0].split(" "), USER)
        return self._put(status, {"access_token": value.get("token"), "expires_in": value.get("expires_in")})

    def _put(self, status: int, value: Mapping[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def make_certificate(key: Path, certificate: Path, name: str, *, alternative: str = "DNS:localhost") -> None:
    """A key, and a certificate for ``name`` that is its own authority."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-sha256"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
