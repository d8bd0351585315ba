"""Cells of a matrix of base images, beside Dockerfiles for the same cells, two built at once on either side.

Both begin with nothing but the bare bases, and what one cell fetched or made serves the next: here the layer cache,
there uv's cache in a mount that all share. imagekit resolves what each cell asks for; the peer is told the versions
that this came to, so that both hold the same. Each new image is then seen to work, by the cell's check in a container
of it, on either side.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import checks, uv_dockerfile
from benchmarks.case import Failed
from benchmarks.disk import beyond, used
from benchmarks.engines import Store
from benchmarks.process import Finished
from benchmarks.resident import Resident
from benchmarks.sets import PackageSet, Pin
from benchmarks.surroundings import Surroundings, base_of

JOBS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell that can be had: its label, its image of ours, and what it came to."""

    label: str
    python: str
    category: str
    image: str
    packages: tuple[str, ...]  # name==version
    check: str  # a program that must end well in the image

    @property
    def base(self) -> str:
        return base_of(self.python)

    @property
    def peer(self) -> str:
        return f"imagekit-bench/matrix:{self.label}"


class CellSet(PackageSet):
    """What the checks of a pair of images ask of a set of packages, for one cell that is to import ``imports``."""

    def __init__(self, cell: Cell, imports: Sequence[str]) -> None:
        super().__init__(cell.label)
        object.__setattr__(self, "pins", dict[str, Pin]())
        object.__setattr__(self, "settings", {"scripts": [], "imports": imports})


class Matrix:
    """The cells that ``select`` names of the matrix in ``file``, on an engine of the benchmarks' own, and directories
    with the peers' Dockerfiles. ``imports`` are by category; ``name`` is the directory's."""

    def __init__(
        self,
        at: Surroundings,
        file: Path,
        select: Sequence[str],
        imports: Mapping[str, Sequence[str]],
        name: str,
        store: Store = "classic",
    ) -> None:
        self.at = at
        self.store = store
        self.file = file
        self.select = select
        self.imports = imports
        self.directory = at.work / name
        self.cache = self.directory / "cache"
        self.cells: tuple[Cell, ...] = ()

    @property
    def pythons(self) -> tuple[str, ...]:
        from imagekit.matrix.reading import read_matrix

        return read_matrix(self.file).python

    def prepare(self) -> None:
        """Which cells can be had is asked with a cache that no measured build sees."""
        from imagekit.matrix.base_image_matrix import BaseImageMatrix
        from imagekit.matrix.cells import program

        command = self.at.imagekit.matrix("plan", self.file, self.select, JOBS)
        planned = json.loads(self.at.timed(command, self._env(self.directory / "asked")).stdout)
        declared = BaseImageMatrix.load(self.file)
        checks_of = {cell.label: program(declared.table, cell) for cell in declared.cells()}
        ready = [cell for cell in planned["cells"] if cell["state"] == "ready" and cell["tags"]]
        self.cells = tuple(
            Cell(
                label=cell["label"],
                python=cell["python"],
                category=cell["category"],
                image=f"{planned['name']}:{cell['tags'][0]}",
                packages=tuple(cell["packages"]),
                check=checks_of[cell["label"]],
            )
            for cell in ready
        )
        for cell in self.cells:
            place = self._context(cell)
            place.mkdir(parents=True, exist_ok=True)
            for name, text in uv_dockerfile.files_of_versions(cell.base, cell.packages, self.at.ca_bundle).items():
                (place / name).write_text(text)

    def empty(self, _: int) -> None:
        """An engine that has the bare bases and uv's image, and no cache anywhere."""
        self.at.empty(self.store)
        shutil.rmtree(self.cache, ignore_errors=True)
        for python in sorted({cell.python for cell in self.cells} or self.pythons):
            self.at.bring_base(self.store, python)

    def build_ours(self) -> dict[str, float]:
        before = self._disk()
        done = self._build()
        built = json.loads(done.stdout)
        states = {cell["label"]: cell["state"] for cell in built["cells"]}
        if missing := [cell.label for cell in self.cells if states.get(cell.label) != "built"]:
            raise Failed(f"not built: {', '.join(missing)}")
        after = self._disk()
        again = self._build()
        kept = {cell["label"]: cell["state"] for cell in json.loads(again.stdout)["cells"]}
        if changed := [cell.label for cell in self.cells if kept[cell.label] != "unchanged"]:
            raise Failed(f"built a second time: {', '.join(changed)}")
        return {
            **_more(before, after, used(self.cache)),
            "build": done.seconds,
            "again": again.seconds,
            "memory": done.memory_bytes,
        }

    def build_peer(self) -> dict[str, float]:
        before = self._disk()
        os.sync()
        with Resident(self.at.engine(self.store).processes) as resident:
            seconds = self._build_peers(resident, is_new=True)
        after = self._disk()
        again = self._build_peers(None, is_new=False)
        return {**_more(before, after, 0), "build": seconds, "again": again, "memory": resident.together}

    def check(self, _: int) -> None:
        """Each cell's two images hold the same files, and work."""
        for cell in self.cells:
            packages = CellSet(cell, self.imports[cell.category])
            checks.same_content(self.at, self.store, packages, (cell.image, cell.peer))

    def _build(self) -> Finished:
        command = self.at.imagekit.matrix("build", self.file, self.select, JOBS)
        return self.at.timed(command, self._env(self.cache), beside=self.at.engine(self.store).processes)

    def _build_peers(self, resident: Resident | None, *, is_new: bool) -> float:
        env = self.at.engine(self.store).env

        def build(cell: Cell) -> None:
            words = uv_dockerfile.build(self._context(cell), cell.peer, self.at.ca_bundle)
            self.at.run(words, env, resident=resident)
            if is_new:
                run = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python", cell.peer]
                self.at.run([*run, "-c", cell.check], env, resident=resident)

        began = time.perf_counter()
        with ThreadPoolExecutor(JOBS) as pool:
            list(pool.map(build, self.cells))
        return time.perf_counter() - began

    def _context(self, cell: Cell) -> Path:
        return self.directory / "peers" / cell.label

    def _disk(self) -> dict[str, float]:
        engine = self.at.engine(self.store)
        return {"images": float(engine.layer_bytes()), "all": float(used(engine.data))}

    def _env(self, cache: Path) -> dict[str, str]:
        if self.store not in self.at.engines:
            self.empty(0)
        return self.at.ours_env(self.store, cache)


def _more(before: Mapping[str, float], after: Mapping[str, Any], cache: int) -> dict[str, float]:
    more = beyond(before, after)
    return {**more, "cache": cache, "disk": more["all"] + cache}
