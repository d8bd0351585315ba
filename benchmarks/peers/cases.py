"""The cases of all peers: each measures imagekit and every peer in turn, on one engine.

What one side lacks or fails in is told in its rows alone; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks import checks
from benchmarks.case import OURS, Case, Measures, Rounds, Row, Side
from benchmarks.peers import content
from benchmarks.peers.bento import Bento
from benchmarks.peers.builder import STORE, Builder
from benchmarks.peers.dockerfiles import Imagekit, PipDockerfile, UvDockerfile, UvWithoutBytecode
from benchmarks.peers.flytekit_spec import FlytekitSpec
from benchmarks.peers.prefect_image import PrefectBuildx, PrefectDockerPy
from benchmarks.sets import PackageSet, Pin
from benchmarks.sides import built
from benchmarks.surroundings import Surroundings

DOCKERFILES: tuple[type[Builder], ...] = (UvDockerfile, UvWithoutBytecode, PipDockerfile)
PROGRAMS: tuple[type[Builder], ...] = (PrefectDockerPy, PrefectBuildx, FlytekitSpec, Bento)
PEERS = (*DOCKERFILES, *PROGRAMS)
# A set that takes long: by those peers alone that are about how packages get in.
_DOCKERFILES_ALONE = ("data",)
_REGISTRY = "peers"


def peer_cases(at: Surroundings, packages: PackageSet, peers: Sequence[type[Builder]] = ()) -> Iterator[Case]:
    """All cases of one set; ``peers`` instead of those that it is measured by."""
    few = packages.name in _DOCKERFILES_ALONE
    chosen = peers or (DOCKERFILES if few else PEERS)
    beside = _Beside(at, packages, [Imagekit(at, packages), *(peer(at, packages) for peer in chosen)])
    # An hour of the three that make bench-full may take is the most that there is for them.
    yield beside.cold(Rounds(quick=0, full=1 if few else 2))
    yield beside.unchanged(Rounds(quick=0, full=5))
    yield beside.moved(Rounds(quick=0, full=1 if few else 2))


class _Beside:
    """imagekit and its peers, all at the same pins and the same code."""

    def __init__(self, at: Surroundings, packages: PackageSet, builders: Sequence[Builder]) -> None:
        self.at, self.packages, self.builders = at, packages, builders
        self.moves: list[Pin] = []
        self.edition = 0
        self._ready: set[str] = set()
        self._on_engine: dict[str, object] = {}  # who has brought what it starts from to which engine

    def cold(self, rounds: Rounds) -> Case:
        """An engine that has the base alone, and nothing cached by anyone."""

        def change(_: int) -> None:
            self.moves = []
            self.at.empty(STORE)

        def measure(builder: Builder) -> dict[str, float]:
            builder.forget()
            done = builder.build()
            content.has_packages(builder, builder.pins)
            content.works(builder)
            total, layers = content.size(builder)
            return {**built(done), "size": total, "layers": layers, "packages": len(builder.pins)}

        memory = self._rows("memory", "memory of the build and the engine at most", "memory", unit="B")
        rows = [
            *self._rows("cold", "cold, everything empty", "build"),
            # An engine that has built before holds more: it is fair where the order is turned round.
            *(memory if rounds.full > 1 else ()),
            *self._rows("size", "image size", "size", unit="B"),
            *self._rows("layers", "layers of the image, the base's too", "layers", unit="n"),
            *self._rows("packages", "packages in the image: two peers put themselves into it", "packages", unit="n"),
        ]
        return self._case("cold", "build, with everything empty", rows, measure, rounds, change=change)

    def unchanged(self, rounds: Rounds) -> Case:
        """A build after an edit of the code, then one after nothing."""

        def change(_: int) -> None:
            self.moves = []
            self.edition += 1

        def measure(builder: Builder) -> dict[str, float]:
            edited = builder.build().seconds
            content.has_edition(builder, self.edition)
            again = builder.build().seconds
            content.has_edition(builder, self.edition)
            return {"edit": edited, "no-op": again}

        rows = [*self._rows("edit", "code edit", "edit"), *self._rows("no-op", "no-op", "no-op")]
        return self._case("unchanged", "code edit and no-op", rows, measure, rounds, change=change, warm_up=1)

    def moved(self, rounds: Rounds) -> Case:
        """One small package moves; then a push, and a pull, to where the image from before is."""
        moves = self.packages.moves("tail")
        moving = moves[0].package

        def change(number: int) -> None:
            # The round that does not count makes and pushes what the others move away from.
            self.moves = [moves[number]] if number >= 0 else []

        def measure(builder: Builder) -> dict[str, float]:
            done = builder.build()
            pins = {moving: builder.pins[moving], **{pin.package: pin for pin in self.moves}}
            content.has_packages(builder, pins)
            return {**built(done), **self._delivered(builder)}

        rows = [
            *self._rows("tail", f"move a small one ({moving}): the build", "build"),
            *self._rows("tail-push", f"move a small one ({moving}): build and push", "build", "push"),
            *self._rows("tail-bytes", "bytes pushed after the move", "bytes", unit="B"),
            *self._rows("tail-pull", "pull after the move, by an engine that has the image before it", "pull"),
        ]
        some = Rounds(quick=rounds.quick, full=min(rounds.full, len(moves)))
        return self._case("tail", f"move {moving}, and push", rows, measure, some, change=change, warm_up=1)

    def _case(
        self,
        name: str,
        title: str,
        rows: Sequence[Row],
        measure: Callable[[Builder], Measures],
        rounds: Rounds,
        **more: Any,
    ) -> Case:
        def side(builder: Builder) -> Side:
            def measured(_: int) -> Measures:
                self._prepare(builder)
                return measure(builder)

            return Side(name=builder.name, measure=measured)

        return Case(
            name=f"{self.packages.name}-peers-{name}",
            title=f"all peers: {title}",
            rows=rows,
            sides=[side(builder) for builder in self.builders],
            rounds=rounds,
            check=lambda _: self.at.tidy(STORE),
            **more,
        )

    def _rows(self, name: str, title: str, *measures: str, **more: Any) -> list[Row]:
        return [
            Row(
                name=f"{self.packages.name}/peers-{name}-{builder.slug}",
                title=title,
                ours=measures,
                theirs=measures,
                peer=builder.name,
                **more,
            )
            for builder in self.builders
            if builder.name != OURS
        ]

    def _prepare(self, builder: Builder) -> None:
        """All that its build needs is here, and its project is as it is to be now."""
        if builder.slug not in self._ready:
            builder.ready()
            self._ready.add(builder.slug)
        engine = self.at.engine(STORE)
        if self._on_engine.get(builder.slug) is not engine:
            builder.seed()
            self._on_engine[builder.slug] = engine
        builder.write(self.moves, self.edition)

    def _delivered(self, builder: Builder) -> dict[str, float]:
        to = self.at.registry(_REGISTRY)
        repository = f"bench/{self.packages.name}-{builder.slug}"
        name = f"{to.name}/{repository}:1"
        self.at.docker(STORE, "tag", builder.image, name)
        before = to.blobs()
        done = builder.push(name)
        checks.whole_layers(to, repository, "1")
        new = sum(size for digest, size in to.blobs().items() if digest not in before)
        self.at.docker(STORE, "image", "rm", name)
        pulled = self.at.timed(["docker", "pull", "--quiet", name], self.at.engine("second").env)
        return {"push": done.seconds, "bytes": new, "pull": pulled.seconds}
