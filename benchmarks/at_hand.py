"""The engine that this machine has anyway: only its base images are read, and those that are missing made in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks import ours
from benchmarks.process import Failed, run

BASES = ("imagekit/python:3.11", "python:3.11-slim")


class AtHand:
    """That engine, by ``DOCKER_HOST`` and its like; ``environment`` is what else its commands are given."""

    def __init__(self, environment: Mapping[str, str], imagekit: ours.Imagekit) -> None:
        self._environment = {**environment, **{k: v for k, v in os.environ.items() if k.startswith("DOCKER_")}}
        self._imagekit = imagekit

    def base(self) -> str:
        """The base image that ``make setup`` left."""
        for reference in BASES:
            with suppress(Failed):
                self._docker("image", "inspect", "--format", ".", reference)
                return reference
        raise Failed(f"the engine has no base image ({' or '.join(BASES)}): make setup")

    def python_of(self, reference: str) -> str:
        """The version of an image's Python (``X.Y.Z``)."""
        program = "import platform; print(platform.python_version())"
        return self._docker("run", "--rm", "--network", "none", reference, "python3", "-c", program).strip()

    def ensure_base(self, python: str) -> str:
        """The bare base with ``python``, made or pulled where it is missing; its reference."""
        return run(self._imagekit.ensure_base(python), env=self._environment).stdout.strip()

    def save(self, reference: str, archive: Path) -> None:
        self._docker("save", "--output", str(archive), reference)

    def _docker(self, *words: str) -> str:
        return run(["docker", *words], env=self._environment).stdout
