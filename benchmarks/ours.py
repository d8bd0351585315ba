"""The command lines of imagekit that are measured: the one place that knows its options."""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("imagekit"))


def build(project: Path, reference: str, base: str) -> list[str]:
    """Build ``project`` into the engine."""
    return [PROGRAM, "build", "--quiet", "--base-image", base, "--tag", reference, str(project)]


def push(reference: str) -> list[str]:
    """Push what was built."""
    return [PROGRAM, "push", "--quiet", reference]


def build_to_registry(project: Path, reference: str, base: str) -> list[str]:
    """Build ``project`` straight into a registry; ``base`` is in a registry or an OCI layout (``oci:DIR``)."""
    return [
        *(PROGRAM, "build", "--quiet", "--output", "registry"),
        *("--base-image", base, "--tag", reference, str(project)),
    ]


def environment(cache: Path, config: Path, engine: str | None) -> dict[str, str]:
    """The variables that give imagekit its cache and its engine; without one, an address that nobody answers at."""
    address = engine or f"unix://{cache}/there-is-no-engine.sock"
    return {"IMAGEKIT_CACHE_DIR": str(cache), "IMAGEKIT_CONFIG_FILE": str(config), "IMAGEKIT_ENGINE": address}


def files(direct: str, lock: str) -> dict[str, str]:
    """What a project has for imagekit: what it asks for, and its lock."""
    return {"requirements.txt": direct, "pylock.toml": lock}
