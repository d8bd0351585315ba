"""What a run will take is told by what runs before it took."""

from __future__ import annotations

from typing import Any

from benchmarks.case import Case, Rounds
from benchmarks.listing import listing, seconds_of_rounds


def case(name: str, quick: int, full: int) -> Case:
    return Case(name=name, title=f"title of {name}", rows=[], sides=[], rounds=Rounds(quick=quick, full=full))


def document(started: str, **cases: dict[str, Any]) -> dict[str, Any]:
    return {"started": started, "cases": [{"name": name, **found} for name, found in cases.items()]}


def rounds(count: int) -> dict[str, list[dict[str, float]]]:
    return {"ours": [{"round": n} for n in range(count)], "theirs": [{"round": 0}]}


def test_seconds_are_of_a_round_and_of_the_last_run() -> None:
    old = document("2026-11-20", a={"seconds": 900.0, "samples": rounds(3)})
    new = document(
        "2026-11-21",
        a={"seconds": 120.0, "samples": rounds(2)},
        # Two rounds through four points.
        b={"seconds": 100.0, "samples": rounds(8), "growth": [{"points": [[n, n] for n in range(4)]}]},
        failed={"seconds": 5.0, "samples": {"ours": []}},
        old={"samples": rounds(1)},
    )
    assert seconds_of_rounds([new, old]) == {"a": 60.0, "b": 50.0}


def test_the_list_says_what_it_does_not_know() -> None:
    lines = listing([case("a", 2, 4), case("long-name", 0, 3)], {"a": 60.0}).splitlines()
    assert [line.split() for line in lines] == [
        ["bench", "min", "full", "min"],
        ["a", "2", "2.0", "4", "4.0", "title", "of", "a"],
        ["long-name", "-", "3", "?", "title", "of", "long-name"],
        "make bench: 2 minutes".split(),
        "make bench-full: 4 minutes and 1 cases that were not measured yet".split(),
    ]
