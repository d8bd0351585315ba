"""One set of packages on one engine, as a project for imagekit and as one for its peer, both kept at the same pins."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import checks, ours, uv_dockerfile
from benchmarks.engines import Store
from benchmarks.process import Finished
from benchmarks.sets import Locks, PackageSet, Pin
from benchmarks.surroundings import ROOM, Surroundings

_CODE = '''"""The project's own code."""

EDITION = {edition}


def flow():
    return EDITION
'''
# Files that several caches may share: big ones, which are never written in place.
_SHARED_FROM = 256 * 1024


class Pair:
    """Two projects with the same lock and the same code, and the images made of them."""

    def __init__(self, at: Surroundings, packages: PackageSet, store: Store, name: str = "") -> None:
        self.at = at
        self.packages = packages
        self.store = store
        self.name = name or packages.name
        self.directory = at.work / f"{self.name}-{store}"
        self.ours, self.peer = self.directory / "ours", self.directory / "peer"
        self.ours_image, self.peer_image = f"imagekit-bench/{self.name}:ours", f"imagekit-bench/{self.name}:peer"
        self.cache = self.directory / "cache"
        self.direct = packages.direct
        self.pins = dict(packages.pins)
        self.base, self.locks = at.base, at.locks
        self.note = ""
        self.edition = 0
        self._is_written = self._is_built = self._is_checked = False

    @property
    def images(self) -> tuple[str, str]:
        return self.ours_image, self.peer_image

    def write(self) -> None:
        """Bring both projects' files up to date."""
        self._is_written = True
        lock = self.locks.lock(self.pins.values(), note=self.note)
        code = {"app.py": _CODE.format(edition=self.edition)}
        _write(self.ours, {**ours.files(self.direct, lock), **code})
        _write(self.peer, {**uv_dockerfile.files(self.base, lock, self.at.ca_bundle), **code})

    def move(self, pin: Pin) -> None:
        """Another release of a package, in both locks."""
        self.pins[pin.package] = pin
        self.write()

    def add(self, pin: Pin) -> None:
        """A package more, which needs no other that is new, in what both ask for and in both locks."""
        self.pins[pin.package] = pin
        self.direct += f"{pin.package}\n"
        self.write()

    def change_python(self, base: str, locks: Locks, pins: Mapping[str, Pin]) -> None:
        """Another Python: its base, and the same versions with the hashes of their files for it."""
        self.base, self.locks, self.pins = base, locks, dict(pins)
        self.write()

    def edit(self) -> None:
        """An edit of the code, the same in both."""
        self.edition += 1
        self.write()

    def build_ours(self) -> Finished:
        self._write_first()
        command = self.at.imagekit.build(self.ours, self.ours_image, self.base)
        env = self.at.ours_env(self.store, self.cache)
        return self.at.timed(command, env, beside=self.at.engine(self.store).processes)

    def build_peer(self) -> Finished:
        self._write_first()
        command = uv_dockerfile.build(self.peer, self.peer_image, self.at.ca_bundle)
        engine = self.at.engine(self.store)
        return self.at.timed(command, engine.env, beside=engine.processes)

    def _write_first(self) -> None:
        # Not before it must be: the index is asked for the lock.
        if not self._is_written:
            self.write()

    def shape(self, image: str) -> dict[str, float]:
        """The engine's figure for an image's size, in bytes, and the number of its layers with the base's."""
        form = "{{.Size}} {{len .RootFS.Layers}}"
        size, layers = self.at.docker(self.store, "image", "inspect", "--format", form, image).split()
        return {"size": float(size), "layers": float(layers)}

    def told(self) -> dict[str, Any]:
        """Our image's layers, as imagekit tells them."""
        done = self.at.run(self.at.imagekit.inspect(self.ours_image), self.at.ours_env(self.store, self.cache))
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def ensure(self) -> None:
        """Both images are in the engine, as the projects' files have them; in nobody's time."""
        if not self._is_built:
            self.take_pristine()
            self.build_ours()
            self.build_peer()
            self.built()

    def tidy(self) -> None:
        """Keep the disk from filling: there is room for another round on both engines that the pair has."""
        room = 3 * ROOM if self.packages.is_heavy else ROOM
        for store in (self.store, "second"):
            if store in self.at.engines:
                self.at.tidy(store, room)

    def built(self) -> None:
        """Both images were made at the pins that the set has at first: keep the cache as it is now for others."""
        self._is_built = True
        if not self._pristine.exists() and self.pins == self.packages.pins:
            clone(self.cache, self._pristine)

    def lost(self) -> None:
        """The engine holds the images no longer."""
        self._is_built = self._is_checked = False

    def check_content(self) -> None:
        """Both images hold the set and the same files, and work; looked at once for each time they are built."""
        if not self._is_checked:
            checks.same_content(self.at, self.store, self.packages, self.images)
            self._is_checked = True

    def restore(self) -> None:
        """Both images are in the engine at the pins that the set has at first, and no other release was ever seen."""
        if self.pins != self.packages.pins:
            self.direct, self.pins = self.packages.direct, dict(self.packages.pins)
            self.base, self.locks = self.at.base, self.at.locks
            self.write()
            # What it has of other releases, or another Python, was seen.
            shutil.rmtree(self.cache, ignore_errors=True)
            self._is_built = False
        self.ensure()

    def take_pristine(self) -> None:
        """A cache in which all layers of the set are, where one was made before."""
        if self._pristine.exists() and not self.cache.exists():
            clone(self._pristine, self.cache)

    def cache_before_moves(self, name: str) -> Path:
        """A further cache with the layers of the set as it is at first; :meth:`restore` came before."""
        cache = self.directory / name
        shutil.rmtree(cache, ignore_errors=True)
        clone(self._pristine, cache)
        return cache

    @property
    def _pristine(self) -> Path:
        return self.at.work / f"cache-{self.packages.name}"

    def check_version(self, pin: Pin, *images: str) -> None:
        for image in images or self.images:
            checks.has_version(self.at, self.store, image, pin)

    def check_edition(self) -> None:
        for image in self.images:
            checks.has_text(self.at, self.store, image, "/app/app.py", f"EDITION = {self.edition}\n")


def clone(source: Path, target: Path) -> None:
    """``target`` becomes a copy of the cache ``source`` at next to no cost."""

    def copy(one: str, other: str) -> None:
        if os.path.getsize(one) >= _SHARED_FROM:
            os.link(one, other)
        else:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=copy, symlinks=True)


def _write(directory: Path, files: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = directory / name
        # A file that did not change keeps its time, as it would in a project.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
