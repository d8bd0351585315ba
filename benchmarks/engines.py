"""Docker Engines of the benchmarks' own, one for each image store: emptied at will, and nobody else's is touched.

Each is a ``dockerd`` with its own socket, data, bridge, processes and mounts, in this machine's network, so that
its builds reach the package index and a registry at ``localhost``. It goes with its namespace's first process.
Needs root.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

import docker

from benchmarks.process import Failed

# An engine is called by its image store; the second is another classic one, which images come to from outside.
Store = Literal["classic", "containerd", "second"]
# Bridges need addresses that nobody else has; containers here have no network to speak of.
_BRIDGES: dict[Store, str] = {"classic": "10.213.91.1/24", "containerd": "10.213.92.1/24", "second": "10.213.93.1/24"}
# As an init does: what is orphaned is reaped. A system's containerd is hidden: dockerd would use it. What other engines
# have mounted is let go: a file system is gone when nobody has it.
_FIRST_PROCESS = """
import os, signal, subprocess, sys
for path in sys.argv[1:]:
    subprocess.run(["umount", "--lazy", path], check=True)
if os.path.isdir("/run/containerd"):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/containerd"], check=True)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
_START_SECONDS = 60.0
_DISK_SECONDS = 600  # that an engine may take to add up what its images are


class BenchEngine:
    """A running ``dockerd`` whose images are kept in ``store``; all of it lies in ``directory``.

    ``others`` are file systems that are mounted for other engines.
    """

    def __init__(self, store: Store, directory: Path, others: Sequence[Path] = ()) -> None:
        self.store = store
        self._directory = directory
        self._bridge = f"ikb{os.getpid() % 100000}{store[:2]}"
        self._cgroup = f"/imagekit-bench-{os.getpid()}-{store}"
        directory.mkdir(parents=True)
        self.socket = directory / "docker.sock"
        self.address = f"unix://{self.socket}"
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", _BRIDGES[store], "dev", self._bridge)
        self._namespace = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"),
                *("--", sys.executable, "-c", _FIRST_PROCESS, *map(str, others)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._namespace.stdout is not None
        if not self._namespace.stdout.readline():
            raise Failed("an engine's namespace could not be made")
        children = Path(f"/proc/{self._namespace.pid}/task/{self._namespace.pid}/children").read_text()
        self._first = int(children.split()[0])
        try:
            self._daemon = self._started()
        except BaseException:
            self.close()
            raise

    @property
    def env(self) -> dict[str, str]:
        """What makes ``docker`` and ``imagekit`` use this engine."""
        return {"DOCKER_HOST": self.address, "BUILDX_BUILDER": "default"}

    @property
    def processes(self) -> tuple[int, ...]:
        """Those that all of its processes, and of its containers, come from."""
        return self._first, self._daemon.pid

    @property
    def data(self) -> Path:
        """Where it keeps everything."""
        return self._directory / "data"

    def layer_bytes(self) -> int:
        """Bytes of all layers of its images, each counted once (``LayersSize`` of the API's ``/system/df``)."""
        with closing(docker.APIClient(base_url=self.address, timeout=_DISK_SECONDS)) as client:
            return int(client.df()["LayersSize"])

    def _started(self) -> subprocess.Popen[bytes]:
        config = {
            "features": {"containerd-snapshotter": self.store == "containerd"},
            "cgroup-parent": self._cgroup,
            "bridge": self._bridge,
            "iptables": False,
            "ip6tables": False,
            "ip-forward": False,
            "ip-masq": False,
        }
        (self._directory / "daemon.json").write_text(json.dumps(config))
        arguments = [
            "dockerd",
            f"--host={self.address}",
            f"--config-file={self._directory}/daemon.json",
            f"--data-root={self._directory}/data",
            f"--exec-root={self._directory}/exec",
            f"--pidfile={self._directory}/docker.pid",
        ]
        with open(self._directory / "log", "ab") as log:
            daemon = subprocess.Popen(
                ["nsenter", f"--target={self._first}", "--mount", "--pid", "--", *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(["docker", "--host", self.address, "info"], capture_output=True).returncode != 0:
            if daemon.poll() is not None or time.monotonic() > deadline:
                words = (self._directory / "log").read_text(errors="replace")[-2000:]
                raise Failed(f"dockerd did not start:\n{words}")
            time.sleep(0.2)
        return daemon

    def close(self) -> None:
        """End it, with all but its files."""
        with suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        self._namespace.wait()
        if getattr(self, "_daemon", None) is not None:
            self._daemon.kill()
            self._daemon.wait()
        for group in Path("/sys/fs/cgroup").glob(f"**{self._cgroup}"):
            for path, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):
                    os.rmdir(path)
        _ip("link", "delete", self._bridge)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"ip {' '.join(words)}: {done.stderr.strip()}")
