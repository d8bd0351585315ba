"""A way to the engine that holds one request, or its answer: what is killed meanwhile was killed at that point."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path


class Gate:
    """A socket before the engine's. The first request whose line matches ``pattern`` is held, or with ``answers`` what
    the engine says to it; all others pass."""

    def __init__(self, socket_path: Path, engine: str, pattern: str, *, answers: bool = False) -> None:
        self.address = f"unix://{socket_path}"
        self.held = threading.Event()
        self._open = threading.Event()
        self._engine = engine.removeprefix("unix://")
        self._pattern = re.compile(pattern.encode())
        self._answers = answers
        self._is_dropped = False
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(socket_path))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def let_pass(self) -> None:
        """What is held goes on."""
        self._open.set()

    def close(self) -> None:
        """What is held never comes to the engine; nothing else does from now on."""
        self._is_dropped = True
        self._open.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine, suppress(OSError):
            first = client.recv(1 << 16)
            is_held = not self.held.is_set() and self._pattern.search(first.partition(b"\r\n")[0]) is not None
            if is_held and not self._answers and not self._hold():
                return
            engine.connect(self._engine)
            engine.sendall(first)
            threading.Thread(target=_pass_on, args=(client, engine), daemon=True).start()
            if is_held and self._answers:
                answer = engine.recv(1 << 16)
                if not self._hold():
                    return
                client.sendall(answer)
            _pass_on(engine, client)

    def _hold(self) -> bool:
        self.held.set()
        self._open.wait()
        return not self._is_dropped


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
