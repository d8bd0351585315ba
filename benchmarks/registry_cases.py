"""Cases in which an image goes to a registry: the first time, and after one package has moved."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from benchmarks import checks
from benchmarks.case import OURS, PEER, Case, Failed, Rounds, Side
from benchmarks.pair import Pair
from benchmarks.pushing import (
    DIRECT,
    build_directly,
    deliver,
    hand_over,
    pull,
    push,
    push_again,
    put_base,
    registry_of,
)
from benchmarks.sides import build, row

NO_ENGINE = "imagekit, no engine"


def first_push(pair: Pair, *, rounds: Rounds) -> Case:
    """The whole image with its base to a registry that has nothing: a registry for each side and round.

    From there it is pulled into an engine that has nothing, of the classic store.
    """
    pulls = pair.store == "classic"
    name = f"{pair.packages.name}-first-push-{pair.store}"

    def measure(side: str, number: int) -> dict[str, float]:
        registry = registry_of(pair, side) if number == 0 else f"first-{number}"
        found = push(pair, side, registry)
        if pulls:
            pair.at.empty("second")
            found.update(pull(pair, registry))
        if number:
            pair.at.close_registry(registry)
        return found

    title = f"first push of the whole image, {pair.store} store"
    rows = [
        row(pair, f"first-push-{pair.store}", f"{title}: time", "push", must=0.5, aim=0.35),
        row(pair, f"first-push-{pair.store}-bytes", f"{title}: bytes", "bytes", unit="B", must=1.0),
    ]
    if pulls:
        rows.append(row(pair, "first-pull", "first pull of the whole image into an empty engine", "pull"))
    return Case(
        name=name,
        title=title,
        rows=rows,
        sides=[
            Side(name=OURS, measure=lambda number: measure(OURS, number)),
            Side(name=PEER, measure=lambda number: measure(PEER, number)),
        ],
        rounds=rounds,
        prepare=pair.ensure,
    )


def tail(pair: Pair, *, rounds: Rounds, every: int) -> Case:
    """One small package moves; the image is built, and pushed to where the one before it is. From the classic store's
    it is then pulled, and a third side builds the same straight into a registry, with a cache of its own and no engine.

    The peer, which takes a minute and a half, is measured ``every`` so many rounds.
    """
    at, moves = pair.at, pair.packages.moves("tail")
    is_classic = pair.store == "classic"
    direct = f"{pair.name}-direct"
    before: dict[str, Any] = {}

    def prepare() -> None:
        pair.restore()
        hand_over(pair, pulls=is_classic)
        if is_classic:
            pair.cache_before_moves(DIRECT)
            put_base(pair, direct)
            with suppress(Failed):  # the side that needs it will say why
                build_directly(pair, direct)

    def change(number: int) -> None:
        before.update(pair.told())
        pair.move(moves[number])

    def build_ours(number: int) -> dict[str, float]:
        found = build(pair, OURS)
        if not is_classic:
            return {**found, **push_again(pair, OURS)}
        own = checks.own_layer_bytes(at, pair.store, pair.ours_image, moves[number].package)
        return {**found, **deliver(pair, OURS), "own layer": own}

    def build_peer(_: int) -> dict[str, float]:
        return {**build(pair, PEER), **(deliver if is_classic else push_again)(pair, PEER)}

    def check(number: int) -> None:
        pair.check_version(moves[number], pair.ours_image)
        if number % every == 0:
            pair.check_version(moves[number], pair.peer_image)
        pair.tidy()

    def directly(number: int) -> dict[str, float]:
        return build_directly(pair, direct, moves[number])

    title = f"one small dependency moves, {pair.store} store"
    rows = [row(pair, f"tail-{pair.store}", title, must=1 / 12, aim=1 / 25)]
    sides = [Side(name=OURS, measure=build_ours), Side(name=PEER, measure=build_peer, every=every)]
    after = f"push after one small dependency moved, {pair.store} store"
    if not is_classic:
        rows.append(row(pair, "tail-push-containerd", f"{after}: time", "push"))
    else:
        own: dict[str, Any] = {"peer": OURS, "theirs": ("own layer",), "unit": "B"}
        straight: dict[str, Any] = {"side": NO_ENGINE, "theirs": ("build", "push"), "must": 1 / 20, "aim": 1 / 60}
        rows += [
            row(pair, "tail-push", f"{after}: time", "push", must=1 / 40, aim=1 / 150),
            row(pair, "tail-push-bytes", f"{after}: layers, by the wheel's own", "layer bytes", **own, must=1.2),
            row(pair, "tail-push-all", f"{after}: with configuration and manifest, by the same", "bytes", **own),
            row(pair, "tail-pull", "pull after one small dependency moved", "pull"),
            row(pair, "tail-direct", "one small dependency moves, straight to a registry, by build + push", **straight),
        ]
        sides.append(Side(name=NO_ENGINE, measure=directly))
    return Case(
        name=f"{pair.packages.name}-tail-{pair.store}",
        title=title,
        rows=rows,
        sides=sides,
        rounds=Rounds(quick=min(rounds.quick, len(moves)), full=min(rounds.full, len(moves))),
        prepare=prepare,
        change=change,
        check=check,
        images=lambda: {"before": before, "after": pair.told()},
    )
