"""Which wheels share a layer, and in which order the layers lie. Pure functions.

Three facts decide it:

* An image has a bounded number of layers, so beyond that number wheels share one.
* An engine chains layers: whatever lies above a changed one is unpacked again. So what
  is small lies on top and what is large below, and what people move (direct requirements)
  lies higher than its size alone would have it.
* A layer that changes is pushed and loaded whole. So a version that moves should change
  its own layer alone.

For the last, *membership* must not depend on what a new version changes. It depends on
the set of names, on which of them are direct, and, for names that share a layer, on
whether a wheel is heavy; so a moved version changes one layer, and two where it crosses
from heavy to light (``tests/plan`` holds that as a property).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from imagekit.errors import BaseUnusable
from imagekit.spec.image import SharedWheels

# The classic image store refuses 127 layers (its overlay mounts have 128 lower directories).
LAYER_LIMIT = 120
# Kept free for what comes above: runtime extras, a user's own steps.
RESERVED = 8
# With fewer layers than these, most of the wheels would move with every change.
LEAST = 8
# A direct requirement is moved by hand, and by its own releases as well: so many times as often. In the order of
# size by the chance of a move there is less to unpack in all than in any other (Smith, 1956).
DIRECT = 4
# A wheel of this many bytes is worth a layer that no light one shares.
HEAVY = 512 * 1024

# Well-known large distributions: a layer of their own first, where not every wheel can have one.
# Names only, because a rule that asks for sizes would move other packages when a size moves.
WELL_KNOWN_LARGE = frozenset(
    """awscli babel bokeh botocore catboost cmake cryptography cython dash datasets debugpy django duckdb faiss-cpu
    faker fonttools gensim geopandas google-cloud-aiplatform grpcio h5py ipython jax jaxlib jedi keras kubernetes
    lightgbm llvmlite lxml matplotlib mlflow mypy netcdf4 networkx nltk notebook numba numpy opencv-python
    opencv-python-headless openai pandas pillow playwright plotly polars prefect psycopg2-binary pyarrow pydantic-core
    pygments pymupdf pyodbc pyproj pyspark pyqt5 pyqt6 pyside6 rasterio ray ruff scikit-image scikit-learn scipy
    selenium sentencepiece shapely snowflake-connector-python spacy sqlalchemy statsmodels streamlit sympy tensorflow
    tokenizers torch torchaudio torchvision transformers triton uv xgboost""".split()
)


class Packaged(Protocol):
    """What layering needs to know of a wheel."""

    @property
    def name(self) -> str: ...
    @property
    def direct(self) -> bool: ...
    @property
    def size(self) -> int: ...


W = TypeVar("W", bound=Packaged)


@dataclass(frozen=True, slots=True)
class _Place:
    zone: str  # own, heavy, light
    index: int


def wheel_budget(base_layers: int, other_layers: int) -> int:
    """How many layers wheels may have above ``base_layers``, beside ``other_layers`` of ours.

    ``BaseUnusable`` where the base leaves too few of them.
    """
    free = LAYER_LIMIT - base_layers - other_layers
    if free < LEAST:
        raise BaseUnusable(
            f"the base image has {base_layers} layers, and an image may have {LAYER_LIMIT} in all",
            hint="choose a base with fewer layers: imagekit base build makes one of a single layer",
        )
    return max(LEAST, free - RESERVED)


def arrange(wheels: Sequence[W], budget: int, beneath: Sequence[SharedWheels] = ()) -> tuple[tuple[W, ...], ...]:
    """``wheels`` in at most ``budget`` layers, the lowest first; each layer in name order.

    What is ``beneath`` comes first, one after the other, in layers that every image makes alike that has the same
    there: an engine keeps a layer once for all whose lower ones are the same, too. What one of them has as a direct
    requirement another has not, so there that counts for nothing.
    """
    left = {wheel.name: wheel for wheel in wheels}
    layers: list[tuple[W, ...]] = []
    for shared in beneath:
        those = [left.pop(name) for name in shared.names if name in left]
        # In proportion, and rounded down: the last ones have at least theirs.
        most = budget if shared.of <= budget else max(1, budget * len(shared.names) // shared.of)
        layers += _arranged(those, most, frozenset())
    rest = list(left.values())
    return (*layers, *_arranged(rest, max(1, budget - len(layers)), _direct(rest)))


def _arranged(wheels: Sequence[W], budget: int, direct: frozenset[str]) -> tuple[tuple[W, ...], ...]:
    places = _places(wheels, budget, direct)
    groups: dict[_Place, list[W]] = {}
    for wheel in sorted(wheels, key=lambda w: w.name):
        groups.setdefault(places[wheel.name], []).append(wheel)
    return tuple(tuple(group) for group in sorted(groups.values(), key=lambda group: _height(group, direct)))


def zones(wheels: Sequence[Packaged], budget: int) -> dict[str, str]:
    """By name, whether a wheel has a layer of its ``own``, or shares one with other ``heavy`` or ``light`` ones."""
    return {name: place.zone for name, place in _places(wheels, budget, _direct(wheels)).items()}


def _direct(wheels: Sequence[Packaged]) -> frozenset[str]:
    return frozenset(wheel.name for wheel in wheels if wheel.direct)


def _places(wheels: Sequence[Packaged], budget: int, direct: frozenset[str]) -> dict[str, _Place]:
    ranked = sorted(wheels, key=lambda w: (w.name not in direct, w.name not in WELL_KNOWN_LARGE, _hash(w.name)))
    if len(ranked) <= budget:
        return {wheel.name: _Place("own", index) for index, wheel in enumerate(ranked)}
    # A share of the layers is for groups: enough that a group stays small, few enough that
    # most packages keep a layer of their own.
    shared = min(budget, max(4, min(budget // 2, (len(ranked) - budget) // 2)))
    heavy = max(1, shared // 3)
    # Of one layer there is nothing to divide.
    light = shared - heavy if shared > 1 else 0
    places = {wheel.name: _Place("own", index) for index, wheel in enumerate(ranked[: budget - shared])}
    for wheel in ranked[budget - shared :]:
        zone, count = ("heavy", heavy) if wheel.size >= HEAVY or not light else ("light", light)
        places[wheel.name] = _Place(zone, _bucket(_hash(wheel.name), count))
    return places


def _height(group: Sequence[Packaged], direct: frozenset[str]) -> tuple[float, bool, str]:
    # What is unpacked again whenever something below moves, for each wheel that can move what is above.
    is_direct = any(wheel.name in direct for wheel in group)
    size = sum(wheel.size for wheel in group) / len(group) / (DIRECT if is_direct else 1)
    return -size, is_direct, group[0].name


def _bucket(key: int, count: int) -> int:
    """One of ``count`` groups; one group more moves only what goes into it (Lamping and Veach, 2014)."""
    group, jump = -1, 0
    while jump < count:
        group = jump
        key = (key * 2862933555777941757 + 1) % (1 << 64)
        jump = int((group + 1) * (1 << 31) / ((key >> 33) + 1))
    return group


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
