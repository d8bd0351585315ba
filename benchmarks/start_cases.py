"""What a flow waits for before its first line: its packages baked, or extra, or installed when the container starts.

Every side runs the same flow, whose first line comes when all it needs is imported, on the same engine and base.
No side keeps an installer's cache from one start to the next, as containers do not; ``extras cold`` has neither a
derived image nor layers nor wheels.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import start_dockerfile
from benchmarks.case import Case, Rounds, Row, Side
from benchmarks.engines import Store
from benchmarks.process import until_line
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
        pins = PackageSet("data").pins
        return " ".join(f"{name}=={pins[name].version}" for name in self.packages)


SETS = (
    Extras(name="small", packages=("httpx",), imports=("httpx",), rounds=Rounds(quick=0, full=7)),
    Extras(
        name="medium",
        packages=("scikit-learn", "matplotlib"),
        imports=("sklearn.ensemble", "matplotlib.pyplot"),
        rounds=Rounds(quick=7, full=9),
    ),
    Extras(
        name="large",
        packages=("prefect", "fastapi", "pandas", "scikit-learn", "pyarrow", "matplotlib", "seaborn"),
        imports=("prefect", "pandas", "sklearn.ensemble", "pyarrow.parquet", "matplotlib.pyplot", "seaborn"),
        rounds=Rounds(quick=0, full=7),
    ),
)


def start_cases(at: Surroundings) -> Iterator[Case]:
    """Cold start by strategy, a case for each set of packages."""
    for extras in SETS:
        yield _Starts(at, extras).case()


class _Starts:
    def __init__(self, at: Surroundings, extras: Extras) -> None:
        self.at, self.extras = at, extras
        self.directory = at.directory / f"start-{extras.name}"
        self.warm_cache, self.cold_cache = self.directory / "warm", self.directory / "cold"
        self.plain, self.baked = (f"imagekit-bench/start-{extras.name}:{tag}" for tag in ("plain", "baked"))
        # Of its own, so that no layer of what is warm is above it.
        self.other = f"imagekit-bench/start-{extras.name}:other"

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
                row("warm", "extras warm, by baked", WARM, BAKED, 1.1, 1.03),
                row("cold", "extras the first time, by uv at start", COLD, "uv at start", 1.0, 0.7),
                row("warm-pip", "extras warm, by pip at start", WARM, "pip at start", 1 / 10, 1 / 15),
            ],
            sides=[
                Side(name=WARM, measure=lambda _: self.ours(self.plain, self.warm_cache, self.extras.words())),
                Side(name=BAKED, measure=lambda _: self.ours(self.baked, self.warm_cache)),
                Side(name=DEFAULT, measure=lambda _: self.ours(self.plain, self.warm_cache, entrypoint="plain")),
                Side(name=COLD, measure=lambda _: self.cold()),
                Side(name="uv at start", measure=lambda _: self.peer("uv at start")),
                # Half a minute each, and next to no spread beside the other's.
                Side(name="pip at start", measure=lambda _: self.peer("pip at start"), every=2),
            ],
            rounds=rounds,
            prepare=self.prepare,
            warm_up=0,
        )

    def prepare(self) -> None:
        imports = "".join(f"    import {name}\n" for name in self.extras.imports)
        line = f"    print({FIRST_LINE!r}, flush=True)\n"
        flow = f"def main():\n{imports}{line}\n\ndef plain():\n{line}"
        project = self.directory / "project"
        project.mkdir(parents=True)
        (project / "flow.py").write_text(flow)
        env = self.at.ours_env(_STORE, self.warm_cache)
        (project / "requirements.txt").write_text("")
        self.at.timed(self.at.imagekit.build(project, self.plain, self.at.base), env)
        (project / "flow.py").write_text(f"{flow}\n\n# of another image\n")
        self.at.timed(self.at.imagekit.build(project, self.other, self.at.base), env)
        (project / "flow.py").write_text(flow)
        (project / "requirements.txt").write_text(self.extras.words().replace(" ", "\n") + "\n")
        self.at.timed(self.at.imagekit.build(project, self.baked, self.at.base), env)
        context = self.directory / "peer"
        start_dockerfile.write(context, self.at.base, flow, self.at.ca_bundle)
        self.at.timed(start_dockerfile.build(context, self.at.ca_bundle), self.at.engine(_STORE).env)
        self.ours(self.plain, self.warm_cache, self.extras.words())

    def ours(self, image: str, cache: Path, packages: str = "", entrypoint: str = "main") -> dict[str, float]:
        command = self.at.imagekit.run(f"flow.py:{entrypoint}", image, packages)
        return self.first_line(command, self.at.ours_env(_STORE, cache), self.directory / "project")

    def cold(self) -> dict[str, float]:
        """The same with nothing of an earlier start: no derived image, no lock, no layers, no wheels."""
        shutil.rmtree(self.cold_cache, ignore_errors=True)
        before = self.images()
        found = self.ours(self.other, self.cold_cache, self.extras.words())
        self.at.docker(_STORE, "image", "rm", "--force", *sorted(self.images() - before))
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
