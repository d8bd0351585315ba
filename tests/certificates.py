"""Certificates of the tests' own: an authority, and the servers and clients that it vouches for."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme


class Authority:
    """One certificate authority; ``bundle`` is its PEM file, written below ``directory``."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._ca = trustme.CA()
        self.bundle = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.bundle)

    def server(self, *names: str, asks_client: bool = False, expired: bool = False) -> ssl.SSLContext:
        """What a server called ``names`` (by default 127.0.0.1 and localhost) speaks TLS with."""
        until = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1) if expired else None
        certificate = self._ca.issue_cert(*(names or ("127.0.0.1", "localhost")), not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def server_pem(self, *names: str) -> bytes:
        """Key and certificate of a server called ``names``."""
        return self._ca.issue_cert(*names).private_key_and_cert_chain_pem.bytes()

    def client(self) -> Path:
        """A PEM file with a client's certificate and key."""
        path = self._directory / "client.pem"
        self._ca.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(path)
        path.chmod(0o600)
        return path
