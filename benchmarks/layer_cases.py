"""The cases of the layers: what one changed dependency costs, beside the best Dockerfile there is for it.

Every case that moves a package moves it to a release that neither side has seen: the wheel is fetched, and its
layer made, in the measured time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks import checks
from benchmarks.case import OURS, PEER, Case, Rounds, Side
from benchmarks.change_cases import add, change_python, delivered, large
from benchmarks.pair import Pair
from benchmarks.pushing import deliver, hand_over
from benchmarks.registry_cases import first_push, tail
from benchmarks.sets import PackageSet
from benchmarks.sides import build, row, sides
from benchmarks.surroundings import Surroundings

# How often each case of a set is measured: the first set has all that there is, a further one what is quick unless
# everything is wanted, a ``heavy`` one (``set.toml``) little, since each build moves gigabytes.
ROUNDS = {
    "main": {
        "cold": Rounds(quick=1, full=2),
        "image": Rounds(quick=2, full=5),
        "first-push": Rounds(quick=1, full=1),
        "unchanged": Rounds(quick=5, full=11),
        "tail": Rounds(quick=3, full=4),
        "large": Rounds(quick=1, full=1),
        "add": Rounds(quick=0, full=1),
        "drawn": Rounds(quick=1, full=1),
        "other-project": Rounds(quick=1, full=2),
        "python": Rounds(quick=0, full=1),
        "first-push-containerd": Rounds(quick=0, full=1),
        "tail-containerd": Rounds(quick=0, full=3),
    },
    "further": {
        "cold": Rounds(quick=1, full=3),
        "image": Rounds(quick=0, full=5),
        "first-push": Rounds(quick=0, full=2),
        "unchanged": Rounds(quick=5, full=11),
        "tail": Rounds(quick=3, full=4),
        "large": Rounds(quick=0, full=2),
        "add": Rounds(quick=0, full=3),
        "drawn": Rounds(quick=0, full=1),
        "other-project": Rounds(quick=0, full=3),
        "python": Rounds(quick=0, full=1),
        "first-push-containerd": Rounds(quick=0, full=0),
        "tail-containerd": Rounds(quick=0, full=0),
    },
    "heavy": {
        "cold": Rounds(quick=0, full=1),
        "image": Rounds(quick=0, full=2),
        "first-push": Rounds(quick=0, full=1),
        "unchanged": Rounds(quick=0, full=3),
        "tail": Rounds(quick=0, full=1),
        "large": Rounds(quick=0, full=1),
        "add": Rounds(quick=0, full=1),
        "drawn": Rounds(quick=0, full=0),
        "other-project": Rounds(quick=0, full=0),
        "python": Rounds(quick=0, full=1),
        "first-push-containerd": Rounds(quick=0, full=0),
        "tail-containerd": Rounds(quick=0, full=0),
    },
}


def layer_cases(at: Surroundings, packages: PackageSet, *, main: bool) -> Iterator[Case]:
    """All cases of one set, in an order in which each leaves to the next what it needs."""
    classic, containerd = Pair(at, packages, "classic"), Pair(at, packages, "containerd")
    rounds = ROUNDS["heavy" if packages.is_heavy else "main" if main else "further"]
    yield cold(classic, rounds=rounds["cold"])
    yield image(classic, rounds=rounds["image"])
    yield first_push(classic, rounds=rounds["first-push"])
    yield unchanged(classic, rounds=rounds["unchanged"])
    yield tail(classic, rounds=rounds["tail"], every=3)
    yield add(classic, rounds=rounds["add"])
    yield large(classic, rounds=rounds["large"])
    yield drawn(classic, rounds=rounds["drawn"], every=5)
    yield other_project(classic, rounds=rounds["other-project"])
    yield change_python(classic, rounds=rounds["python"])
    yield first_push(containerd, rounds=rounds["first-push-containerd"])
    yield tail(containerd, rounds=rounds["tail-containerd"], every=2)


def cold(pair: Pair, *, rounds: Rounds) -> Case:
    """Nothing but the base image and uv's is there: no wheels, no layers, no images, no cache of BuildKit's."""

    def change(_: int) -> None:
        pair.at.begin_again(pair.store)
        pair.lost()
        shutil.rmtree(pair.cache, ignore_errors=True)

    def check(_: int) -> None:
        pair.built()
        pair.check_content()

    return Case(
        name=f"{pair.packages.name}-cold",
        title="build, with everything empty",
        rows=[
            row(pair, "cold", "cold, everything empty", must=0.85, aim=0.6),
            row(pair, "cold-memory", "cold, everything empty: memory at most", "memory", unit="B"),
        ],
        sides=sides(pair),
        rounds=rounds,
        change=change,
        check=check,
    )


def image(pair: Pair, *, rounds: Rounds) -> Case:
    """The size and layers of both images, and how long it takes until all is imported in a new container."""
    program = checks.import_program(pair.packages).replace("\n", "; ").rstrip("; ")

    def measure(name: str) -> dict[str, float]:
        command = ["docker", "run", "--rm", "--network", "none", name, "python", "-c", program]
        seconds = pair.at.timed(command, pair.at.engine(pair.store).env).seconds
        return {"import": seconds, **pair.shape(name)}

    return Case(
        name=f"{pair.packages.name}-image",
        title="size, and imports at cold start",
        rows=[
            row(pair, "size", "image size", "size", unit="B", must=1.0),
            row(pair, "layers", "layers of the image, with the base's", "layers", unit="n"),
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
    """A build after an edit of the code, then one after nothing; the edited image goes where the one before it is."""

    def measure(side: str) -> dict[str, float]:
        edited = build(pair, side)
        return {"edit": edited["build"], "no-op": build(pair, side)["build"], **deliver(pair, side)}

    def prepare() -> None:
        pair.ensure()
        hand_over(pair)

    return Case(
        name=f"{pair.packages.name}-unchanged",
        title="code edit and no-op",
        rows=[
            row(pair, "edit", "code edit", "edit", must=1.5, aim=1.0),
            row(pair, "no-op", "no-op", "no-op", must=1.5, aim=1.0),
            *delivered(pair, "edit", "code edit"),
        ],
        sides=[
            Side(name=OURS, measure=lambda _: measure(OURS)),
            Side(name=PEER, measure=lambda _: measure(PEER)),
        ],
        rounds=rounds,
        prepare=prepare,
        change=lambda _: pair.edit(),
        check=lambda _: pair.check_edition(),
        warm_up=1,
    )


def drawn(pair: Pair, *, rounds: Rounds, every: int) -> Case:
    """Packages drawn by a fixed seed move to their previous release, one on top of the other; all of them, or none."""
    moves = pair.packages.moves("drawn")
    count = len(moves)
    ours_side, peer_side = sides(pair)

    def change(number: int) -> None:
        if number and number % every == 0:
            # In nobody's time: the next move is one package's for the peer, too.
            pair.build_peer()
        pair.move(moves[number])

    def check(number: int) -> None:
        pair.check_version(moves[number], pair.ours_image)
        if number % every == 0:
            pair.check_version(moves[number], pair.peer_image)
            pair.tidy()
        if number == count - 1:
            checks.works(pair.at, pair.store, pair.packages, pair.ours_image)

    return Case(
        name=f"{pair.packages.name}-drawn",
        title=f"move each of {count} packages drawn by a fixed seed",
        rows=[
            row(pair, "drawn", f"move each of {count} drawn packages: median", must=1 / 10, aim=1 / 20, quantile=0.5),
            row(pair, "drawn-p90", f"move each of {count} drawn packages: p90", must=1 / 3, aim=1 / 6, quantile=0.9),
        ],
        sides=[ours_side, Side(name=PEER, measure=peer_side.measure, every=every)],
        rounds=Rounds(quick=count if rounds.quick else 0, full=count if rounds.full else 0),
        prepare=pair.restore,
        change=change,
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
        pair.tidy()

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
