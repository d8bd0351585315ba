"""One user's machine for tests of indexes: an environment of its own, caches of its own, resolving and fetching."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.lock.access import IndexAccess
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.resolve import resolve
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.progress import SilentReporter
from imagekit.settings import Settings
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec

CANARY = "canary-31415"
_started: list[str] = []  # the arguments of every process since


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        _started.append(repr(arguments[1]))


sys.addaudithook(_note)


class Telling(SilentReporter):
    """Keeps the lines that it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


class Machine:
    """What a user has: a home, a project, an environment. ``toml`` is the project's ``imagekit.toml``."""

    def __init__(self, directory: Path, target: Target) -> None:
        self.directory, self.target = directory, target
        self._before = len(_started)  # what other tests of this process started has their secrets in it
        self.home, self.project = directory / "home", directory / "project"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        self.told = Telling()
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_CONFIG_DIRS": str(directory / "none"),
            "PIP_CONFIG_FILE": "/dev/null",
            "IMAGEKIT_CACHE_DIR": str(directory / "cache"),
            "UV_CACHE_DIR": str(directory / "uv"),
            "UV_HTTP_TIMEOUT": "30",
            "UV_HTTP_RETRIES": "0",
            "PIP_RETRIES": "0",
            "DOCKER_HOST": "unix:///nowhere/docker.sock",
        }

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of the user's home."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def settings(self, **variables: str) -> Settings:
        return Settings.load({**self.variables, **variables}, self.project)

    def spec(self, *packages: str, toml: str = "", **options: Any) -> ImageSpec:
        (self.project / "imagekit.toml").write_text(toml)
        return read_spec(self.project, packages=packages, python="3.11", variables=self.variables, **options)

    def access(self, spec: ImageSpec, **variables: str) -> IndexAccess:
        return self.settings(**variables).index_access(spec.resolver)

    def lock(self, *packages: str, toml: str = "", variables: Mapping[str, str] | None = None, **options: Any) -> Lock:
        spec = self.spec(*packages, toml=toml, **options)
        access = self.access(spec, **(variables or {}))
        return resolve(spec, self.target, reporter=self.told, access=access)

    def fetch(self, lock: Lock, *, toml: str = "", variables: Mapping[str, str] | None = None) -> dict[str, bytes]:
        spec = self.spec("ignored", toml=toml)
        store = WheelStore(
            self.directory / "wheels",
            access=self.access(spec, **(variables or {})).of(spec),
            pause=0.001,
            read_seconds=30,
        )
        return {p.name: path.read_bytes() for p, path in fetch_all(lock.packages, store, reporter=self.told)}

    def both(self, *packages: str, **options: Any) -> dict[str, str]:
        """Resolved and fetched: package → version."""
        lock = self.lock(*packages, **options)
        self.fetch(lock, toml=options.get("toml", ""), variables=options.get("variables"))
        return versions(lock)

    def leaks(self) -> list[str]:
        """Where the canary is besides the user's own files: arguments of processes, caches, what was told."""
        found = [words for words in _started[self._before :] if CANARY in words]
        found += [line for line in self.told.lines if CANARY in line]
        own = {self.home, self.project}
        places = (path for path in self.directory.rglob("*") if path.is_file() and not own & {*path.parents})
        return found + [str(path) for path in places if CANARY.encode() in path.read_bytes()]


def versions(lock: Lock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages}
