"""A package index (PEP 503) on this machine that answers well, late, wrong, or not at all."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from tests.lock.conftest import wheel_bytes

Handler: TypeAlias = http.server.BaseHTTPRequestHandler
Fault: TypeAlias = Callable[[Handler, bytes], None]


class _Server(http.server.ThreadingHTTPServer):
    def finish_request(self, request: Any, client_address: Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            try:
                request.do_handshake()
            except OSError:
                # The alert is on its way; what the client has sent is read, or the kernel would call it all off.
                with suppress(OSError), socket.socket(fileno=request.detach()) as plain:
                    plain.settimeout(2)
                    while plain.recv(1 << 16):
                        pass
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no event."""


class FaultyIndex:
    """``faults[path]`` are answers given in turn before the right one; the last of ``always[path]`` for good.

    ``login``: (user, password) that every path needs. ``tls``: what it speaks by, for ``host`` as its name.
    ``address``: where it listens.
    """

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        address: str = "127.0.0.1",
    ) -> None:
        self.pages: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.always: dict[str, Fault] = {}
        self.asked: list[str] = []
        self.logins: list[str] = []  # each "Authorization" that came
        self.login = login
        self.uploaded: dict[str, str] = {}  # file → time (RFC 3339): where there are any, pages are JSON
        self.ended = threading.Event()
        outer, guard = self, threading.Lock()

        class Answering(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def parse_request(self) -> bool:
                parsed = super().parse_request()
                if parsed and "Via" in self.headers:
                    # tinyproxy takes "Connection: close" out of answers and closes after each. To a client of
                    # HTTP/1.1 that is a connection to use again, and its next request may come just too late.
                    self.protocol_version = "HTTP/1.0"
                return parsed

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                given = self.headers.get("Authorization", "")
                with guard:
                    outer.asked.append(path)
                    if given:
                        outer.logins.append(given)
                    waiting = outer.faults.get(path, [])
                    fault = waiting.pop(0) if waiting else outer.always.get(path, whole)
                if outer.login is not None and given != basic(*outer.login):
                    unauthorized(self, b"")
                    return
                content = outer.pages.get(path)
                if outer.uploaded and path.startswith("/simple/") and content is not None:
                    content = outer.json_page(path.split("/")[2])
                try:
                    (status(404) if content is None else fault)(self, content or b"")
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def do_HEAD(self) -> None:
                self.send_error(405)

            def log_message(self, *_: object) -> None:
                pass

        self.server = _Server((address, 0), Answering)
        self.server.daemon_threads = True
        self.server.uploaded = lambda: self.uploaded  # type: ignore[attr-defined]
        if tls is not None:
            # The handshake belongs to the connection's own thread.
            self.server.socket = tls.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        self.port = self.server.server_address[1]
        self.host = f"{host}:{self.port}"
        self.url = f"{'http' if tls is None else 'https'}://{self.host}/simple"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def url_as(self, user: str, password: str) -> str:
        """Its URL with a login in it."""
        return self.url.replace("://", f"://{user}:{password}@")

    def add(
        self, name: str, version: str, *, requires: Sequence[str] = (), yanked: bool = False, sha256: str | None = None
    ) -> str:
        """A wheel; the path of its file on the server."""
        data = wheel_bytes(name, version, requires)
        path = f"/files/{name}-{version}-py3-none-any.whl"
        digest = sha256 or hashlib.sha256(data).hexdigest()
        mark = ' data-yanked="broken"' if yanked else ""
        link = f'<a href="{path}#sha256={digest}"{mark}>{Path(path).name}</a><br>\n'
        page = f"/simple/{name}/"
        self.pages[page] = self.pages.get(page, b"<!DOCTYPE html><html><body>\n") + link.encode()
        self.pages[path] = data
        return path

    def json_page(self, package: str) -> bytes:
        """The package's page as JSON (PEP 691), with the times of upload (PEP 700)."""
        files = []
        for path, data in self.pages.items():
            name = path.rpartition("/")[2]
            if path.startswith("/files/") and name.startswith(f"{package}-"):
                hashes = {"sha256": hashlib.sha256(data).hexdigest()}
                times = {"upload-time": self.uploaded[name]} if name in self.uploaded else {}
                files.append({"filename": name, "url": path, "hashes": hashes, **times})
        page = {"meta": {"api-version": "1.1"}, "name": package, "files": files}
        return json.dumps(page).encode()

    def stall(self, handler: Handler, content: bytes) -> None:
        """Begin to answer, and go no further."""
        _begin(handler, 200, len(content))
        handler.wfile.write(content[:10])
        handler.wfile.flush()
        self.ended.wait(120)
        handler.close_connection = True


def whole(handler: Handler, content: bytes) -> None:
    _begin(handler, 200, len(content))
    handler.wfile.write(content)


def status(code: int) -> Fault:
    def answer(handler: Handler, _: bytes) -> None:
        _begin(handler, code, 0)

    return answer


def redirect(to: str) -> Fault:
    """To the same path on the server at ``to``, without a path."""

    def answer(handler: Handler, _: bytes) -> None:
        handler.send_response(302)
        handler.send_header("Location", to + handler.path)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def unauthorized(handler: Handler, _: bytes) -> None:
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Basic realm="tests"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def basic(user: str, password: str) -> str:
    """The ``Authorization`` of a login (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def cut(handler: Handler, content: bytes) -> None:
    """Half of it, and the end of the connection."""
    _begin(handler, 200, len(content))
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def other(handler: Handler, content: bytes) -> None:
    """As many bytes, and other ones."""
    whole(handler, bytes(byte ^ 1 for byte in content))


def slow(handler: Handler, content: bytes) -> None:
    _begin(handler, 200, len(content))
    for start in range(0, len(content), max(1, len(content) // 10)):
        handler.wfile.write(content[start : start + max(1, len(content) // 10)])
        handler.wfile.flush()
        time.sleep(0.2)


def _begin(handler: Handler, code: int, length: int) -> None:
    handler.send_response(code)
    handler.send_header("Content-Length", str(length))
    is_json = handler.path.startswith("/simple/") and bool(handler.server.uploaded())  # type: ignore[attr-defined]
    handler.send_header("Content-Type", "application/vnd.pypi.simple.v1+json" if is_json else "text/html")
    handler.end_headers()
