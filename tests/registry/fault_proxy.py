"""A real HTTP proxy in front of a real registry, which fails as it is told to."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 1 << 14


@dataclass
class Fault:
    """What happens to requests whose method and path fit.

    ``times`` of them, the first ``after`` spared. One of: ``status``, ``reset_after`` (bytes of the request's
    body that are taken before the connection is reset; the answer is never given), ``cut_after`` (bytes of the
    answer's body), ``hole`` (nothing is ever answered), ``swallow`` (acknowledged with ``status`` and not passed
    on), ``rate`` (bytes a second), ``then`` (called after it was passed on, before the answer is).
    """

    method: str
    path: str
    times: int = 1 << 30
    after: int = 0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset_after: int | None = None
    lose_answer: bool = False
    cut_after: int | None = None
    hole: bool = False
    swallow: bool = False
    rate: int = 0
    then: Callable[[], None] | None = None
    met: int = 0

    def takes(self, method: str, path: str) -> bool:
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        self.met += 1
        return self.after < self.met <= self.after + self.times


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    authorization: str
    at: float  # seconds, monotonic


class FaultProxy:
    """Listens on ``name`` (``127.0.0.1:PORT``) and passes on to the registry ``upstream``."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.answer_headers: dict[str, str] = {}  # added to what the registry says
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.name = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def fault(self, method: str, path: str, **what: Any) -> Fault:
        made = Fault(method, path, **what)
        self.faults.append(made)
        return made

    def count(self, method: str, path: str = "") -> int:
        return sum(bool(re.fullmatch(method, s.method) and re.search(path, s.path)) for s in self.seen)

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what this is for."""


def _handler_of(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = proxy

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultProxy
    disable_nagle_algorithm = True

    def log_message(self, *words: Any) -> None:
        pass

    def _pass(self) -> None:
        proxy = self.owner
        with proxy.lock:
            authorization = self.headers.get("Authorization", "")
            proxy.seen.append(Seen(self.command, self.path, authorization, time.monotonic()))
            fault = next((f for f in proxy.faults if f.takes(self.command, self.path)), None)
        size = int(self.headers.get("Content-Length") or 0)
        if fault is None:
            return self._forward(size, Fault("", ""))
        if fault.hole:
            # Until the client goes away, or the test does.
            self.connection.settimeout(0.05)
            while not proxy.ended.is_set():
                try:
                    if not self.connection.recv(_PIECE):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            self.close_connection = True
            return None
        if fault.reset_after is not None:
            self._take(size, fault.reset_after, proxy)
            return self._reset()
        if fault.status:
            for _ in self._body(size):
                pass
            return self._answer(fault.status, fault.headers, fault.body)
        return self._forward(size, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

    def _take(self, size: int, most: int, proxy: FaultProxy) -> None:
        """Pass the beginning of the body on, as a connection does that breaks in its middle."""
        upstream = http.client.HTTPConnection(proxy.upstream)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders()
        passed = 0
        for piece in self._body(min(size, most)):
            upstream.send(piece)
            passed += len(piece)
        upstream.close()

    def _forward(self, size: int, fault: Fault) -> None:
        upstream = http.client.HTTPConnection(self.owner.upstream)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    upstream.putheader(name, value)
            upstream.endheaders()
            for piece in self._body(size, fault.rate):
                upstream.send(piece)
            response = upstream.getresponse()
            if fault.then is not None:
                fault.then()
            if fault.lose_answer:
                return self._reset()
            self.send_response_only(response.status, response.reason)
            for name, value in response.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            for name, value in self.owner.answer_headers.items():
                self.send_header(name, value)
            length = response.headers.get("Content-Length")
            if length is None and self.command != "HEAD" and response.status not in (204, 304):
                data = response.read()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                return None
            self.end_headers()
            sent = 0
            while piece := response.read(_PIECE):
                if fault.cut_after is not None and sent + len(piece) > fault.cut_after:
                    self.wfile.write(piece[: fault.cut_after - sent])
                    return self._reset()
                self._slowly(len(piece), fault.rate)
                self.wfile.write(piece)
                sent += len(piece)
            # What the registry breaks off is broken off here.
            self.close_connection = bool(response.length)
        finally:
            upstream.close()
        return None

    def _body(self, size: int, rate: int = 0) -> Iterator[bytes]:
        while size > 0:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise ConnectionError
            self._slowly(len(piece), rate)
            size -= len(piece)
            yield piece

    @staticmethod
    def _slowly(count: int, rate: int) -> None:
        if rate:
            time.sleep(count / rate)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
