"""How builds grow: with the packages of a project, with how many run at once, with the cells of a matrix.

Each point has an engine of its own with nothing but the bases. What the engine takes for the same layers without
imagekit is ``docker load`` of the finished images into another: where that is as steep, the engine is the limit.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import checks, uv_dockerfile
from benchmarks.case import OURS, PEER, Case, Curve, Failed, Growing, Rounds, Row, Side
from benchmarks.cells import Matrix
from benchmarks.disk import used
from benchmarks.engines import Store
from benchmarks.pair import Pair
from benchmarks.resident import Resident
from benchmarks.sets import PackageSet
from benchmarks.sides import build
from benchmarks.surroundings import Surroundings
from imagekit.report.results import ALONE

PACKAGES, AT_ONCE, CELLS = (5, 20, 80, 300), (1, 2, 4, 8, 16), (1, 4, 16)
SET = "growth"
MATRIX = Path(__file__).with_name("cells.toml")
_IMPORTS = {"service": ("fastapi", "httpx", "sqlalchemy", "orjson")}
# So many cells, as many versions as Pythons.
_SELECT = {
    1: ("0.121.0-python3.13-*",),
    4: ("0.12[01].0-python3.1[13]-*",),
    16: ("*",),
}
_STORE: Store = "classic"
_PROJECTS = 20  # packages of each that is built at once with others


def growth_cases(at: Surroundings, name: str = SET, points: Sequence[int] = PACKAGES) -> Iterator[Case]:
    """A case for each of the three; ``points`` are of packages, the first so many of the set called ``name``."""
    packages = PackageSet(name)
    yield _Packages(at, packages, points).case()
    yield _AtOnce(at, packages.first(_PROJECTS)).case()
    yield _cells(at)


class _Engines:
    """The two engines that a point begins with, and what is measured of them."""

    def __init__(self, at: Surroundings) -> None:
        self.at = at

    def empty(self) -> None:
        """Both have the bases alone."""
        self.at.empty(_STORE)
        self.at.empty("second")
        self.at.bring("second", self.at.base)

    def disk(self, caches: Sequence[Path] = ()) -> float:
        return float(used(self.at.engine(_STORE).data) + sum(used(cache) for cache in caches))

    def load(self, images: Sequence[str]) -> dict[str, float]:
        """The second engine loads ``images``, all at once; each was saved before, in nobody's time."""
        archives = []
        for number, image in enumerate(images):
            archives.append(self.at.work / f"loaded-{number}.tar")
            self.at.docker(_STORE, "save", "--output", str(archives[-1]), image)
        env = self.at.engine("second").env
        commands = [["docker", "load", "--quiet", "--input", str(archive)] for archive in archives]
        try:
            return self.at_once([partial(self.at.run, command, env) for command in commands], "second")
        finally:
            for archive in archives:
                archive.unlink()

    def at_once(self, calls: Sequence[Callable[..., object]], store: Store = _STORE) -> dict[str, float]:
        """Seconds until all have ended that began together, and bytes that they and the engine held at most.

        Each is called with what looks at the memory of its process, ``resident``.
        """
        os.sync()
        with Resident(self.at.engine(store).processes) as resident, ThreadPoolExecutor(len(calls)) as pool:
            began = time.perf_counter()
            for each in [pool.submit(call, resident=resident) for call in calls]:
                each.result()
            seconds = time.perf_counter() - began
        return {"build": seconds, "memory": resident.together, "engine memory": resident.engine}


class _Packages:
    def __init__(self, at: Surroundings, packages: PackageSet, points: Sequence[int]) -> None:
        self.at, self.packages = at, packages
        self.engines = _Engines(at)
        self.growing = _growing(
            "packages", points, Curve(title="layers of the image, with the base's", measure="layers", unit="n")
        )
        self.pairs: dict[int, Pair] = {}

    def case(self) -> Case:
        return Case(
            name="growth-packages",
            title=f"cold builds of {_words(self.growing.points)} packages",
            rows=_rows("packages", "cold build of {} packages", self.growing),
            sides=[
                Side(name=OURS, measure=lambda number: self.build(number, OURS)),
                Side(name=PEER, measure=lambda number: self.build(number, PEER)),
                Side(name=ALONE, measure=lambda number: self.engines.load([self.pair(number).ours_image])),
            ],
            rounds=Rounds(quick=0, full=1),
            change=self.change,
            check=self.check,
            growing=self.growing,
        )

    def pair(self, number: int) -> Pair:
        count = self.growing.at(number)
        if count not in self.pairs:
            self.pairs[count] = Pair(self.at, self.packages.first(count), _STORE, f"growth-{count}")
        return self.pairs[count]

    def change(self, number: int) -> None:
        self.engines.empty()
        shutil.rmtree(self.pair(number).cache, ignore_errors=True)

    def build(self, number: int, side: str) -> dict[str, float]:
        pair = self.pair(number)
        caches = [pair.cache] if side == OURS else []
        before = self.engines.disk(caches)
        return {**build(pair, side), "disk": self.engines.disk(caches) - before}

    def check(self, number: int) -> None:
        pair = self.pair(number)
        checks.same_content(self.at, _STORE, pair.packages, pair.images)


class _AtOnce:
    """Projects with the same packages but for the release of a small one, which neither side has seen; all others are
    in both sides' caches, which all share."""

    def __init__(self, at: Surroundings, packages: PackageSet) -> None:
        self.at, self.packages = at, packages
        self.engines = _Engines(at)
        self.growing = _growing("builds at once", AT_ONCE)
        self.first = Pair(at, packages, _STORE, "at-once")
        self.projects = [Pair(at, packages, _STORE, f"at-once-{n}") for n in range(max(AT_ONCE))]

    def case(self) -> Case:
        return Case(
            name="growth-at-once",
            title=f"{_words(AT_ONCE)} builds at once of {len(self.packages.pins)} packages each",
            rows=_rows("at-once", "{} builds at once", self.growing),
            sides=[
                Side(name=OURS, measure=lambda number: self.build(number, OURS)),
                Side(name=PEER, measure=lambda number: self.build(number, PEER)),
                Side(name=ALONE, measure=lambda number: self.engines.load([p.ours_image for p in self.some(number)])),
            ],
            rounds=Rounds(quick=0, full=1),
            prepare=self.prepare,
            change=self.change,
            check=self.check,
            growing=self.growing,
        )

    def some(self, number: int) -> Sequence[Pair]:
        return self.projects[: self.growing.at(number)]

    def prepare(self) -> None:
        self.first.ensure()
        for project, pin in zip(self.projects, self.packages.moves("tail"), strict=False):
            project.move(pin)

    def change(self, _: int) -> None:
        self.engines.empty()
        # Ours is taken from what is kept; uv's lies in the engine.
        self.first.build_peer()
        cache = self.first.cache_before_moves("shared")
        for project in self.projects:
            project.cache = cache

    def build(self, number: int, side: str) -> dict[str, float]:
        projects = self.some(number)
        caches = [projects[0].cache] if side == OURS else []
        before = self.engines.disk(caches)
        done = self.engines.at_once([partial(self.one, project, side) for project in projects])
        return {**done, "disk": self.engines.disk(caches) - before}

    def one(self, project: Pair, side: str, *, resident: Resident) -> None:
        if side == OURS:
            command = self.at.imagekit.build(project.ours, project.ours_image, project.base)
            self.at.run(command, self.at.ours_env(_STORE, project.cache), resident=resident)
        else:
            command = uv_dockerfile.build(project.peer, project.peer_image, self.at.ca_bundle)
            self.at.run(command, self.at.engine(_STORE).env, resident=resident)

    def check(self, number: int) -> None:
        moves = self.packages.moves("tail")
        for project, pin in list(zip(self.some(number), moves, strict=False)):
            project.check_version(pin)


def _cells(at: Surroundings) -> Case:
    growing = _growing("cells", CELLS)
    matrices = {count: Matrix(at, MATRIX, _SELECT[count], _IMPORTS, f"cells-{count}") for count in CELLS}

    def prepare() -> None:
        for count, matrix in matrices.items():
            matrix.prepare()
            if len(matrix.cells) != count:
                raise Failed(f"{len(matrix.cells)} of {count} cells can be had")

    return Case(
        name="growth-cells",
        title=f"{_words(CELLS)} cells of a matrix, two at once",
        rows=_rows("cells", "{} cells of a matrix", growing, alone=False),
        sides=[
            Side(name=OURS, measure=lambda number: matrices[growing.at(number)].build_ours()),
            Side(name=PEER, measure=lambda number: matrices[growing.at(number)].build_peer()),
        ],
        rounds=Rounds(quick=0, full=1),
        prepare=prepare,
        change=lambda number: matrices[growing.at(number)].empty(number),
        check=lambda number: matrices[growing.at(number)].check(number),
        growing=growing,
    )


def _growing(by: str, points: Sequence[int], *more: Curve) -> Growing:
    return Growing(
        by=by,
        points=tuple(points),
        curves=(
            Curve(title=f"time, by {by}", measure="build"),
            Curve(title=f"memory at most, by {by}", measure="memory", unit="B"),
            Curve(title=f"disk of the engine and the cache, by {by}", measure="disk", unit="B"),
            *more,
        ),
    )


def _rows(name: str, title: str, growing: Growing, *, alone: bool = True) -> list[Row]:
    """Each point beside the peer; the last one beside the engine alone."""
    rows = [
        Row(name=f"growth/{name}-{at}", title=title.format(at), ours=("build",), theirs=("build",), at=at)
        for at in growing.points
    ]
    if alone:
        last = growing.points[-1]
        rows.append(
            Row(
                name=f"growth/{name}-{last}-engine",
                title=f"{title.format(last)}, by the engine's loading of it alone",
                ours=("build",),
                theirs=("build",),
                peer=ALONE,
                at=last,
            )
        )
    return rows


def _words(points: Sequence[int]) -> str:
    return f"{', '.join(map(str, points[:-1]))} and {points[-1]}"
