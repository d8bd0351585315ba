"""An apt repository of the tests' own, signed by a key that is made with it, on a server that builds reach."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path


class OwnRepository:
    """A flat repository with ``packages`` (name → path in the image → text), served until ``close``."""

    def __init__(self, directory: Path, packages: Mapping[str, Mapping[str, str]]) -> None:
        self.directory = directory
        directory.mkdir()
        # gpg's agent has a socket there, whose path must be short.
        with tempfile.TemporaryDirectory(prefix="gpg-") as home:
            self._home = home
            self._gpg("--quick-gen-key", "tests <tests@example.com>", "ed25519", "sign", "never")
            listed = self._gpg("--list-keys", "--with-colons").decode()
            self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
            (directory / "key.asc").write_bytes(self._gpg("--armor", "--export", self.fingerprint))
            entries = [self._package(name, files) for name, files in packages.items()]
            index = "\n".join(entries).encode()
            (directory / "Packages").write_bytes(index)
            release = "Date: Sat, 01 Jan 2022 00:00:00 UTC\nArchitectures: all amd64 arm64\nSHA256:\n"
            release += f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
            (directory / "Release").write_text(release)
            self._gpg("--clearsign", "--output", str(directory / "InRelease"), str(directory / "Release"))
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        handler = partial(_Quiet, directory=str(directory))
        self._server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://{_gateway()}:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _gpg(self, *words: str) -> bytes:
        command = ["gpg", "--homedir", self._home, "--batch", "--quiet", "--pinentry-mode", "loopback"]
        return subprocess.run([*command, "--passphrase", "", *words], check=True, capture_output=True).stdout

    def _package(self, name: str, files: Mapping[str, str]) -> str:
        control = (
            f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: tests <tests@example.com>\n"
            "Description: of a test\n"
        )
        with tempfile.TemporaryDirectory() as temporary:
            for path, text in {"DEBIAN/control": control, **files}.items():
                place = Path(temporary, path.lstrip("/"))
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
                place.chmod(0o755 if "/bin/" in path else 0o644)
            Path(temporary).chmod(0o755)
            deb = self.directory / f"{name}_1.0_all.deb"
            command = ["dpkg-deb", "--root-owner-group", "--build", temporary, str(deb)]
            subprocess.run(command, check=True, capture_output=True)
        data = deb.read_bytes()
        return f"{control}Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _gateway() -> str:
    """This machine's address as build steps see it."""
    command = ["docker", "network", "inspect", "bridge"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return str(found[0]["IPAM"]["Config"][0]["Gateway"])
