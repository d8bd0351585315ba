"""What imagekit and each peer is to the benchmarks: a project of its own kind, and commands that make an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from benchmarks.engines import Store
from benchmarks.process import Finished
from benchmarks.sets import PackageSet, Pin
from benchmarks.surroundings import Surroundings

STORE: Store = "classic"
CODE = '''"""The project's own code."""

EDITION = {edition}


def flow():
    return EDITION
'''


class Builder(ABC):
    """Makes an image of a set's project. What ``build`` and ``push`` take is measured, the rest is in nobody's time."""

    name: ClassVar[str]  # as rows and bars have it
    slug: ClassVar[str]  # in rows' names
    python = "/opt/venv/bin/python"  # of its image
    code = "/app/app.py"  # where its image has the project's code

    def __init__(self, at: Surroundings, packages: PackageSet) -> None:
        self.at = at
        self.packages = packages
        self.directory = at.work / f"peers-{packages.name}" / self.slug
        self.project = self.directory / "project"
        self.image = f"imagekit-bench/peers-{packages.name}:{self.slug}"

    @cached_property
    def pins(self) -> Mapping[str, Pin]:
        """What its image is to hold before anything moves."""
        return self.packages.pins

    def ready(self) -> None:
        """Make its environment; :class:`~benchmarks.process.Unavailable` where what it needs cannot be had here."""

    def seed(self) -> None:
        """Bring what its builds start from into an engine that has the base image alone."""

    def forget(self) -> None:
        """Remove what earlier builds left on this machine beside the engine."""

    def write(self, moves: Iterable[Pin], edition: int) -> None:
        """Bring the project's files up to date: the pins with ``moves``, the code in its ``edition``."""
        pins = {**self.pins, **{pin.package: pin for pin in moves}}
        for name, text in {**self.files(pins), "app.py": CODE.format(edition=edition)}.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # A file that did not change keeps its time, as it would in a project.
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    @abstractmethod
    def files(self, pins: Mapping[str, Pin]) -> Mapping[str, str]:
        """The project's files beside its code."""

    @abstractmethod
    def build(self) -> Finished:
        """Make the image :attr:`image`."""

    def push(self, name: str) -> Finished:
        """Push the image, which is called ``name``, too."""
        return self.at.timed(["docker", "push", "--quiet", name], self.engine)

    def measured(self, command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None) -> Finished:
        """Run a command of a build; its memory is looked at together with the engine's."""
        # Some leave there what they made for the moment.
        temporary = self.at.work / "temporary"
        temporary.mkdir(exist_ok=True)
        return self.at.timed(
            command, {**env, "TMPDIR": str(temporary)}, cwd=cwd, beside=self.at.engine(STORE).processes
        )

    @property
    def engine(self) -> dict[str, str]:
        """The variables that lead to the engine."""
        return self.at.engine(STORE).env

    @property
    def scratch(self) -> Path:
        """A directory that is gone with :meth:`forget`, where a builder has it so."""
        return self.directory / "scratch"


def requirements(pins: Mapping[str, Pin]) -> str:
    """A requirements file of versions, as ``pip freeze`` has them."""
    return "".join(f"{pin.package}=={pin.version}\n" for _, pin in sorted(pins.items()))
