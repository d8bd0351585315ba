"""Sets of packages, pinned by version and hash, and the other versions that cases move them to.

``sets/NAME/`` is committed and names no index: ``requirements.in`` (what is asked for), ``pins.txt`` (every
package with its hashes), ``moves.json`` (other versions), ``set.toml`` (the roles). ``benchmarks.relock`` makes
them. The lock that both sides install from, a ``pylock.toml``, is made of them at run time, against the
index that uv is set up with on this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

SETS = Path(__file__).with_name("sets")
_TABLE = "[[packages]]"


def uv_program() -> str:
    """The uv of this environment."""
    import uv

    return str(uv.find_uv_bin())


def read_toml(text: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(text)
    return found


def pylock_packages(text: str) -> list[dict[str, Any]]:
    """The packages of a PEP 751 lock."""
    packages: list[dict[str, Any]] = tomllib.loads(text).get("packages", [])
    return packages


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One release of a package; ``hashes`` are SHA-256 of the wheels that may be taken."""

    package: str
    version: str
    hashes: tuple[str, ...]

    @property
    def line(self) -> str:
        return " ".join((f"{self.package}=={self.version}", *(f"--hash=sha256:{h}" for h in self.hashes)))


@dataclass(frozen=True)
class PackageSet:
    """A set by its name."""

    name: str

    @property
    def directory(self) -> Path:
        return SETS / self.name

    @cached_property
    def direct(self) -> str:
        """What the project asks for: the text of a requirements file."""
        return (self.directory / "requirements.in").read_text()

    @cached_property
    def pins(self) -> dict[str, Pin]:
        return self._read("pins.txt")

    def on(self, python: str) -> PackageSet:
        """The same versions for another Python, ``X.Y``, with their hashes there, and what is needed there alone."""
        other = PackageSet(self.name)
        # What a cached property has kept is what it is.
        vars(other).update(pins=self._read(f"pins-{python}.txt"))
        return other

    def _read(self, name: str) -> dict[str, Pin]:
        found = {}
        for line in (self.directory / name).read_text().replace("\\\n", " ").splitlines():
            text, *hashes = line.split()
            package, _, version = text.partition("==")
            found[package] = Pin(
                package=package, version=version, hashes=tuple(h.removeprefix("--hash=sha256:") for h in hashes)
            )
        return found

    @cached_property
    def settings(self) -> dict[str, Any]:
        return read_toml((self.directory / "set.toml").read_text())

    @property
    def imports(self) -> list[str]:
        return list(self.settings["imports"])

    @property
    def is_heavy(self) -> bool:
        """Whether it is gigabytes, and each case of it takes minutes."""
        return bool(self.settings.get("heavy", False))

    def first(self, count: int) -> PackageSet:
        """Its first ``count`` packages, all of them asked for; of a set whose packages need only those before them."""
        part = PackageSet(self.name)
        pins = dict(islice(self.pins.items(), count))
        settings = {**self.settings, "imports": [name for name in self.imports if name in pins], "scripts": []}
        # What a cached property has kept is what it is.
        vars(part).update(pins=pins, direct="".join(f"{name}\n" for name in pins), settings=settings)
        return part

    def moves(self, role: str) -> list[Pin]:
        """The moves of ``tail``, ``large``, ``drawn`` or ``add``, in the order in which they are made."""
        return [
            Pin(package=move["package"], version=move["version"], hashes=tuple(move["hashes"]))
            for move in self._moves[role]
        ]

    @cached_property
    def _moves(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "moves.json").read_text())
        return found

    def without_leaf(self) -> tuple[str, dict[str, Pin]]:
        """The set less one package that no other needs: what is asked for, and the pins."""
        leaf = self.settings["leaf"]
        direct = "".join(f"{line}\n" for line in self.direct.splitlines() if line != leaf)
        return direct, {name: pin for name, pin in self.pins.items() if name != leaf}


class Locks:
    """``pylock.toml`` files of pins, for the Python ``python`` (``X.Y.Z``) on this machine's architecture.

    A package's table is asked of the index once; the tables of several make a lock.
    """

    def __init__(self, python: str, platform: str) -> None:
        self._python = python
        self._platform = platform
        self._tables: dict[tuple[str, str], str] = {}

    def lock(self, pins: Iterable[Pin], *, note: str = "") -> str:
        """The lock of ``pins``. ``note`` is a comment in it: the same content by another digest."""
        wanted = sorted(pins, key=lambda pin: pin.package)
        missing = [pin for pin in wanted if (pin.package, pin.version) not in self._tables]
        if missing:
            self._ask(missing)
        head = f'# {note}\nlock-version = "1.0"\ncreated-by = "uv"\nrequires-python = ">={self._minor}"\n\n'
        return head + "\n".join(self._tables[pin.package, pin.version] for pin in wanted)

    @property
    def _minor(self) -> str:
        return ".".join(self._python.split(".")[:2])

    def _ask(self, pins: list[Pin]) -> None:
        done = subprocess.run(
            [
                *(uv_program(), "pip", "compile", "--quiet", "--no-config", "--format", "pylock.toml", "--no-deps"),
                *("--only-binary", ":all:", "--no-header", "--no-annotate", "--python-version", self._python),
                *("--python-platform", self._platform, "--", "-"),
            ],
            input="".join(f"{pin.line}\n" for pin in pins),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"uv finds no files for the pins of the set:\n{done.stderr.strip()}")
        for table in done.stdout.split(_TABLE)[1:]:
            (package,) = pylock_packages(_TABLE + table)
            self._tables[package["name"], package["version"]] = _TABLE + table.rstrip() + "\n"


def moved(pins: Mapping[str, Pin], pin: Pin) -> dict[str, Pin]:
    """``pins`` with the one of ``pin.package`` replaced."""
    return {**pins, pin.package: pin}
