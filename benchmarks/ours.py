"""The command lines of imagekit that are measured: the one place that knows its options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagekit:
    """An imagekit to measure: the one beside this Python, or another version's ``program``."""

    program: str = str(Path(sys.executable).with_name("imagekit"))

    def build(self, project: Path, reference: str, base: str) -> list[str]:
        """Build ``project`` into the engine."""
        return [self.program, "build", "--quiet", "--base-image", base, "--tag", reference, str(project)]

    def matrix(self, verb: str, file: Path, select: Sequence[str], jobs: int) -> list[str]:
        """Plan or build the cells of a matrix that ``select`` names, ``jobs`` at once; the answer is JSON."""
        chosen = [word for pattern in select for word in ("--select", pattern)]
        return [self.program, "matrix", verb, str(file), *chosen, "--jobs", str(jobs), "--json"]

    def ensure_base(self, python: str) -> list[str]:
        """Make sure of the engine's bare base with ``python``."""
        return [self.program, "base", "ensure", "--quiet", "--python", python]

    def inspect(self, reference: str) -> list[str]:
        """Tell an image's layers; the answer is JSON."""
        return [self.program, "inspect", reference, "--json"]

    def push(self, reference: str) -> list[str]:
        """Push what was built."""
        return [self.program, "push", "--quiet", reference]

    def run(self, entrypoint: str, image: str, extra_packages: str = "") -> list[str]:
        """Run one flow, with ``extra_packages`` in its environment's variable of that name."""
        extra = ["--env", f"EXTRA_PIP_PACKAGES={extra_packages}"] if extra_packages else []
        return [self.program, "run", entrypoint, "--image", image, *extra]

    def make_pool(self, pool: str) -> list[str]:
        """Make a work pool."""
        return [self.program, "work-pool", "create", "--type", "docker", pool]

    def worker(self, pool: str) -> list[str]:
        """A worker of ``pool``."""
        return [self.program, "worker", "start", "--pool", pool]

    def run_deployment(self, name: str) -> list[str]:
        """Ask for a run of the deployment ``FLOW/NAME``, and show what it writes."""
        return [self.program, "deployment", "run", name, "--watch"]

    def library(self, program: Path, *arguments: str) -> list[str]:
        """A program that imports this imagekit."""
        return [str(Path(self.program).with_name("python")), str(program), *arguments]

    def build_to_registry(self, project: Path, reference: str, base: str) -> list[str]:
        """Build ``project`` straight into a registry; ``base`` is in a registry or an OCI layout (``oci:DIR``)."""
        return [
            *(self.program, "build", "--quiet", "-o", "registry"),
            *("--base-image", base, "--tag", reference, str(project)),
        ]


def environment(cache: Path, config: Path, engine: str | None) -> dict[str, str]:
    """The variables that give imagekit its cache and its engine; without one, an address that nobody answers at."""
    address = engine or f"unix://{cache}/there-is-no-engine.sock"
    return {"IMAGEKIT_CACHE_DIR": str(cache), "IMAGEKIT_CONFIG_FILE": str(config), "IMAGEKIT_ENGINE": address}


def files(direct: str, lock: str) -> dict[str, str]:
    """What a project has for imagekit: what it asks for, and its lock."""
    return {"requirements.txt": direct, "pylock.toml": lock}
