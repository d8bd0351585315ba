"""The peers' own environments: made for the run from pinned versions, ``requirements/NAME.txt``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.process import Failed, Unavailable, run
from benchmarks.sets import Pin, uv_program
from benchmarks.surroundings import Surroundings

REQUIREMENTS = Path(__file__).with_name("requirements")
DRIVERS = Path(__file__).with_name("drivers")
NAMES = ("prefect", "flytekit", "bentoml")


def environment(at: Surroundings, name: str) -> Path:
    """The ``bin`` of the environment called ``name``, made where the run has none yet."""
    directory = at.directory / f"environment-{name}"
    bin_directory = directory / "bin"
    mark = directory / "complete"
    if not mark.exists():
        uv, file = uv_program(), REQUIREMENTS / f"{name}.txt"
        try:
            run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(directory)], env=at.environment)
            to = ["--python", str(bin_directory / "python")]
            run(
                [uv, "pip", "install", "--quiet", "--compile-bytecode", *to, "--requirement", str(file)],
                env=at.environment,
            )
        except Failed as error:
            raise Unavailable(f"{name} cannot be installed here: {str(error).splitlines()[-1].strip()}") from error
        mark.touch()
    return bin_directory


def pinned(name: str) -> dict[str, str]:
    """Version by package of ``requirements/NAME.txt``, for every Python that it is for."""
    lines = (line.partition(";")[0] for line in (REQUIREMENTS / f"{name}.txt").read_text().splitlines())
    pairs = (line.strip().partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {package.partition("[")[0]: version for package, _, version in pairs}


def pins_with(name: str, packages: str) -> Mapping[str, Pin] | None:
    """The set ``packages`` beside the peer ``name`` itself, where the two do not agree as the set is; else ``None``."""
    if not (REQUIREMENTS / f"{name}-{packages}.txt").exists():
        return None
    found = pinned(f"{name}-{packages}")
    return {package: Pin(package=package, version=version, hashes=()) for package, version in found.items()}


def versions() -> dict[str, str]:
    """Of the peers that are packages."""
    return {name: pinned(name)[name] for name in (*NAMES, "pip")}
