"""The two sides of a pair, and rows of its set, as most cases want them."""

from __future__ import annotations

from typing import Any

from benchmarks.case import OURS, PEER, Row, Side
from benchmarks.pair import Pair
from benchmarks.process import Finished


def sides(pair: Pair) -> list[Side]:
    """The build of each, as most cases want it."""
    return [
        Side(name=OURS, measure=lambda _: build(pair, OURS)),
        Side(name=PEER, measure=lambda _: build(pair, PEER)),
    ]


def build(pair: Pair, side: str) -> dict[str, float]:
    """Build the image of ``side``: what that takes, and what it comes to."""
    if side == OURS:
        return {**built(pair.build_ours()), **pair.shape(pair.ours_image)}
    return {**built(pair.build_peer()), **pair.shape(pair.peer_image)}


def built(done: Finished) -> dict[str, float]:
    """Seconds; bytes of its largest process, of all with the engine's, and of the engine's; seconds of processors."""
    memory = {"memory": done.memory_bytes, "engine memory": done.engine_bytes}
    return {"build": done.seconds, "peak": done.peak_bytes, **memory, "cpu": done.cpu_seconds}


def row(pair: Pair, name: str, title: str, measure: str = "build", **more: Any) -> Row:
    fields: dict[str, Any] = {"ours": (measure,), "theirs": (measure,), **more}
    return Row(name=f"{pair.packages.name}/{name}", title=title, **fields)
