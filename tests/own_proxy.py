"""A forward proxy of the tests' own: Debian's tinyproxy as a process."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

from tests.own_registry import free_port


class OwnProxy:
    """Starts at once on a free port of this machine; with ``login`` it wants that."""

    def __init__(self, directory: Path, *, login: tuple[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.host = f"127.0.0.1:{(port := free_port())}"
        self._log = directory / "log"
        self._log.touch()
        self._log.chmod(0o666)
        lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "LogLevel Info", f'LogFile "{self._log}"']
        lines += [f"BasicAuth {login[0]} {login[1]}"] if login else []
        configuration = directory / "tinyproxy.conf"
        configuration.write_text("\n".join([*lines, "MaxClients 50", ""]))
        self.url = f"http://{self.host}"
        self._process = subprocess.Popen(["tinyproxy", "-d", "-c", str(configuration)], stdin=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                assert self._process.poll() is None, self._log.read_text()
                time.sleep(0.02)

    def url_as(self, user: str, password: str) -> str:
        """Its URL with a login in it."""
        return self.url.replace("://", f"://{user}:{password}@")

    @property
    def asked(self) -> list[str]:
        """``HOST:PORT`` of each CONNECT, and the URL of each request, that was let through."""
        return re.findall(r"Request \(file descriptor \d+\): (?:CONNECT|GET|HEAD) (\S+) HTTP", self._log.read_text())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
