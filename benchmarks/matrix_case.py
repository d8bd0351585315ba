"""A whole matrix of base images: the provided one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.case import OURS, PEER, Case, Rounds, Row, Side
from benchmarks.cells import Matrix
from benchmarks.surroundings import Surroundings

MATRIX = Path(__file__).parent.parent / "base-images" / "prefect.toml"
# The conda flavor has no like among uv's Dockerfiles.
SELECT = ("*-core", "*[0-9]-full")
IMPORTS = {"core": ("prefect",), "full": ("prefect", "boto3", "google.cloud.storage", "kubernetes", "pandas")}


def matrix_cases(at: Surroundings) -> Iterator[Case]:
    """One case, of ``make bench-full`` alone: it builds some ten gigabytes."""
    matrix = Matrix(at, MATRIX, SELECT, IMPORTS, "matrix")
    yield Case(
        name="matrix",
        title="every standard cell of the provided matrix, two at once",
        rows=[
            _row("matrix/build", "the whole matrix, everything empty", "build", must=0.6, aim=0.4),
            _row("matrix/disk", "its images in the engine, beyond the bases", "images", unit="B", must=0.65),
            _row("matrix/disk-all", "the engine's data and both caches, beyond the bases", "disk", unit="B"),
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


def _row(name: str, title: str, measure: str, **more: Any) -> Row:
    return Row(name=name, title=title, ours=(measure,), theirs=(measure,), **more)
