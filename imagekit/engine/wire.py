"""Single questions to the engine over HTTP, by the standard library alone.

The Docker SDK takes a tenth of a second to import, as long as all the work of a build in which
one file changed; so what every build asks goes this way. What streams or needs credentials
(attaching, pushing, pulling), and an engine behind ssh, goes through the SDK.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from imagekit.engine.faults import late, lost, not_an_engine, refusal, translated
from imagekit.errors import EngineError

if TYPE_CHECKING:
    from docker.api import APIClient

JSON = "application/json"
TAR = "application/x-tar"
_LONGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """An engine's answer, whole."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def message(self) -> str:
        """What the engine says in refusing."""
        try:
            return str(self.json["message"]).strip()
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace").strip() or f"HTTP {self.status}"


class Wire(Protocol):
    """A way to an engine."""

    def ask(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        content: Iterable[bytes] | None = None,
        content_type: str = JSON,
        alive: Callable[[], object] | None = None,
        most: int | None = None,
    ) -> Answer:
        """Send one request and read its answer, whatever the status; ``EngineLost`` and ``EngineTimeout`` are raised.

        ``content`` is sent in pieces as they come. With ``alive`` the answer may take as long as it likes:
        whenever the deadline is over, that is called, and raises where the engine does not answer at all.
        Of the answer's body ``most`` bytes are read.
        """

    def hijack(self, doing: str, path: str, *, method: str = "POST") -> Any:
        """A connection that carries raw bytes from here on, as a socket or a file object over one.

        With ``GET`` it carries the answer alone, as it comes; ``EngineError`` where that cannot be had over it.
        """


class SocketWire:
    """``unix://`` and plain ``tcp://`` addresses; a connection for each question.

    ``deadline``: seconds that the engine may be silent.
    """

    def __init__(self, address: str, deadline: float) -> None:
        self._address = address
        self._deadline = deadline

    def ask(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        content: Iterable[bytes] | None = None,
        content_type: str = JSON,
        alive: Callable[[], object] | None = None,
        most: int | None = None,
    ) -> Answer:
        connection = _connection(self._address, self._deadline)
        own: list[BaseException] = []
        try:
            try:
                body = _watched(content, own) if content is not None else None
                headers = {"Content-Type": content_type} if content is not None else {}
                connection.request(method, path, body=body, headers=headers, encode_chunked=True)
            except (BrokenPipeError, ConnectionResetError):
                # An engine that refuses what is sent answers, and closes, before it has read all of it.
                if own:
                    raise
            while alive is not None and not _readable(connection.sock, self._deadline):
                alive()
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read(most))
        except (HTTPException, OSError) as error:
            if own:
                raise
            if isinstance(error, TimeoutError):
                raise late(doing, self._address) from error
            if isinstance(error, IncompleteRead | OSError):
                raise lost(doing, self._address) from error
            raise not_an_engine(self._address, repr(error)) from error
        finally:
            connection.close()

    def hijack(self, doing: str, path: str, *, method: str = "POST") -> Any:
        connection = _connection(self._address, self._deadline)
        # An answer to version 1.0 ends with its connection, and is in no chunks.
        version, upgrade = ("1.1", "Connection: Upgrade\r\nUpgrade: tcp\r\n") if method == "POST" else ("1.0", "")
        try:
            connection.connect()
            with ExitStack() as unless_returned:
                taken = unless_returned.enter_context(connection.sock.dup())
                head = (
                    f"{method} {path} HTTP/{version}\r\nHost: {connection.host}\r\n{upgrade}Content-Length: 0\r\n\r\n"
                )
                taken.sendall(head.encode("ascii"))
                status, headers = _head(taken)
                if status not in (101, 200):
                    # Without a length the answer ends with its connection.
                    length = int(headers.get("content-length", _LONGEST_HEAD))
                    answer = Answer(status, headers, taken.recv(length, socket.MSG_WAITALL))
                    raise refusal(f"{doing}: {answer.message}", status)
                unless_returned.pop_all()
            return taken
        except TimeoutError as error:
            raise late(doing, self._address) from error
        except (HTTPException, OSError, ValueError) as error:
            raise lost(doing, self._address) from error
        finally:
            connection.close()


class SdkWire:
    """The SDK's own session, whatever it is made of."""

    def __init__(self, client: APIClient) -> None:
        self._client = client

    def ask(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        content: Iterable[bytes] | None = None,
        content_type: str = JSON,
        alive: Callable[[], object] | None = None,
        most: int | None = None,
    ) -> Answer:
        with translated(doing, self._client.base_url):
            response = self._client.request(
                method,
                f"{self._client.base_url}{path}",
                data=iter(content) if content is not None else None,
                headers={"Content-Type": content_type} if content is not None else {},
                timeout=self._client.timeout,
                stream=most is not None,
            )
            headers = {name.lower(): value for name, value in response.headers.items()}
            if most is None:
                return Answer(response.status_code, headers, response.content)
            with response:
                return Answer(response.status_code, headers, response.raw.read(most, decode_content=True))

    def hijack(self, doing: str, path: str, *, method: str = "POST") -> Any:
        if method != "POST":
            raise EngineError(f"{doing} is not possible over {self._client.base_url}")
        with translated(doing, self._client.base_url):
            answer = self._client.post(
                f"{self._client.base_url}{path}",
                headers={"Connection": "Upgrade", "Upgrade": "tcp"},
                stream=True,
                timeout=self._client.timeout,
            )
            if answer.status_code not in (101, 200):
                raise refusal(f"{doing}: {Answer(answer.status_code, {}, answer.content).message}")
            # As the SDK's attach_socket does it, which takes no path.
            return self._client._get_raw_response_socket(answer)


def query(path: str, /, **parameters: object) -> str:
    """``path`` with a query; what is ``None`` is left out, and what is no text is JSON."""
    given = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.items()
        if value is not None
    }
    return f"{path}?{urlencode(given)}" if given else path


def part(text: str) -> str:
    """``text`` as one part of a path: a reference keeps its slashes, as the engine's routes have it."""
    return quote(text, safe="/:@")


def _head(connection: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer, and not a byte of what comes behind them."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte or len(head) > _LONGEST_HEAD:
            raise ConnectionResetError
        head += byte
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return int(first.split()[1]), headers


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, deadline: float) -> None:
        super().__init__("localhost", timeout=deadline)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _readable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _connection(address: str, deadline: float) -> HTTPConnection:
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return _UnixConnection(parts.path, deadline)
    return HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=deadline)


def _watched(content: Iterable[bytes], own: list[BaseException]) -> Iterator[bytes]:
    """``content``; what goes wrong in making it is noted, to be told from what the engine does."""
    try:
        yield from content
    except GeneratorExit:
        raise
    except BaseException as error:
        own.append(error)
        raise
