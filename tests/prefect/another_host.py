"""An engine on what is another host to all that speaks TCP: another network, whose ports lead here by name only."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Sequence

from ..own_engine import OwnEngine

_CLONE_NEWNET = 0x40000000  # sched.h


class AnotherHost:
    """An engine with images and a network of its own. ``ports`` of this machine's loopback are there, too.

    So a server at ``127.0.0.1:PORT`` here is at the same address there, as if both hosts had a tunnel to it.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.engine = OwnEngine().start()
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)
        self._listening = [self._listen(port) for port in ports]
        for listener, port in zip(self._listening, ports, strict=True):
            threading.Thread(target=_forward, args=(listener, port), daemon=True).start()

    @property
    def inside(self) -> list[str]:
        """Words that a command stands behind, to be started on that host."""
        return ["nsenter", f"--target={self.engine._first}", "--net", "--"]

    def close(self) -> None:
        for listener in self._listening:
            # A thread that waits in accept() is woken by this, and not by close().
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.engine.close()

    def _listen(self, port: int) -> socket.socket:
        """A socket of that network. It stays one of it, whoever has it."""
        made: list[socket.socket] = []

        def make() -> None:
            # A thread may be in another network than its process (setns(2)); this one ends here.
            with open(f"/proc/{self.engine._first}/ns/net") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            made.append(socket.create_server(("127.0.0.1", port)))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


def _forward(listener: socket.socket, port: int) -> None:
    while True:
        try:
            theirs, _ = listener.accept()
        except OSError:
            return
        ours = socket.create_connection(("127.0.0.1", port))
        for source, target in ((theirs, ours), (ours, theirs)):
            threading.Thread(target=_copy, args=(source, target), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()
