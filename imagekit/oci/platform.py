"""OCI platforms: ``os/architecture[/variant]`` (image-spec, image-index.md)."""

from __future__ import annotations

import platform as _host
from dataclasses import dataclass

from imagekit.errors import InputError
from imagekit.wrong_type import wrong_type

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Where an image runs."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str | None = None

    @classmethod
    def parse(cls, text: str) -> Platform:
        """``linux/amd64``, ``linux/arm64`` or ``linux/arm64/v8``; anything else is an ``InputError``."""
        if not isinstance(text, str):
            raise wrong_type(text, "platform", "a string", "write platform='linux/amd64'")
        parts = text.split("/")
        if len(parts) not in (2, 3) or parts[0] != "linux" or parts[1] not in _MACHINES:
            raise InputError(f"unknown platform {text!r}", hint="linux/amd64 and linux/arm64 are known")
        return cls(parts[0], parts[1], parts[2] if len(parts) == 3 else None)

    @classmethod
    def host(cls) -> Platform:
        """Linux on this machine's processor, which is what an engine here runs."""
        return cls("linux", _ARCHITECTURES.get(_host.machine().lower(), "amd64"))

    @property
    def machine(self) -> str:
        """The processor as Python and wheel tags spell it: ``x86_64``, ``aarch64``."""
        return _MACHINES[self.architecture]

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))
