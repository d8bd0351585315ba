"""What a base is: its distribution by os-release(5), and its processor by Debian's names."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from imagekit.errors import InputError
from imagekit.oci.platform import Platform

# dpkg's names and the directories of libraries (wiki.debian.org/Multiarch/Tuples), by OCI's architecture and variant.
_ARCHITECTURES = {
    "386": ("i386", "i386-linux-gnu"),
    "amd64": ("amd64", "x86_64-linux-gnu"),
    "arm/v5": ("armel", "arm-linux-gnueabi"),
    "arm/v6": ("armel", "arm-linux-gnueabi"),
    "arm": ("armhf", "arm-linux-gnueabihf"),
    "arm64": ("arm64", "aarch64-linux-gnu"),
    "loong64": ("loong64", "loongarch64-linux-gnu"),
    "mips64le": ("mips64el", "mips64el-linux-gnuabi64"),
    "ppc64le": ("ppc64el", "powerpc64le-linux-gnu"),
    "riscv64": ("riscv64", "riscv64-linux-gnu"),
    "s390x": ("s390x", "s390x-linux-gnu"),
}
# Debian says its version when it is released, and its name before.
_TO_COME = {"trixie": "13", "forky": "14", "duke": "15"}
_WITH_APT = ("debian", "ubuntu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What recipes ask of a base."""

    id: str  # os-release's: debian
    version: str | None  # 12, 22.04; None: newer than any that has a number
    codename: str  # bookworm; empty where it has none
    likes: tuple[str, ...]  # what it says it is like (ID_LIKE)
    architecture: str  # Debian's name: amd64
    multiarch: str  # x86_64-linux-gnu

    @classmethod
    def of(cls, os_release: str, platform: Platform) -> Distribution:
        """The distribution that the text ``os_release`` is of, on ``platform``."""
        values = _values(os_release)
        codename = values.get("VERSION_CODENAME") or values.get("UBUNTU_CODENAME") or ""
        distribution_id = values.get("ID") or "linux"
        known = _TO_COME.get(codename) if distribution_id == "debian" else None
        variant = f"{platform.architecture}/{platform.variant}"
        names = _ARCHITECTURES.get(variant) or _ARCHITECTURES.get(platform.architecture)
        architecture, multiarch = names or (platform.architecture, f"{platform.machine}-linux-gnu")
        return cls(
            id=distribution_id,
            version=values.get("VERSION_ID") or known,
            codename=codename,
            likes=tuple((values.get("ID_LIKE") or "").split()),
            architecture=architecture,
            multiarch=multiarch,
        )

    @classmethod
    def parse(cls, text: str, platform: Platform) -> Distribution:
        """``debian:12``, ``ubuntu:22.04`` or ``debian:bookworm``: for a look at a recipe without a base."""
        distribution_id, _, version = text.partition(":")
        codenames = {"11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky"}
        codenames |= {"20.04": "focal", "22.04": "jammy", "24.04": "noble", "26.04": "resolute"}
        by_name = {codename: number for number, codename in codenames.items()}
        number = by_name.get(version, version)
        if not distribution_id or not number.replace(".", "").isdigit():
            raise InputError(f"{text!r} is no distribution", hint="write debian:12, or ubuntu:24.04")
        release = f"ID={distribution_id}\nVERSION_ID={number}\nVERSION_CODENAME={codenames.get(number, '')}\n"
        return cls.of(release, platform)

    @property
    def has_apt(self) -> bool:
        """Whether it is of the family whose packages apt installs."""
        return any(name in _WITH_APT for name in (self.id, *self.likes))

    @property
    def fields(self) -> dict[str, str]:
        """The values of the fields that recipes write in braces; one that it has not is left out."""
        found = {
            "id": self.id,
            "version_id": self.version or "",
            "codename": self.codename,
            "architecture": self.architecture,
            "multiarch": self.multiarch,
        }
        return {name: value for name, value in found.items() if value}

    def __str__(self) -> str:
        return f"{self.id} {self.version or self.codename or 'of no version'} ({self.architecture})"


def _values(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            words = [value]
        found[name] = words[0] if words else ""
    return found
