"""The two sides of a pair, and rows of its set, as most cases want them."""

from __future__ import annotations

from typing import Any

from benchmarks.case import OURS, PEER, Row, Side
from benchmarks.pair import Pair
from benchmarks.process import Finished


def sides(pair: Pair) -> list[Side]:
    """The build of each, as most cases want it."""
    return [
        Side(name=OURS, measure=lambda _: built(pair.build_ours())),
        Side(name=PEER, measure=lambda _: built(pair.build_peer())),
    ]


def built(done: Finished) -> dict[str, float]:
    return {"build": done.seconds, "peak": done.peak_bytes, "cpu": done.cpu_seconds}


def row(pair: Pair, name: str, title: str, measure: str = "build", **more: Any) -> Row:
    fields: dict[str, Any] = {"ours": (measure,), "theirs": (measure,), **more}
    return Row(name=f"{pair.packages.name}/{name}", title=title, **fields)
