"""Which Debian package has a library, a header, a pkg-config file or a program.

The table is generated (``scripts/debian-names``) from the suites' own Contents indexes, for the few hundred names that
wheels and failing builds ask for. Asking apt-file in the base was the other way: it fetches fifty megabytes and needs a
network, for a line of advice.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Mapping
from importlib.resources import files

from imagekit.preflight.values import System

LIBRARY, HEADER, PKG_CONFIG, PROGRAM, LINK = "library", "header", "pkg-config", "program", "link"
SUITES = ("bullseye", "bookworm", "trixie", "forky")
_STABLE = "trixie"  # for derivatives whose release is not known
# Ubuntu's releases, as the suites that they were made from call packages (64-bit time_t came with noble and trixie).
_UBUNTU = {"focal": "bullseye", "jammy": "bookworm", "noble": "trixie"}
_GLIBC = (("2.31", "Debian 11"), ("2.36", "Debian 12"), ("2.41", "Debian 13"))


def system_of(release: str) -> System:
    """The system whose os-release(5) has the text ``release``."""
    fields: dict[str, str] = {}
    for line in release.splitlines():
        key, sign, value = line.partition("=")
        if sign and re.fullmatch(r"[A-Z_0-9]+", key):
            try:
                fields[key] = " ".join(shlex.split(value))
            except ValueError:
                continue
    return System(
        id=fields.get("ID", "").lower(),
        codename=fields.get("VERSION_CODENAME", "").lower(),
        version=fields.get("VERSION_ID", ""),
        like=tuple(fields.get("ID_LIKE", "").lower().split()),
    )


def has_apt(system: System) -> bool:
    """Whether it is Debian, or derived from it. Where nothing is known of a system, it is taken for Debian."""
    return not system.id or "debian" in (system.id, *system.like) or "ubuntu" in (system.id, *system.like)


def package_of(kind: str, name: str, system: System) -> str | None:
    """The package of ``system`` that has ``name``; ``None`` where that is not known, or no package has it."""
    if not has_apt(system):
        return None
    by_suite = _table().get((kind, name), {})
    found = by_suite.get(_suite(system), by_suite.get(""))
    if found is None and kind == LIBRARY and re.fullmatch(r".+\.so\.\d+(\.\d+)+", name):
        return package_of(kind, name.rpartition(".")[0], system)  # a release's own name: libgomp.so.1.0.0
    return None if found == "-" else found


def install_command(system: System, packages: tuple[str, ...], sonames: tuple[str, ...]) -> str | None:
    """What installs them there: ``packages`` with apt; elsewhere ``sonames``, which apk and dnf know themselves."""
    known = {system.id, *system.like}
    if has_apt(system):
        return f"apt-get install {' '.join(packages)}" if packages else None
    if not sonames:
        return None
    if "alpine" in known:
        return " ".join(["apk", "add", *(shlex.quote(f"so:{name}") for name in sonames)])
    if known & {"fedora", "rhel", "centos", "amzn", "rocky", "almalinux", "ol"}:
        return " ".join(["dnf", "install", *(shlex.quote(f"{name}()(64bit)") for name in sonames)])
    return None


def release_with_glibc(version: tuple[int, ...]) -> str | None:
    """The first release of Debian whose glibc is as new as ``version``."""
    return next((name for has, name in _GLIBC if tuple(map(int, has.split("."))) >= version), None)


def _suite(system: System) -> str:
    if system.codename in SUITES:
        return system.codename
    return _UBUNTU.get(system.codename, _STABLE)


@functools.cache
def _table() -> Mapping[tuple[str, str], Mapping[str, str]]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    text = files("imagekit.preflight").joinpath("debian_names.txt").read_text("utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            kind, name, package, *others = line.split(" ")
            found[kind, name] = {"": package, **dict(other.split("=", 1) for other in others)}
    return found
