"""Base images with recipes put on them: what a specification names is found first; an engine makes the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.base_source import BaseSource, Compiling
from imagekit.errors import AssemblyFailed, BuildError, EngineError
from imagekit.oci.config import History, ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest
from imagekit.progress import Reporter
from imagekit.secrets.handed import Handed
from imagekit.sharing.once import SUFFIX, make_once
from imagekit.spec.base import AppliedRecipe, BaseImage
from imagekit.spec.image import ImageSpec

if TYPE_CHECKING:
    from imagekit.building.conda_bases import CondaBases
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.layers.values import Layer
    from imagekit.lock.access import IndexAccess
    from imagekit.recipes.distribution import Distribution
    from imagekit.recipes.fitted import Fitted
    from imagekit.spec.installed import Contents
    from imagekit.stages.beneath import Beneath


class RecipedBases:
    """The bases of ``plain``, with the recipes of each specification put on them in the engine.

    ``machine`` says how servers are reached from here.
    """

    def __init__(
        self,
        plain: CondaBases,
        connect: Callable[[], Engine],
        cache: Path,
        reporter: Reporter,
        *,
        machine: Callable[[], IndexAccess],
        handed: Handed,
    ) -> None:
        self._plain = plain
        self._connect = connect
        self._cache = cache
        self._reporter = reporter
        self._machine = machine
        self._handed = handed
        self._fresh = False
        self.taken: set[str] = set()  # names in the engine of what was made, or found to be made, here
        self._engine_bases: BaseSource | None = None

    def make_anew(self) -> None:
        """Whatever recipes made before is made again when it is asked for next."""
        self._fresh = True

    def find(self, spec: ImageSpec) -> BaseImage:
        base = self._plain.find(spec)
        return self._with_recipes(base, spec) if spec.recipes else base

    def foreseen(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec`` as far as versions of packages hang on it; nothing is put on any."""
        return self._plain.foreseen(spec)

    def contents(self, base: BaseImage) -> Contents:
        return self._of(base).contents(base)

    def compiler(self, base: BaseImage) -> Compiling:
        return self._of(base).compiler(base)

    def begin_compiler(self, base: BaseImage) -> None:
        self._of(base).begin_compiler(base)

    def forget_compiler(self) -> None:
        self._plain.forget_compiler()
        if self._engine_bases is not None:
            self._engine_bases.forget_compiler()

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        if base.origin is None:
            return self._plain.blobs(base)
        # What is named is pushed as its registry has it, and the recipes' layers above it.
        below = self._plain.blobs(base.origin)
        return (*below, *self._in_engine.blobs(base)[len(below) :])

    def in_engine(self, base: BaseImage) -> BaseImage:
        return self._of(base).in_engine(base)

    def ground(self, spec: ImageSpec) -> BaseImage:
        return self._plain.ground(spec)

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        return self._of(below).standing(below, key)

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        return self._of(below).stand(below, config, layers, key)

    def fall(self, below: BaseImage, key: Digest) -> None:
        self._of(below).fall(below, key)

    def for_builds(self, spec: ImageSpec, base: BaseImage) -> BaseImage:
        """``base`` as the engine has it, with what its recipes want where sources are built."""
        if not base.build_packages:
            return self.in_engine(base)
        from imagekit.recipes.making import FOR_BUILDS
        from imagekit.recipes.stage import build_stage

        _, distribution = self._fitted(base.named, spec)
        beneath = build_stage(base.build_packages, distribution)
        name, _ = self._put_on(self._connect(), self.in_engine(base), beneath, FOR_BUILDS)
        return replace(base, found_at=name)

    def beneath(self, spec: ImageSpec, base: BaseImage) -> Beneath | None:
        """The steps that make ``base`` of the image that is named; ``None`` where there are none."""
        return None if base.origin is None else self.steps(spec, base.origin)

    def steps(self, spec: ImageSpec, base: BaseImage) -> Beneath:
        """The steps that put the recipes of ``spec`` on ``base``; nothing is run."""
        from imagekit.recipes.stage import stage_of

        fitted, distribution = self._fitted(base, spec)
        return stage_of(fitted, base, distribution, self._keys(fitted))

    def _with_recipes(self, base: BaseImage, spec: ImageSpec) -> BaseImage:
        from imagekit.recipes.making import REPOSITORY
        from imagekit.recipes.stage import build_packages, stage_of

        fitted, distribution = self._fitted(base, spec)
        beneath = stage_of(fitted, base, distribution, self._keys(fitted))
        try:
            engine = self._connect()
        except EngineError as error:
            error.hint = (
                f"recipes are put on a base by an engine: {error.hint or 'start one'}; or build once where there is "
                "one, push that image, and name it as the base"
            )
            raise
        accepted = [f"{recipe.name}: by using it you accept {recipe.accepts}" for recipe in fitted if recipe.accepts]
        name, image = self._put_on(engine, self._plain.in_engine(base), beneath, REPOSITORY, said=accepted)
        return self._derived(engine, base, image, name, fitted, build_packages(fitted))

    def _put_on(
        self, engine: Engine, base: BaseImage, beneath: Beneath, repository: str, *, said: Sequence[str] = ()
    ) -> tuple[str, EngineImage]:
        from imagekit.recipes.making import handed_to_steps, name_of, put_on

        machine, name = self._machine(), name_of(base, beneath, repository)
        fresh = self._fresh and name not in self.taken
        known = None if fresh else engine.image(name)
        if known is None:
            if machine.offline and fresh:
                raise BuildError("offline, and recipes are to be made anew", hint="leave --no-cache out")
            if machine.offline:
                what = ", ".join(beneath.layers) or "its recipes"
                raise BuildError(
                    f"offline, and the engine does not have {base.reference} with {what}",
                    hint="build once with the network; the engine keeps it",
                )
            for line in said:
                self._reporter.line(line)
            handed = handed_to_steps(self._handed, machine)

            def make() -> EngineImage:
                return put_on(engine, base, beneath, name, handed=handed, reporter=self._reporter, fresh=fresh)

            if fresh:
                known = make()
            else:
                # By one process of those that want it: a matrix has many images on the same recipes.
                lock = self._cache / "derived" / f"{name.rpartition(':')[2]}{SUFFIX}"
                lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                known = make_once(lock, lambda: engine.image(name), make)
        self.taken.add(name)
        return name, known

    def _derived(
        self,
        engine: Engine,
        base: BaseImage,
        image: EngineImage,
        name: str,
        fitted: Sequence[Fitted],
        build_packages: tuple[str, ...],
    ) -> BaseImage:
        from imagekit.stages.probe import read_base

        found = read_base(engine, base.reference, image.id, self._cache, self._reporter)
        below = len(base.config.diff_ids)
        layers = [recipe.name for recipe in fitted if recipe.makes_layer]
        own = dict(zip(layers, found.config.diff_ids[below:], strict=False))
        if found.config.diff_ids[:below] != base.config.diff_ids or len(found.config.diff_ids) != below + len(layers):
            raise AssemblyFailed(
                f"what the recipes made is not built on {base.reference}",
                hint=f"report this, with what docker history {name} prints",
            )
        # The engine's own configuration tells times and commands of BuildKit's.
        config = base.config.extended(
            layers=[(diff_id, History(f"recipe {recipe}")) for recipe, diff_id in own.items()],
            settings={},
            env=found.config.env,
            labels={key: value for key, value in found.config.labels.items() if key not in base.config.labels},
            created=None,
        )
        applied = (
            AppliedRecipe(name=recipe.name, digest=recipe.digest, diff_id=own.get(recipe.name)) for recipe in fitted
        )
        return replace(
            found,
            config=config,
            digest=base.digest,
            found_at=name,
            recipes=tuple(applied),
            build_packages=build_packages,
            origin=base,
        )

    def _fitted(self, base: BaseImage, spec: ImageSpec) -> tuple[tuple[Fitted, ...], Distribution]:
        from imagekit.recipes.distribution import Distribution
        from imagekit.recipes.find import find_recipes
        from imagekit.recipes.fitted import fit

        distribution = Distribution.of(base.release, base.config.platform)
        return fit(find_recipes(spec.recipes, spec.context), distribution), distribution

    def _keys(self, fitted: Sequence[Fitted]) -> dict[str, bytes]:
        from imagekit.recipes.keys import signing_keys

        return signing_keys(fitted, self._cache / "keys", self._fetched)

    def _fetched(self, url: str, name: str) -> bytes:
        from imagekit.lock.download import Downloads, PassingFault
        from imagekit.recipes.keys import LIMIT

        what = f"the recipe {name}"
        try:
            with Downloads(self._machine(), read_seconds=30.0).open(url, what) as response:
                data: bytes = response.raw.read(LIMIT + 1, decode_content=True)
        except PassingFault as fault:
            hint = "look at the network and its proxies; or put the key itself into the recipe, armored"
            raise BuildError(f"{what}: its key cannot be fetched from {url}: {fault}", hint=hint) from None
        if len(data) > LIMIT:
            raise BuildError(f"{what}: {url} gives more than a key: over {LIMIT >> 20} MiB", hint="look at the URL")
        return data

    def _of(self, base: BaseImage) -> BaseSource:
        return self._plain if base.origin is None else self._in_engine

    @property
    def _in_engine(self) -> BaseSource:
        """What knows images that only the engine has."""
        if self._engine_bases is None:
            from imagekit.building.engine_bases import EngineBases

            self._engine_bases = EngineBases(self._connect, self._cache, self._reporter)
        return self._engine_bases
