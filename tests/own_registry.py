"""A registry of the tests' own: Debian's docker-registry as a process."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

USER, PASSWORD = "floor", "canary-2718"
# htpasswd -Bbn floor canary-2718
_HTPASSWD = "floor:$2y$05$IT.DPTyTXOdkntJcG/R/uOspoRata/hPTy6R8X.jzw/wN0pj72Zxa\n"
_held: list[socket.socket] = []


class OwnRegistry:
    """Starts at once, on a free port of this machine; ``name`` is ``127.0.0.1:PORT``.

    ``directory`` takes its configuration and log, ``storage`` (by default below it) what it holds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        storage: Path | None = None,
        auth: Mapping[str, Any] | None = None,
        tls: Mapping[str, str] | None = None,
        redirects: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.storage = storage or directory / "storage"
        self._log = directory / "log"
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        self._config = directory / "config.yml"
        # JSON is YAML.
        self._config.write_text(
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "warn"},
                    "storage": {
                        "filesystem": {"rootdirectory": str(self.storage)},
                        "cache": {"blobdescriptor": "inmemory"},
                        "delete": {"enabled": True},
                    },
                    "http": {"addr": self.name, **({"tls": dict(tls)} if tls else {})},
                    **({"auth": dict(auth)} if auth else {}),
                }
            )
        )
        self._has_tls = tls is not None
        self._process = self._start()

    def close(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """End it and start it: nothing is remembered but what is on disk."""
        self.close()
        self._process = self._start()

    def blob_path(self, digest: str) -> Path:
        """Where the bytes of a blob lie."""
        algorithm, _, hexadecimal = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / hexadecimal[:2] / hexadecimal / "data"

    def _start(self) -> subprocess.Popen[bytes]:
        with open(self._log, "ab") as log:
            process = subprocess.Popen(
                ["docker-registry", "serve", str(self._config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        while True:
            with suppress(OSError):
                if self._has_tls:
                    socket.create_connection(("127.0.0.1", self.port)).close()
                else:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port)
                    connection.request("GET", "/")
                    connection.getresponse().read()
                    connection.close()
                return process
            assert process.poll() is None, self._log.read_text()
            time.sleep(0.02)


def with_password(directory: Path) -> dict[str, Any]:
    """The ``auth`` of a registry that wants ``USER`` and ``PASSWORD``."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "htpasswd"
    path.write_text(_HTPASSWD)
    return {"htpasswd": {"realm": "tests", "path": str(path)}}


def free_port() -> int:
    """A port that nobody else on this machine is given until this process ends.

    It stays bound, which hinders none who listens with ``SO_REUSEADDR``; until somebody does, connections are refused.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return int(held.getsockname()[1])
