"""What a flow waits for before its first line: its packages baked, or extra, or installed when the container starts.

Every side runs the same flow, whose first line comes when all it needs is imported, on the same engine and base.
No side keeps an installer's cache from one start to the next, as containers do not; ``extras cold`` starts an image
that was never seen, with an empty cache: what the image is, is read, and packages are resolved, fetched, made into
layers and loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import start_dockerfile
from benchmarks.case import Case, Rounds, Row, Side
from benchmarks.engines import Store
from benchmarks.process import Failed, until_line
from benchmarks.sets import PackageSet
from benchmarks.surroundings import Surroundings

FIRST_LINE = "all that the flow needs is imported"
DEFAULT, BAKED, WARM, COLD = "default image", "baked", "extras warm", "extras cold"
_STORE: Store = "classic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What a flow needs: ``packages`` of the data set, at its pins, and what of them it imports."""

    name: str
    packages: tuple[str, ...]
    imports: tuple[str, ...]
    rounds: Rounds

    def words(self) -> str:
        return " ".join(f"{name}=={version}" for name, version in self.versions().items())

    def versions(self) -> dict[str, str]:
        pins = PackageSet("data").pins
        return {name: pins[name].version for name in self.packages}

    def flow(self) -> str:
        """``main`` needs all of it and ends badly where it got other versions; ``plain``, where there is any of it."""
        imports = "".join(f"    import {name}\n" for name in self.imports)
        line = f"    print({FIRST_LINE!r}, flush=True)\n"
        # What is looked at comes after the line, in nobody's time.
        got = f"    wanted = {self.versions()!r}\n    assert {{name: m.version(name) for name in wanted}} == wanted\n"
        none = f"    found = {{d.name for d in m.distributions()}}\n    assert not found & {set(self.packages)!r}\n"
        look = "    import importlib.metadata as m\n"
        return f"def main():\n{imports}{line}{look}{got}\n\ndef plain():\n{line}{look}{none}"


SETS = (
    Extras(name="small", packages=("httpx",), imports=("httpx",), rounds=Rounds(quick=0, full=5)),
    Extras(
        name="medium",
        packages=("scikit-learn", "matplotlib"),
        imports=("sklearn.ensemble", "matplotlib.pyplot"),
        rounds=Rounds(quick=3, full=5),
    ),
    Extras(
        name="large",
        packages=("prefect", "fastapi", "pandas", "scikit-learn", "pyarrow", "matplotlib", "seaborn"),
        imports=("prefect", "pandas", "sklearn.ensemble", "pyarrow.parquet", "matplotlib.pyplot", "seaborn"),
        rounds=Rounds(quick=0, full=3),
    ),
)


def start_cases(at: Surroundings) -> Iterator[Case]:
    """Cold start by strategy, a case for each set of packages."""
    for extras in SETS:
        yield _Starts(at, extras).case()


class _Starts:
    def __init__(self, at: Surroundings, extras: Extras) -> None:
        self.at, self.extras = at, extras
        self.directory = at.work / f"start-{extras.name}"
        self.project, self.warm_cache = self.directory / "project", self.directory / "warm"
        self.building = 0.0  # seconds of the baked image's first build
        self.plain, self.baked = (f"imagekit-bench/start-{extras.name}:{tag}" for tag in ("plain", "baked"))

    def case(self) -> Case:
        rounds = self.extras.rounds
        name = f"start/{self.extras.name}"
        # Bounds are stated for what the issue names: scikit-learn and matplotlib.
        bounds = self.extras.name == "medium"

        def row(suffix: str, title: str, side: str, peer: str, must: float, aim: float) -> Row:
            return Row(
                name=f"{name}-{suffix}",
                title=title,
                ours=("first line",),
                theirs=("first line",),
                side=side,
                peer=peer,
                must=must if bounds else None,
                aim=aim if bounds else None,
            )

        return Case(
            name=f"start-{self.extras.name}",
            title=f"first line of a flow that imports {', '.join(self.extras.imports)}",
            rows=[
                row("warm", "EXTRA_PIP_PACKAGES, second start, by baked", WARM, BAKED, 1.1, 1.03),
                row("cold", "EXTRA_PIP_PACKAGES, first start, by uv at start", COLD, "uv at start", 1.0, 0.7),
                row(
                    "warm-pip",
                    "EXTRA_PIP_PACKAGES, second start, by pip at start",
                    WARM,
                    "pip at start",
                    1 / 10,
                    1 / 15,
                ),
            ],
            sides=[
                Side(name=WARM, measure=lambda _: self.ours(self.plain, self.warm_cache, self.extras.words())),
                Side(name=BAKED, measure=lambda _: {**self.ours(self.baked, self.warm_cache), "build": self.building}),
                # A mark in the picture, and no row's.
                Side(
                    name=DEFAULT, measure=lambda _: self.ours(self.plain, self.warm_cache, entrypoint="plain"), every=3
                ),
                Side(name=COLD, measure=self.cold),
                Side(name="uv at start", measure=lambda _: self.peer("uv at start")),
                Side(name="pip at start", measure=lambda _: self.peer("pip at start")),
            ],
            rounds=rounds,
            prepare=self.prepare,
            change=lambda number: self.build(self.other(number), f"\n\n# of round {number}\n"),
        )

    def other(self, number: int) -> str:
        """An image of that round's own: no layer that an earlier one loaded fits on it, and none is removed.

        From a disk of which much was just removed, an engine's loading takes twice as long (``filesystem.py``).
        """
        return f"imagekit-bench/start-{self.extras.name}:other{number}"

    def prepare(self) -> None:
        self.project.mkdir(parents=True)
        self.build(self.plain)
        # From its requirements alone: resolved, fetched, made. From how many starts on that pays is drawn.
        self.building = self.build(self.baked, requirements=self.extras.words().replace(" ", "\n") + "\n")
        context = self.directory / "peer"
        start_dockerfile.write(context, self.at.base, self.extras.flow(), self.at.ca_bundle)
        self.at.timed(start_dockerfile.build(context, self.at.ca_bundle), self.at.engine(_STORE).env)
        self.ours(self.plain, self.warm_cache, self.extras.words())

    def build(self, image: str, comment: str = "", requirements: str = "") -> float:
        (self.project / "flow.py").write_text(self.extras.flow() + comment)
        (self.project / "requirements.txt").write_text(requirements)
        done = self.at.timed(
            self.at.imagekit.build(self.project, image, self.at.base), self.at.ours_env(_STORE, self.warm_cache)
        )
        return done.seconds

    def ours(self, image: str, cache: Path, packages: str = "", entrypoint: str = "main") -> dict[str, float]:
        command = self.at.imagekit.run(f"flow.py:{entrypoint}", image, packages)
        return self.first_line(command, self.at.ours_env(_STORE, cache), self.project)

    def cold(self, number: int) -> dict[str, float]:
        """The same with nothing of an earlier start."""
        before = self.images()
        found = self.ours(self.other(number), self.directory / f"cold-{number}", self.extras.words())
        if len(made := self.images() - before) != 1:
            raise Failed(f"a first start made {len(made)} images: {sorted(made)}")
        return found

    def images(self) -> set[str]:
        return set(self.at.docker(_STORE, "images", "--format", "{{.Repository}}:{{.Tag}}").split())

    def peer(self, side: str) -> dict[str, float]:
        command = start_dockerfile.start(side, self.extras.words(), self.at.ca_bundle)
        return self.first_line(command, self.at.engine(_STORE).env, self.directory)

    def first_line(self, command: list[str], env: dict[str, str], cwd: Path) -> dict[str, float]:
        os.sync()
        seen = until_line(FIRST_LINE, command, env={**self.at.environment, **env}, cwd=cwd)
        return {"first line": seen.first_line, "whole": seen.seconds}
