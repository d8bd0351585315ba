"""A Docker Engine of the tests' own, to be killed, frozen and restarted.

It lives in namespaces of its own (network, mounts, processes): its bridge and its mounts vanish with its
last process, and that one goes when the namespace's first process is killed. Needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.errors import EngineError

# As an init does: what is orphaned is reaped, or a killed containerd would seem to run on.
_FIRST_PROCESS = """
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    signal.pause()
"""


class OwnEngine:
    """A second ``dockerd`` with its own socket, data and exec roots, started by ``start``. ``data_size`` gives it a
    disk of its own for its data (``512m``), in memory. With ``outside`` it is in this machine's network, on a bridge
    of its own: what runs in its builds reaches what this machine reaches, and it the registries at 127.0.0.1."""

    def __init__(
        self,
        *,
        containerd_store: bool = False,
        live_restore: bool = False,
        data_size: str | None = None,
        outside: bool = False,
    ) -> None:
        # A socket's path may have no more than 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="ik-engine-", dir="/tmp"))
        self.socket = self.directory / "docker.sock"
        self.address = f"unix://{self.socket}"
        self._cgroup = f"/{self.directory.name}"
        config = {
            "features": {"containerd-snapshotter": containerd_store},
            "live-restore": live_restore,
            "cgroup-parent": self._cgroup,
        }
        (self.directory / "daemon.json").write_text(json.dumps(config))
        self._bridge = Bridge() if outside else None
        self._network = [] if outside else ["--net"]
        self._namespace = subprocess.Popen(
            [
                *("unshare", *self._network, "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"),
                *("--", sys.executable, "-c", _FIRST_PROCESS),
            ],
            stderr=subprocess.DEVNULL,
        )
        self._first = _child(self._namespace)
        if data_size is not None:
            (self.directory / "data").mkdir()
            command = ["mount", "-t", "tmpfs", "-o", f"size={data_size}", "tmpfs", f"{self.directory}/data"]
            subprocess.run(["nsenter", f"--target={self._first}", "--mount", "--", *command], check=True)
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The engine's process, as seen from here."""
        assert self._daemon is not None
        return _child(self._daemon)

    @property
    def data(self) -> Path:
        """The directory of its data, as it sees it."""
        return Path(f"/proc/{self._first}/root{self.directory}/data")

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def start(self) -> OwnEngine:
        """Start it and wait until it answers."""
        arguments = [
            "dockerd",
            f"--host={self.address}",
            f"--config-file={self.directory}/daemon.json",
            f"--data-root={self.directory}/data",
            f"--exec-root={self.directory}/exec",
            f"--pidfile={self.directory}/docker.pid",
            "--iptables=false",
            "--ip6tables=false",
            *([f"--bridge={self._bridge.name}", "--ip-masq=false"] if self._bridge else []),
        ]
        with open(self.directory / "log", "ab") as log:
            self._daemon = subprocess.Popen(
                ["nsenter", f"--target={self._first}", *self._network, "--mount", "--pid", "--", *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        while True:
            try:
                self.connect().close()
                return self
            except EngineError:
                if self._daemon.poll() is not None:
                    raise AssertionError(f"dockerd did not start:\n{self.log[-3000:]}") from None
                time.sleep(0.1)

    def connect(self) -> Engine:
        return Engine.connect(self.address)

    def kill(self) -> None:
        """SIGKILL to the engine alone: its containerd and its containers stay."""
        assert self._daemon is not None
        os.kill(self.pid, signal.SIGKILL)
        self._daemon.wait()

    def end(self) -> None:
        """SIGTERM: it stops its containers, and ends."""
        assert self._daemon is not None
        os.kill(self.pid, signal.SIGTERM)
        self._daemon.wait()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._daemon is not None
        os.kill(self.pid, signal.SIGCONT)
        # nsenter stops itself with its child.
        self._daemon.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End all of it and remove what it leaves on disk."""
        # A Ctrl-C at the tests' terminal has ended it already.
        with suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        self._namespace.wait()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        self._remove_cgroups()
        if self._bridge is not None:
            self._bridge.close()
        shutil.rmtree(self.directory)

    def _remove_cgroups(self) -> None:
        for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
            group = top / self._cgroup[1:]
            if group.is_dir():
                for directory, _, _ in os.walk(group, topdown=False):
                    _removed(Path(directory))


class Bridge:
    """A bridge of this machine's network, with addresses of its own that reach outside as the machine itself."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name = f"ikt{os.getpid()}"
        addresses = f"10.214.{number}.0/24"
        self._rules = [
            ["--table=nat", "POSTROUTING", "-s", addresses, "!", "-o", self.name, "-j", "MASQUERADE"],
            ["--table=filter", "FORWARD", "-i", self.name, "-j", "ACCEPT"],
            ["--table=filter", "FORWARD", "-o", self.name, "-j", "ACCEPT"],
        ]
        _done("ip", "link", "add", self.name, "type", "bridge")
        _done("ip", "addr", "add", addresses.replace(".0/", ".1/"), "dev", self.name)
        for table, *rule in self._rules:
            _done("iptables", "--wait", table, "--insert", *rule)

    def close(self) -> None:
        for table, *rule in self._rules:
            _done("iptables", "--wait", table, "--delete", *rule)
        _done("ip", "link", "delete", self.name)


def _done(*words: str) -> None:
    # Where only root looks for programs.
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(words, check=True, env={**os.environ, "PATH": path})


def _removed(group: Path) -> None:
    # A killed process leaves its group a moment after its namespace is gone.
    for _ in range(1200):
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{group} is still in use")


def _child(process: subprocess.Popen[bytes]) -> int:
    """The one child of ``process``, as soon as there is one."""
    while True:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children:
            return int(children[0])
        assert process.poll() is None, "it ended before it had a child"
        time.sleep(0.01)
