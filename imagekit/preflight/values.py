"""What compiled files of wheels ask for, what a base offers, and what is found when the two are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFile:
    """One ELF file of a wheel."""

    path: str  # relative to where packages are installed: numpy/random/mtrand.cpython-311-x86_64-linux-gnu.so
    machine: str  # x86_64
    needed: tuple[str, ...] = ()  # libraries, by soname
    soname: str | None = None
    search: tuple[str, ...] = ()  # RPATH, with $ORIGIN as it stands there
    glibc: str | None = None  # the lowest release that has all the symbols it cannot do without: 2.17
    is_program: bool = False

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFiles:
    """The compiled files of one wheel of an image."""

    name: str  # the package, normalized
    version: str
    files: tuple[CompiledFile, ...]

    @property
    def pin(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system, by its ``os-release``."""

    id: str = ""  # debian
    codename: str = ""  # bookworm
    version: str = ""  # 12
    like: tuple[str, ...] = ()  # what it is derived from: debian


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a base has that compiled files ask for."""

    base: str  # as the user names it
    machine: str
    libc: str  # glibc or musl
    libc_version: str  # 2.36
    cache_tag: str  # of its Python: cpython-311
    libraries: frozenset[str]  # file names where its loader looks
    system: System = field(default_factory=System)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What files of one wheel ask for and nothing in the image has."""

    severity: str  # error: it cannot load; warning: what is imported cannot; note: what few need, or the host brings
    rule: str  # library-missing, glibc-too-old, host-library
    package: str
    version: str
    wants: tuple[str, ...]  # sonames; of glibc-too-old the release: 2.38
    needed_by: tuple[str, ...]  # modules, or paths of what is none: the first of them
    count: int  # how many there are

    def to_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "rule": self.rule,
            "package": self.package,
            "version": self.version,
            "wants": list(self.wants),
            "needed_by": list(self.needed_by),
            "count": self.count,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What a recipe brings, as far as it mends what is missing."""

    recipe: str
    serves: frozenset[str] = frozenset()  # packages that want it (PEP 503 names)
    sonames: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    pkg_config: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()  # of apt, those of its builds too
