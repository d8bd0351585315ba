"""One thing of a project changes: a large package moves, a package is added, the Python is another.

What comes of it is pushed to where the image before it is, and pulled by an engine that has that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import checks
from benchmarks.case import OURS, PEER, Case, Failed, Rounds, Row, Side
from benchmarks.pair import Pair
from benchmarks.pushing import deliver, hand_over
from benchmarks.sides import build, row
from benchmarks.surroundings import base_of

OTHER_PYTHON = "3.13"


def large(pair: Pair, *, rounds: Rounds) -> Case:
    """The lowest large package moves."""
    moves = pair.packages.moves("large")

    def check(number: int) -> None:
        pair.check_version(moves[number])

    return _case(
        pair,
        "large",
        f"move the lowest large one ({moves[0].package})",
        Rounds(quick=min(rounds.quick, len(moves)), full=min(rounds.full, len(moves))),
        prepare=pair.restore,
        change=lambda number: pair.move(moves[number]),
        check=check,
        must=0.7,
        aim=0.4,
    )


def add(pair: Pair, *, rounds: Rounds) -> Case:
    """Small packages that neither side has seen are added, one on top of the other."""
    added = pair.packages.moves("add")

    def check(number: int) -> None:
        pair.check_version(added[number])

    return _case(
        pair,
        "add",
        "add a small package",
        Rounds(quick=min(rounds.quick, len(added)), full=min(rounds.full, len(added))),
        prepare=pair.ensure,
        change=lambda number: pair.add(added[number]),
        check=check,
    )


def change_python(pair: Pair, *, rounds: Rounds) -> Case:
    """The same versions on another Python, of which neither side has seen a file; after it the engine is of no use."""
    at = pair.at
    packages = pair.packages.on(OTHER_PYTHON)

    def change(number: int) -> None:
        if number:
            pair.lost()
            at.empty(pair.store)
            pair.restore()
        at.bring_base(pair.store, OTHER_PYTHON)
        pair.change_python(base_of(OTHER_PYTHON), at.locks_of(OTHER_PYTHON), packages.pins)

    def check(_: int) -> None:
        for image in pair.images:
            if OTHER_PYTHON not in (found := checks.python(at, pair.store, image, "import sys; print(sys.version)")):
                raise Failed(f"{image} has Python {found}")
        checks.same_content(at, pair.store, packages, pair.images)

    return _case(
        pair,
        "python",
        f"change Python to {OTHER_PYTHON}",
        rounds,
        prepare=pair.restore,
        change=change,
        check=check,
    )


def delivered(pair: Pair, name: str, title: str) -> list[Row]:
    """Rows of what :func:`~benchmarks.pushing.deliver` measures, of a change called ``title``."""
    return [
        row(pair, f"{name}-push", f"{title}: push", "push"),
        row(pair, f"{name}-push-bytes", f"{title}: bytes pushed", "bytes", unit="B"),
        row(pair, f"{name}-pull", f"{title}: pull into an engine with the image before", "pull"),
    ]


def _case(
    pair: Pair,
    name: str,
    title: str,
    rounds: Rounds,
    *,
    prepare: Callable[[], object],
    change: Callable[[int], object],
    check: Callable[[int], object],
    **bounds: Any,
) -> Case:
    def ready() -> None:
        prepare()
        hand_over(pair)

    def checked(number: int) -> None:
        check(number)
        pair.tidy()

    return Case(
        name=f"{pair.packages.name}-{name}",
        title=title,
        rows=[
            row(pair, name, title, **bounds),
            row(pair, f"{name}-memory", f"{title}: memory at most", "memory", unit="B"),
            *delivered(pair, name, title),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: {**build(pair, OURS), **deliver(pair, OURS)}),
            Side(name=PEER, measure=lambda _: {**build(pair, PEER), **deliver(pair, PEER)}),
        ],
        rounds=rounds,
        prepare=ready,
        change=change,
        check=checked,
    )
