"""HTTP/1.1 over connections that are kept: TLS, proxies, a deadline for every wait.

The standard library's ``http.client``, because a push of one small layer takes a tenth of a second,
and importing ``requests`` as long again.
"""

from __future__ import annotations

import errno
import http.client
import select
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from imagekit.errors import RegistryError
from imagekit.registry.access import Access
from imagekit.registry.address import Origin
from imagekit.registry.hosts import may_be_plain
from imagekit.registry.retry import Passing, Patience, Stopped

_PIECE = 1 << 18  # bytes read at a time
_DRAINED = 1 << 16  # a longer rest of an answer is not worth keeping its connection for

# Not what ends an upload: while docker-registry is at the first, a second one leaves it with a wrong size for good.
_SENT_AGAIN = frozenset({"GET", "HEAD", "POST"})

Body = bytes | Iterable[bytes] | None


class Answer:
    """A status, headers (names in lower case), and a body that is still to be read."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.url = ""  # where it was said
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: dict[str, str] = {}
        for name, value in response.getheaders():
            before = self.headers.get(name.lower())
            self.headers[name.lower()] = value if before is None else f"{before}, {value}"

    def read(self, most: int) -> bytes:
        """The body; ``Passing`` where it is cut short, ``RegistryError`` where it has more than ``most`` bytes."""
        data = bytearray()
        for piece in self.pieces():
            data += piece
            if len(data) > most:
                raise RegistryError(f"the registry's answer has more than {most} bytes", hint="check the address")
        return bytes(data)

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        while True:
            try:
                piece = self._response.read(_PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise Passing(_words(error)) from error
            if not piece:
                # http.client does not say so when it reads by pieces.
                if self._response.length:
                    raise Passing(f"the connection ended {self._response.length} bytes too early")
                return
            yield piece

    def drain(self) -> bool:
        """Whether the connection can be used again."""
        response = self._response
        if response.length is not None and response.length > _DRAINED:
            return False
        with suppress(OSError, http.client.HTTPException):
            response.read(_DRAINED)
        return response.isclosed() and not response.will_close


class Connections:
    """The connections to one registry and to where it sends its readers. Safe to use from several threads."""

    def __init__(self, access: Access, patience: Patience) -> None:
        self._access = access
        self._patience = patience
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._busy: set[http.client.HTTPConnection] = set()
        self._tls: dict[bool, ssl.SSLContext] = {}
        self.fastest = float("inf")  # seconds from a request to its answer
        self._is_closed = False

    @contextmanager
    def exchange(
        self, method: str, origin: Origin, target: str, headers: Mapping[str, str], body: Body, deadline: float
    ) -> Iterator[Answer]:
        """One request and its answer. ``Passing`` where the connection fails, ``RegistryError`` where it never will do.

        ``deadline`` is of each wait, in seconds. A ``body`` of several pieces comes with its ``Content-Length``.
        """
        connection, answer = self._ask(method, origin, target, headers, body, deadline)
        usable = False
        try:
            yield answer
            usable = answer.drain()
        finally:
            with self._lock:
                self._busy.discard(connection)
                if usable and not self._is_closed:
                    self._idle.setdefault(origin, []).append(connection)
            if not usable or self._is_closed:
                connection.close()

    def open(self, origin: Origin) -> None:
        """Connect, and keep the connection. The socket's own errors are raised: who asks wants to know."""
        connection = self._connect(origin)
        with self._lock:
            self._busy.discard(connection)
            self._idle.setdefault(origin, []).append(connection)

    def close(self) -> None:
        """Close them all; requests under way fail at once, and later ones with ``Stopped``."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = [c for kept in self._idle.values() for c in kept], {}
            busy = list(self._busy)
        for connection in idle:
            connection.close()
        for connection in busy:
            # Only shut down: another thread is reading from it, and closes it then.
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def _ask(
        self, method: str, origin: Origin, target: str, headers: Mapping[str, str], body: Body, deadline: float
    ) -> tuple[http.client.HTTPConnection, Answer]:
        while True:
            self._check_open()
            connection = self._kept(origin)
            is_fresh = connection is None
            try:
                connection = connection or self._connect(origin)
                connection.sock.settimeout(deadline)
                address, added = self._addressed(origin, target)
                began = time.monotonic()
                answer = _ask_once(connection, method, address, {**headers, **added}, body)
            except BaseException as error:
                if connection is not None:
                    with self._lock:
                        self._busy.discard(connection)
                    connection.close()
                # A kept connection may have been closed meanwhile.
                if isinstance(error, ConnectionError) and not is_fresh and method in _SENT_AGAIN:
                    continue
                if isinstance(error, (OSError, http.client.HTTPException)):
                    raise self._fault(error, origin) from error
                raise
            self.fastest = min(self.fastest, time.monotonic() - began)
            return connection, answer

    def _check_open(self) -> None:
        if self._is_closed:
            raise Stopped

    def _kept(self, origin: Origin) -> http.client.HTTPConnection | None:
        with self._lock:
            kept = self._idle.get(origin) or []
            while kept:
                connection = kept.pop()
                if connection.sock is not None and not _is_readable(connection.sock):
                    self._busy.add(connection)
                    return connection
                connection.close()
        return None

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        deadline = self._patience.connect
        proxy = self._access.proxy_to(origin.scheme, origin.host, origin.port)
        connection: http.client.HTTPConnection
        host, port, headers = (origin.host, origin.port, {}) if proxy is None else _proxy(proxy)
        if origin.scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=deadline, context=self._context(origin))
            if proxy is not None:
                connection.set_tunnel(origin.host, origin.port, headers=headers)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=deadline)
        with self._lock:
            self._busy.add(connection)
        try:
            connection.connect()
            # Who closes them has not seen a socket that was not there yet.
            self._check_open()
        except BaseException:
            with self._lock:
                self._busy.discard(connection)
            connection.close()
            raise
        return connection

    def _addressed(self, origin: Origin, target: str) -> tuple[str, dict[str, str]]:
        """The target as the other end wants it, and what a proxy of plain HTTP wants to see with every request."""
        proxy = self._access.proxy_to(origin.scheme, origin.host, origin.port)
        if proxy is None or origin.scheme == "https":
            return target, {}
        return f"http://{origin}{target}", _proxy(proxy)[2]

    def _context(self, origin: Origin) -> ssl.SSLContext:
        with self._lock:
            verify = not may_be_plain(str(origin), self._access.insecure)
            if verify not in self._tls:
                self._tls[verify] = _tls_context(self._access, verify=verify)
            return self._tls[verify]

    def _fault(self, error: Exception, origin: Origin) -> Exception:
        if isinstance(error, ssl.SSLCertVerificationError):
            return RegistryError(
                f"the certificate of {origin} is not trusted: {error.verify_message}",
                hint="set SSL_CERT_FILE to the CA bundle of your site",
            )
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            return RegistryError(f"there is no host {origin.host}", hint="check the registry's name and the network")
        return Passing(_words(error), is_first_contact=self.fastest == float("inf"))


def _ask_once(
    connection: http.client.HTTPConnection, method: str, target: str, headers: Mapping[str, str], body: Body
) -> Answer:
    try:
        connection.request(method, target, body=body, headers=dict(headers))
    except ConnectionError:
        # It may have answered before it hung up, and then has said why.
        with suppress(OSError, http.client.HTTPException):
            return Answer(connection.getresponse())
        raise
    return Answer(connection.getresponse())


def _tls_context(access: Access, *, verify: bool) -> ssl.SSLContext:
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    cafile = None if access.ca_bundle is None else str(access.ca_bundle)
    paths = ssl.get_default_verify_paths()
    if cafile is None and paths.cafile is None and paths.capath is None:
        # A Python that came without certificates, as on macOS.
        import certifi

        cafile = certifi.where()
    return ssl.create_default_context(cafile=cafile)


def _proxy(url: str) -> tuple[str, int, dict[str, str]]:
    """Host and port of a proxy, and the headers that sign in to it."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        raise RegistryError("the proxy's address cannot be read", hint="name one by http://HOST:PORT") from None
    if parts.scheme != "http" or not parts.hostname:
        raise RegistryError(
            f"the proxy {parts.scheme}://{parts.hostname or ''} is not supported", hint="name one by http://HOST:PORT"
        )
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = "Basic " + b64encode(pair.encode()).decode()
    return parts.hostname, port, headers


def _is_readable(sock: socket.socket) -> bool:
    """Whether something came on an idle connection: its end, or what nobody asked for."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer within the deadline"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'connection closed'})"
    if isinstance(error, http.client.IncompleteRead):
        return f"the connection ended after {len(error.partial)} bytes"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        import os

        return os.strerror(error.errno or 0).lower()
    return type(error).__name__ if isinstance(error, http.client.HTTPException) else str(error)
