"""The interpreter and platform that a lock is for: the image's, never the host's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from packaging.tags import Tag, compatible_tags, cpython_tags

from imagekit.oci.platform import Platform
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Distribution


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python on a platform, with what decides which wheels fit it."""

    python: str  # full version, 3.11.2
    platform: Platform
    libc: str  # glibc or musl
    libc_version: str  # 2.36
    markers: tuple[tuple[str, str], ...]  # the PEP 508 environment
    installed: tuple[Distribution, ...] = ()  # what the packages must get along with
    held: bool = False  # none of these is replaced

    @classmethod
    def of(cls, base: BaseImage) -> Target:
        return cls(
            python=base.python.version,
            platform=base.config.platform,
            libc=base.python.libc,
            libc_version=base.python.libc_version,
            markers=base.python.markers,
            installed=base.python.kept,
            held=base.python.in_place,
        )

    @property
    def version(self) -> tuple[int, int]:
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)

    @property
    def environment(self) -> dict[str, str]:
        """The PEP 508 marker environment."""
        return dict(self.markers)

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """Wheel tags that fit, the best first (PEP 425, PEP 600, PEP 656)."""
        platforms = _platform_tags(self.libc, self.libc_version, self.platform.machine)
        abi = f"cp{self.version[0]}{self.version[1]}"
        return (
            *cpython_tags(self.version, [abi], platforms),
            *compatible_tags(self.version, abi, platforms),
        )


# PEP 600 names of the older aliases, which wheels still carry.
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}


def _platform_tags(libc: str, libc_version: str, machine: str) -> list[str]:
    major, minor = (int(n) for n in libc_version.split(".")[:2])
    tags: list[str] = []
    if libc == "musl":
        tags = [f"musllinux_{major}_{n}_{machine}" for n in range(minor, -1, -1)]
    else:
        # manylinux starts at glibc 2.17 but on x86_64, where it starts at 2.5.
        lowest = 5 if machine == "x86_64" else 17
        for n in range(minor, lowest - 1, -1):
            tags.append(f"manylinux_{major}_{n}_{machine}")
            if (major, n) in _LEGACY:
                tags.append(f"{_LEGACY[major, n]}_{machine}")
    return [*tags, f"linux_{machine}"]
