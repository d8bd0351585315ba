"""What a base's Python holds already: distributions, their owners and their files. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """Where the base's Python has installers put things (``sysconfig``); absolute, links resolved."""

    purelib: str  # /usr/local/lib/python3.11/site-packages
    platlib: str
    scripts: str  # /usr/local/bin
    headers: str  # /usr/local/include/python3.11
    data: str  # /usr/local


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution (PEP 376)."""

    name: str  # normalized (PEP 503)
    version: str
    metadata: str  # its .dist-info directory, or what older tools left instead; links resolved
    installer: str  # the word in INSTALLER: pip, uv, conda, debian …; empty where there is none
    is_system: bool  # the operating system's package manager has it
    obstacle: str | None  # why it cannot be removed, as the end of "NAME cannot be replaced: "

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is asked of a base's distributions only when packages are resolved or replaced.

    Paths are absolute, with the links on the way resolved.
    """

    requires: Mapping[str, tuple[str, ...]]  # name → PEP 508 requirements, extras' among them
    extras: Mapping[str, tuple[str, ...]]  # name → extras it provides
    files: Mapping[str, tuple[str, ...]]  # metadata path → files that are there, bytecode included
    entries: Mapping[str, frozenset[str]]  # directory that holds any of them → names in it
