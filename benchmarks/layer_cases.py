"""The cases of the layers: what one changed dependency costs, beside the best Dockerfile there is for it.

Every case that moves a package moves it to a release that neither side has seen: the wheel is fetched, and its
layer made, in the measured time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks import checks
from benchmarks.case import OURS, PEER, Case, Rounds, Side
from benchmarks.pair import Pair
from benchmarks.registry_cases import first_push, tail
from benchmarks.sets import PackageSet
from benchmarks.sides import row, sides
from benchmarks.surroundings import Surroundings


def layer_cases(at: Surroundings, packages: PackageSet, *, main: bool) -> Iterator[Case]:
    """All cases of one set, in an order in which each leaves to the next what it needs.

    The ``main`` set has them all; a further one those that are quick, unless everything is wanted.
    """
    classic, containerd = Pair(at, packages, "classic"), Pair(at, packages, "containerd")
    yield cold(classic, rounds=Rounds(quick=1 + main, full=3))
    yield image(classic, rounds=Rounds(quick=3 if main else 0, full=7))
    yield unchanged(classic, rounds=Rounds(quick=7, full=15))
    yield first_push(classic, rounds=Rounds(quick=int(main), full=3))
    yield tail(classic, rounds=Rounds(quick=6, full=9), every=3)
    yield large(classic, rounds=Rounds(quick=2 if main else 0, full=4))
    yield drawn(classic, rounds=len(packages.moves("drawn")), every=5, quick=main)
    yield other_project(classic, rounds=Rounds(quick=2 if main else 0, full=4))
    yield first_push(containerd, rounds=Rounds(quick=int(main), full=3))
    yield tail(containerd, rounds=Rounds(quick=4 if main else 0, full=6), every=2)


def cold(pair: Pair, *, rounds: Rounds) -> Case:
    """Nothing but the base image and uv's is there: no wheels, no layers, no images, no cache of BuildKit's."""

    def change(_: int) -> None:
        pair.at.empty(pair.store)
        pair.lost()
        shutil.rmtree(pair.cache, ignore_errors=True)

    def check(_: int) -> None:
        pair.built()
        pair.check_content()

    return Case(
        name=f"{pair.packages.name}-cold",
        title="build, with everything empty",
        rows=[row(pair, "cold", "cold, everything empty", must=0.85, aim=0.6)],
        sides=sides(pair),
        rounds=rounds,
        change=change,
        check=check,
    )


def image(pair: Pair, *, rounds: Rounds) -> Case:
    """The size of both images, and how long it takes until all is imported in a new container."""
    program = checks.import_program(pair.packages).replace("\n", "; ").rstrip("; ")

    def measure(name: str) -> dict[str, float]:
        command = ["docker", "run", "--rm", "--network", "none", name, "python", "-c", program]
        seconds = pair.at.timed(command, pair.at.engine(pair.store).env).seconds
        size = pair.at.docker(pair.store, "image", "inspect", "--format", "{{.Size}}", name)
        return {"import": seconds, "size": float(size)}

    return Case(
        name=f"{pair.packages.name}-image",
        title="size, and imports at cold start",
        rows=[
            row(pair, "size", "image size", "size", unit="B", must=1.0),
            row(pair, "import", "import of everything at cold start", "import", must=1.0, aim=0.8),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: measure(pair.ours_image)),
            Side(name=PEER, measure=lambda _: measure(pair.peer_image)),
        ],
        rounds=rounds,
        prepare=pair.ensure,
        check=lambda _: pair.check_content(),
        warm_up=1,
    )


def unchanged(pair: Pair, *, rounds: Rounds) -> Case:
    """A build after an edit of the code, then one after nothing."""

    def twice(measured: Side) -> Side:
        def measure(number: int) -> dict[str, float]:
            edited = measured.measure(number)["build"]
            return {"edit": edited, "no-op": measured.measure(number)["build"]}

        return Side(name=measured.name, measure=measure)

    return Case(
        name=f"{pair.packages.name}-unchanged",
        title="code edit and no-op",
        rows=[
            row(pair, "edit", "code edit", "edit", must=1.5, aim=1.0),
            row(pair, "no-op", "no-op", "no-op", must=1.5, aim=1.0),
        ],
        sides=[twice(side) for side in sides(pair)],
        rounds=rounds,
        prepare=pair.ensure,
        change=lambda _: pair.edit(),
        check=lambda _: pair.check_edition(),
        warm_up=1,
    )


def large(pair: Pair, *, rounds: Rounds) -> Case:
    """The lowest large package moves."""
    moves = pair.packages.moves("large")

    def check(number: int) -> None:
        pair.check_version(moves[number])
        pair.at.tidy(pair.store)

    return Case(
        name=f"{pair.packages.name}-large",
        title=f"move {moves[0].package}",
        rows=[row(pair, "large", f"move the lowest large one ({moves[0].package})", must=0.7, aim=0.4)],
        sides=sides(pair),
        rounds=Rounds(quick=min(rounds.quick, len(moves)), full=min(rounds.full, len(moves))),
        prepare=pair.restore,
        change=lambda number: pair.move(moves[number]),
        check=check,
    )


def drawn(pair: Pair, *, rounds: int, every: int, quick: bool) -> Case:
    """Packages drawn by a fixed seed move to their previous release, one on top of the other."""
    moves = pair.packages.moves("drawn")
    ours_side, peer_side = sides(pair)

    def check(number: int) -> None:
        pair.check_version(moves[number], pair.ours_image)
        if number % every == 0:
            pair.check_version(moves[number], pair.peer_image)
            pair.at.tidy(pair.store)
        if number == rounds - 1:
            checks.works(pair.at, pair.store, pair.packages, pair.ours_image)

    return Case(
        name=f"{pair.packages.name}-drawn",
        title=f"move each of {rounds} packages drawn by a fixed seed",
        rows=[
            row(pair, "drawn", f"move each of {rounds} drawn packages: median", must=1 / 10, aim=1 / 20, quantile=0.5),
            row(pair, "drawn-p90", f"move each of {rounds} drawn packages: p90", must=1 / 3, aim=1 / 6, quantile=0.9),
        ],
        sides=[ours_side, Side(name=PEER, measure=peer_side.measure, every=every)],
        rounds=Rounds(quick=rounds if quick else 0, full=rounds),
        prepare=pair.restore,
        change=lambda number: pair.move(moves[number]),
        check=check,
    )


def other_project(pair: Pair, *, rounds: Rounds) -> Case:
    """Another image of the same wheels, all in both sides' caches, on an engine that holds neither image."""
    packages = pair.packages
    other = Pair(pair.at, packages, pair.store, f"{packages.name}-other")
    other.direct, other.pins = packages.without_leaf()

    def prepare() -> None:
        pair.ensure()
        other.take_pristine()

    def change(number: int) -> None:
        pair.at.remove_images(pair.store)
        pair.lost()
        # BuildKit knows a step by its inputs' content; a lock with other words in it is another one.
        other.note = f"round {number}"
        other.write()

    def check(number: int) -> None:
        for name in other.images if number == 0 else ():
            checks.works(pair.at, pair.store, packages, name, without=packages.settings["leaf"])
        pair.at.tidy(pair.store)

    return Case(
        name=f"{packages.name}-other-project",
        title="another project with the same wheels",
        rows=[row(pair, "other-project", "cold project, warm layer cache", must=0.4, aim=0.25)],
        sides=sides(other),
        rounds=rounds,
        prepare=prepare,
        change=change,
        check=check,
    )
