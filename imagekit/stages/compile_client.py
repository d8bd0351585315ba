"""Talking to ``compile_server.py``, wherever it runs: sources out, bytecode in, in the order of the questions."""

from __future__ import annotations

import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future
from importlib.resources import files
from typing import Protocol

from imagekit.errors import BaseUnusable, EngineError, ImagekitError

# Nothing that the base holds takes part: not its site-packages, not the directory it starts in.
# As -I says it, which would also pass over PYTHONHASHSEED.
ALONE = ("-s", "-S", "-c")
ENVIRONMENT = {
    # Up to Python 3.10 sets in code objects are written in the order of their members' hashes.
    "PYTHONHASHSEED": "0",
    **dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONDEVMODE"), ""),
}


def server_program() -> str:
    """The text of ``compile_server.py``, as the interpreter gets it."""
    return files("imagekit.stages").joinpath("compile_server.py").read_text()


class Server(Protocol):
    """A running ``compile_server.py``."""

    def send(self, data: bytes) -> None:
        """To its standard input; ``EngineError`` when it takes no more."""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """``(1, bytes)`` of standard output and ``(2, bytes)`` of standard error, until it ends."""

    def break_off(self) -> None:
        """End both directions at once, so that whoever waits on either goes on."""

    def end(self) -> None:
        """Kill what is left of it; nothing of it stays."""


class ServedCompiler(ABC):
    """A ``layers.bytecode.Compiler`` whose server starts at the first use; usable from several threads.

    As a context manager it is gone at the end. ``name`` says whose Python it is, ``hint`` what to do when it fails.
    """

    def __init__(self, *, name: str, hint: str) -> None:
        self._name = name
        self._hint = hint
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Future[list[bytes | None]]]] = deque()
        self._server: Server | None = None
        self._reader: threading.Thread | None = None
        self._failure: BaseException | None = None

    @abstractmethod
    def start(self) -> Server:
        """Start the server."""

    def __enter__(self) -> ServedCompiler:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def end(self) -> None:
        """End the server; whoever waits for bytecode is told."""
        with self._lock:
            server, self._server = self._server, None
            # A thread that is not done yet must not start another one, which nobody would end.
            self._failure = self._failure or CancelledError()
        if server is None:
            return
        # First whoever reads: what is closed under a reader that waits does not wake it.
        server.break_off()
        if self._reader is not None:
            self._reader.join(timeout=5)
        server.end()

    def begin(self) -> None:
        """Start the server now, in the background: it takes its time, and something will be asked of it."""
        threading.Thread(target=self._begin, name="imagekit-compile-start", daemon=True).start()

    def _begin(self) -> None:
        with self._lock:
            try:
                self._started()
            except BaseException as error:
                # Whoever asks for something is told.
                self._failure = self._failure or error

    def _started(self) -> Server:
        """The server, under the lock."""
        if self._failure is not None:
            raise self._failure
        if self._server is None:
            self._server = self.start()
            self._reader = threading.Thread(
                target=self._read, args=(self._server,), name="imagekit-compile", daemon=True
            )
            self._reader.start()
        return self._server

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        answer: Future[list[bytes | None]] = Future()
        if not sources:
            answer.set_result([])
            return answer
        parts = [struct.pack(">I", len(sources))]
        for path, source in sources:
            name = path.encode()
            parts += [struct.pack(">II", len(name), len(source)), name, source]
        data = b"".join(parts)
        with self._lock:
            server = self._started()
            # Answers come in the order of questions: the queue and the stream stay in step under the lock.
            self._waiting.append((len(sources), answer))
            try:
                server.send(data)
                return answer
            except EngineError as error:
                broken = error
        # The server's end, which the reader sees, says more than that nothing can be sent to it.
        if self._reader is not None:
            self._reader.join(timeout=5)
        raise self._failure or broken

    def _read(self, server: Server) -> None:
        errors: list[bytes] = []
        try:
            stream = _Stream(server.frames(), errors)
            while True:
                head = stream.take(4, end_is_fine=True)
                if head is None:
                    break
                count, answer = self._waiting[0]
                pycs: list[bytes | None] = []
                for index in range(count):
                    length = struct.unpack(">I", head if index == 0 else stream.must(4))[0]
                    pycs.append(stream.must(length) if length else None)
                self._waiting.popleft()
                answer.set_result(pycs)
            self._fail(server, None, errors)
        except BaseException as error:
            self._fail(server, error, errors)

    def _fail(self, server: Server, error: BaseException | None, errors: list[bytes]) -> None:
        if not isinstance(error, ImagekitError):
            error = BaseUnusable(
                f"the Python of {self._name} stopped while compiling bytecode",
                hint=self._hint,
                details=b"".join(errors).decode(errors="replace") or (str(error) if error else None),
            )
        # Whoever is sending gives way: nobody reads any more.
        server.break_off()
        with self._lock:
            self._failure = error
            while self._waiting:
                _, answer = self._waiting.popleft()
                answer.set_exception(error)


class _Stream:
    """Standard output out of a server's frames, by exact counts; standard error goes to ``errors``."""

    def __init__(self, frames: Iterator[tuple[int, bytes]], errors: list[bytes]) -> None:
        self._frames = frames
        self._errors = errors
        self._held = bytearray()

    def must(self, count: int) -> bytes:
        data = self.take(count)
        assert data is not None
        return data

    def take(self, count: int, *, end_is_fine: bool = False) -> bytes | None:
        while len(self._held) < count:
            stream, piece = next(self._frames, (0, b""))
            if stream == 0:
                if end_is_fine and not self._held:
                    return None
                raise EOFError
            if stream == 2:
                self._errors.append(piece)
            else:
                self._held += piece
        data = bytes(self._held[:count])
        del self._held[:count]
        return data
