"""Plans of small wheels, and their layers made without bytecode."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.layers.values import Layer
from imagekit.oci.digest import digest_of_json
from imagekit.plan.prefix import Prefix
from imagekit.plan.user import choose_user
from imagekit.plan.values import Plan, PlannedWheel, WheelsLayer
from imagekit.progress import SilentReporter

from .bases import base
from .wheels import write_wheel


def planned(path: Path) -> PlannedWheel:
    """The wheel at ``path`` as a plan has it."""
    name, version, *_ = path.name.split("-")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return PlannedWheel(
        name=name,
        version=version,
        filename=path.name,
        sha256=sha256,
        size=path.stat().st_size,
        direct=False,
        key=digest_of_json(["wheel", sha256]),
    )


def plan_of(*groups: Sequence[Path]) -> Plan:
    """A plan with a layer for each group of wheels, the lowest first."""
    layers = []
    for paths in groups:
        wheels = tuple(planned(path) for path in paths)
        key = wheels[0].key if len(wheels) == 1 else digest_of_json(["group", [wheel.key for wheel in wheels]])
        layers.append(WheelsLayer(kind="wheels", title="wheels", key=key, wheels=wheels))
    below = base()
    return Plan(
        base=below,
        prefix=Prefix.venv(below.python),
        user=choose_user(below),
        layers=tuple(layers),
        env={},
        labels={},
        workdir="/app",
        created=None,
    )


class CompilesNothing:
    """An interpreter for which no source is a module."""

    def submit(self, sources: Sequence[tuple[str, bytes]]) -> Future[list[bytes | None]]:
        answer: Future[list[bytes | None]] = Future()
        answer.set_result([None] * len(sources))
        return answer


def make(plan: Plan, cache: LayerCache, paths: Sequence[Path]) -> list[Layer]:
    """The layers of ``plan``, those missing made of the wheels at ``paths``."""
    files = {path.name: path for path in paths}
    with LayerMaker(plan, cache) as maker:
        for wheel in maker.missing_wheels():
            maker.add_wheel(wheel, files[wheel.filename], CompilesNothing())
        return list(maker.in_order(None, SilentReporter()))


def small_wheels(directory: Path, count: int, *, size: int = 50_000) -> list[Path]:
    return [
        write_wheel(directory, {f"p{number}/data.bin": bytes([number]) * size}, name=f"p{number}")
        for number in range(count)
    ]
