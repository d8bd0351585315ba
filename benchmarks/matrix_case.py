"""A whole matrix of base images, beside Dockerfiles for the same cells, two built at once on either side.

Both begin with nothing but the bare bases, and what one cell fetched or made serves the next: here the layer cache,
there uv's cache in a mount that all share. imagekit resolves what each cell asks for; the peer is told the versions
that this came to, so that both hold the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import checks, uv_dockerfile
from benchmarks.case import OURS, PEER, Case, Failed, Rounds, Row, Side
from benchmarks.engines import Store
from benchmarks.sets import PackageSet, Pin
from benchmarks.surroundings import Surroundings

JOBS = 2
MATRIX = Path(__file__).parent.parent / "base-images" / "prefect.toml"
# The conda flavor has no like among uv's Dockerfiles.
SELECT = ("*-core", "*[0-9]-full")
STORE: Store = "classic"
_IMPORTS = {"core": ("prefect",), "full": ("prefect", "boto3", "google.cloud.storage", "kubernetes", "pandas")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell that can be had: its label, its image of ours, and what it came to."""

    label: str
    python: str
    category: str
    image: str
    packages: tuple[str, ...]  # name==version

    @property
    def base(self) -> str:
        return f"imagekit/python:{self.python}"

    @property
    def peer(self) -> str:
        return f"imagekit-bench/matrix:{self.label}"


class CellSet(PackageSet):
    """What the checks of a pair of images ask of a set of packages, for one cell."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell.label)
        object.__setattr__(self, "pins", dict[str, Pin]())
        object.__setattr__(self, "settings", {"scripts": [], "imports": _IMPORTS[cell.category]})


class Matrix:
    """The provided matrix on an engine of the benchmarks' own, and directories with the peers' Dockerfiles."""

    def __init__(self, at: Surroundings) -> None:
        self.at = at
        self.directory = at.directory / "matrix"
        self.cache = self.directory / "cache"
        self.cells: tuple[Cell, ...] = ()
        self.checked = False

    def prepare(self) -> None:
        """Which cells can be had is asked with a cache that no measured build sees."""
        for python in _pythons():
            self.at.ensure_base(python)
        planned = self._ours(self.at.imagekit.matrix("plan", MATRIX, SELECT, JOBS), self.directory / "asked")
        ready = [cell for cell in planned["cells"] if cell["state"] == "ready" and cell["tags"]]
        self.cells = tuple(
            Cell(
                label=cell["label"],
                python=cell["python"],
                category=cell["category"],
                image=f"{planned['name']}:{cell['tags'][0]}",
                packages=tuple(cell["packages"]),
            )
            for cell in ready
        )
        for cell in self.cells:
            place = self.directory / "peers" / cell.label
            place.mkdir(parents=True, exist_ok=True)
            for name, text in uv_dockerfile.files_of_versions(cell.base, cell.packages, self.at.ca_bundle).items():
                (place / name).write_text(text)

    def empty(self, _: int) -> None:
        """An engine that has the bare bases and uv's image, and no cache anywhere."""
        self.at.empty(STORE)
        for python in sorted({cell.python for cell in self.cells} or _pythons()):
            self.at.bring(STORE, f"imagekit/python:{python}")

    def build_ours(self) -> dict[str, float]:
        before = self._disk()
        command = self.at.imagekit.matrix("build", MATRIX, SELECT, JOBS)
        done = self.at.timed(command, self._env(self.cache))
        built = json.loads(done.stdout)
        states = {cell["label"]: cell["state"] for cell in built["cells"]}
        if missing := [cell.label for cell in self.cells if states.get(cell.label) != "built"]:
            raise Failed(f"not built: {', '.join(missing)}")
        after = self._disk()
        again = self.at.timed(command, self._env(self.cache))
        kept = {cell["label"]: cell["state"] for cell in json.loads(again.stdout)["cells"]}
        if changed := [cell.label for cell in self.cells if kept[cell.label] != "unchanged"]:
            raise Failed(f"built a second time: {', '.join(changed)}")
        return {
            **_beyond(before, after),
            "build": done.seconds,
            "again": again.seconds,
            "cache": float(_used(self.cache)),
        }

    def build_peer(self) -> dict[str, float]:
        before = self._disk()
        os.sync()
        seconds = self._build_peers()
        after = self._disk()
        return {**_beyond(before, after), "build": seconds, "again": self._build_peers(), "cache": 0.0}

    def check(self, _: int) -> None:
        """Each cell's two images hold the same files, and work."""
        for cell in self.cells:
            checks.same_content(self.at, STORE, CellSet(cell), (cell.image, cell.peer))

    def _build_peers(self) -> float:
        import time

        def build(cell: Cell) -> None:
            words = uv_dockerfile.build(self.directory / "peers" / cell.label, cell.peer, self.at.ca_bundle)
            self.at.run(words, self.at.engine(STORE).env)

        began = time.perf_counter()
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(build, self.cells))
        return time.perf_counter() - began

    def _disk(self) -> dict[str, float]:
        engine = self.at.engine(STORE)
        return {"images": float(engine.layer_bytes()), "all": float(_used(engine.data))}

    def _ours(self, command: list[str], cache: Path) -> Any:
        if STORE not in self.at.engines:
            self.empty(0)
        return json.loads(self.at.timed(command, self._env(cache)).stdout)

    def _env(self, cache: Path) -> dict[str, str]:
        return self.at.ours_env(STORE, cache)


def matrix_cases(at: Surroundings) -> Iterator[Case]:
    """One case, of ``make bench-full`` alone: it builds some ten gigabytes."""
    matrix = Matrix(at)
    yield Case(
        name="matrix",
        title="every standard cell of the provided matrix, two at once",
        rows=[
            _row("matrix/build", "the whole matrix, everything empty", "build", must=0.6, aim=0.4),
            _row("matrix/disk", "its images in the engine, beyond the bases", "images", unit="B", must=0.65),
            _row("matrix/disk-all", "the engine's data and both caches, beyond the bases", "all", "cache", unit="B"),
            Row(name="matrix/again", title="the same once more", ours=("again",), peer=None, must=60.0, aim=20.0),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: matrix.build_ours()),
            Side(name=PEER, measure=lambda _: matrix.build_peer()),
        ],
        rounds=Rounds(quick=0, full=1),
        prepare=matrix.prepare,
        change=matrix.empty,
        check=matrix.check,
    )


def _row(name: str, title: str, *measures: str, **more: Any) -> Row:
    return Row(name=name, title=title, ours=measures, theirs=measures, **more)


def _pythons() -> tuple[str, ...]:
    from imagekit.matrix.reading import read_matrix

    return read_matrix(MATRIX).python


def _beyond(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def _used(directory: Path) -> int:
    """Bytes of the disk that the files below ``directory`` take; one with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                found = os.lstat(os.path.join(path, name))
            except FileNotFoundError:
                continue
            seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())
