"""A registry of the benchmarks' own: Debian's ``docker-registry`` as a process, empty at its start."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from benchmarks.process import Failed

_CONFIG = """version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http: {{addr: "localhost:{port}"}}
"""


class Registry:
    """A running registry at :attr:`name` (``localhost:PORT``), its content in ``directory``."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("docker-registry")
        if program is None:
            raise Failed("there is no docker-registry: apt-get install docker-registry")
        self._directory = directory
        (directory / "content").mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.name = f"localhost:{port}"
        config = directory / "config.yml"
        config.write_text(_CONFIG.format(root=directory / "content", port=port))
        with open(directory / "log", "ab") as log:
            self._process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if self._process.poll() is not None:
                raise Failed(f"the registry did not start:\n{(directory / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def blobs(self) -> dict[str, int]:
        """Bytes of all that it holds (layers, configurations, manifests) by hexadecimal digest."""
        root = self._directory / "content" / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return {path.parent.name: path.stat().st_size for path in root.glob("*/*/data")}

    def close(self) -> None:
        """End it; its content goes with it."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
