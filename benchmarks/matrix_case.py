"""A whole matrix of base images: the provided one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.case import OURS, PEER, Case, Rounds, Row, Side
from benchmarks.cells import Matrix
from benchmarks.engines import Store
from benchmarks.surroundings import Surroundings

MATRIX = Path(__file__).parent.parent / "base-images" / "prefect.toml"
STORES: tuple[Store, ...] = ("classic", "containerd")
# The conda flavor has no like among uv's Dockerfiles.
SELECT = ("*-core", "*[0-9]-full")
IMPORTS = {"core": ("prefect",), "full": ("prefect", "boto3", "google.cloud.storage", "kubernetes", "pandas")}


def matrix_cases(at: Surroundings) -> Iterator[Case]:
    """One case for each image store: each builds some ten gigabytes."""
    for store in STORES:
        yield _case(at, store)


def _case(at: Surroundings, store: Store) -> Case:
    name = "matrix" if store == "classic" else f"matrix-{store}"
    matrix = Matrix(at, MATRIX, SELECT, IMPORTS, name, store)
    # On the containerd store an engine counts what a layer is kept as, compressed and unpacked, as it likes.
    images = [_row(f"{name}/disk-images", "layers of its images, beyond the bases", "images", unit="B", must=0.65)]
    return Case(
        name=name,
        title=f"every standard cell of the provided matrix, two at once, {store} store",
        rows=[
            _row(f"{name}/build", "the whole matrix, built and checked, everything empty", "build", must=0.6, aim=0.4),
            _row(f"{name}/disk", "disk beyond the bases: the engine's data and caches", "disk", unit="B", must=0.65),
            *(images if store == "classic" else ()),
            Row(name=f"{name}/again", title="the same once more", ours=("again",), peer=None, must=60.0, aim=20.0),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: matrix.build_ours()),
            Side(name=PEER, measure=lambda _: matrix.build_peer()),
        ],
        # Fifteen minutes more for what the other store tells as well: ``--rounds 1`` measures it.
        rounds=Rounds(quick=0, full=1 if store == "classic" else 0),
        prepare=matrix.prepare,
        change=matrix.empty,
        check=matrix.check,
    )


def _row(name: str, title: str, measure: str, **more: Any) -> Row:
    return Row(name=name, title=title, ours=(measure,), theirs=(measure,), **more)
