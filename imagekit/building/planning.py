"""From a project to a plan: what is wanted, on which base, in which versions, in which layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit import __version__
from imagekit.building.inputs import Inputs, read_inputs
from imagekit.errors import InvalidProject, ResolveError
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings

if TYPE_CHECKING:
    from imagekit.building.planned import Planned, Resolved
    from imagekit.building.reciped_bases import RecipedBases
    from imagekit.git.remote import Git
    from imagekit.lock.access import IndexAccess
    from imagekit.lock.fetch import WheelStore
    from imagekit.lock.values import Lock
    from imagekit.plan.values import Plan
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec
    from imagekit.stages.in_base import InBase


class Planning:
    """Plans images of specifications; what was read and resolved of the last one is kept."""

    def __init__(
        self,
        settings: Settings,
        reporter: Reporter,
        *,
        bases: Callable[[], RecipedBases],
        cache: Callable[[], Path],
        store: Callable[[ImageSpec], WheelStore],
        handed: Handed = NOTHING,
    ) -> None:
        self._handed = handed
        self._settings = settings
        self._reporter = reporter
        self._bases = bases
        self._cache = cache
        self._store = store
        self._machines: dict[str, IndexAccess] = {}  # by resolver
        self._access: tuple[ImageSpec, IndexAccess] | None = None
        self._inputs: tuple[ImageSpec, Inputs] | None = None
        self._resolved: tuple[ImageSpec, Resolved] | None = None
        self._foreseen: tuple[ImageSpec, tuple[Plan, Lock]] | None = None

    def inputs(self, spec: ImageSpec) -> Inputs:
        """The source and the files of ``spec``, read once."""
        if self._inputs is None or self._inputs[0] is not spec:
            self._inputs = (spec, read_inputs(spec))
        return self._inputs[1]

    def base(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec``. Raises ``InvalidProject`` where its Python is not the one asked for."""
        if spec.lock_file is not None:
            from imagekit.lock.foreign import refuse_unreadable

            refuse_unreadable(spec)
        base = self._bases().find(spec)
        # conda's solver was told of the Python that is asked for.
        if spec.python and base.python.minor != spec.python and spec.conda is None:
            raise InvalidProject(
                f"{base.reference} has Python {base.python.version}, and {spec.python} is asked for",
                hint=f"name a base with it: --base-image python:{spec.python}-slim; or leave python (--python) out",
            )
        return base

    def lock(
        self,
        spec: ImageSpec,
        base: BaseImage,
        *,
        upgrade: bool = False,
        previous: Lock | None = None,
        making: bool = False,
        sized: bool = True,
    ) -> Lock:
        """The lock of ``spec`` for ``base``: the project's, a cached one or a new one.

        ``making``: its layers are made next. Without ``sized``, sizes that the index does not tell are not asked for.
        """
        from imagekit.building.assembly import sources
        from imagekit.lock.resolve import obtain
        from imagekit.lock.sizes import with_sizes
        from imagekit.lock.target import Target

        stage = self._stage(spec, base)
        try:
            lock = obtain(
                spec,
                Target.of(base),
                cache_dir=self._cache(),
                reporter=self._reporter,
                run_in_base=stage,
                access=self._machine(spec.resolver),
                upgrade=upgrade,
                previous=previous,
                contents=lambda: self._bases().contents(base),
                sources=sources(spec, stage, self._store(spec), self._git(spec), self._cache()),
            )
        except ResolveError as error:
            from imagekit.building.remedies import with_diagnosis

            raise with_diagnosis(error, base) from error.__cause__
        if spec.conda is not None:
            from imagekit.building.conda_notes import with_conda

            lock = with_conda(lock, base, self._cache())
        if making:
            self._foresee_compiling(base, lock)
        return with_sizes(lock, self._store(spec), self._cache(), self._reporter) if sized else lock

    def foreseen_lock(self, spec: ImageSpec) -> Lock:
        """The lock of ``spec`` for a base on which recipes and conda's packages may not be put yet, and are not now."""
        if spec.source_builds:
            # What these need is built in the base itself.
            return self.lock(spec, self.base(spec))
        plain = replace(spec, recipes=())
        return self.lock(plain, self._bases().foreseen(plain))

    def _foresee_compiling(self, base: BaseImage, lock: Lock) -> None:
        """Start the compiler where a wheel has no layer yet: it is ready by the time that the wheel is there."""
        from imagekit.layers.cache import LayerCache
        from imagekit.plan.make import planned_wheel
        from imagekit.plan.prefix import Prefix

        prefix, layers = Prefix.of(base), LayerCache(self._cache() / "layers")
        wheels = (planned_wheel(package, base, prefix) for package in lock.packages if package.artifact.is_wheel)
        if any(layers.look(wheel.key) is None for wheel in wheels):
            self._bases().begin_compiler(base)

    def foreseen(self, spec: ImageSpec) -> Plan:
        """The plan as far as it is known without building a wheel."""
        return self.foreseen_with_lock(spec)[0]

    def foreseen_with_lock(self, spec: ImageSpec) -> tuple[Plan, Lock]:
        """The same, and the lock that it is of; made once."""
        if self._foreseen is None or self._foreseen[0] is not spec:
            from imagekit.explaining.foreseen import with_known_wheels

            base, tree = self.base(spec), self.inputs(spec).tree
            lock = with_known_wheels(spec, self.lock(spec, base), tree, self._stage(spec, base), self._cache())
            self._foreseen = (spec, (self._plan(spec, base, lock), lock))
        return self._foreseen[1]

    def planned(self, spec: ImageSpec, *, making: bool = False) -> Planned:
        """The plan of ``spec`` and the files it speaks of; what has no wheel is built into one now.

        ``making``: its layers are made next.
        """
        from imagekit.building.leak_gate import check_plan, check_source
        from imagekit.building.planned import Planned
        from imagekit.spec.large_source import large_source

        source = self.inputs(spec).tree
        if source is not None and (large := large_source(source)) is not None:
            self._reporter.line(large)
        check_source(spec, self.inputs(spec), self._cache(), self._handed, self._reporter)
        resolved = self.resolved(spec, making=making)
        plan = self._plan(spec, resolved.base, resolved.lock)
        for replaced in plan.replaced:
            self._reporter.line(replaced.line)
        tree, state = self.inputs(spec).tree, "unknown"
        if self._settings.attest:
            from imagekit.git.working_tree import state_of

            state = state_of(spec.context)
        planned = Planned(plan=plan, lock=resolved.lock, tree=tree, working_tree=state, preflight=spec.preflight)
        check_plan(planned, self._cache(), self._handed, self._reporter)
        return planned

    def resolved(self, spec: ImageSpec, *, making: bool = False) -> Resolved:
        """The base and the wheels of ``spec``, found once."""
        if self._resolved is None or self._resolved[0] is not spec:
            from imagekit.building.planned import Resolved
            from imagekit.lock.locked_base import hold_to_base

            base = self.base(spec)
            lock = self.lock(spec, base, making=making)
            hold_to_base(spec, lock, base, self._reporter, frozen=self._settings.frozen)
            self._resolved = (spec, Resolved(base=base, lock=self._wheels_only(spec, base, lock)))
        return self._resolved[1]

    def resolved_on(
        self, spec: ImageSpec, base: BaseImage, *, upgrade: bool = False, making: bool = True, sized: bool = True
    ) -> Lock:
        """The wheels of ``spec`` on ``base``; no source goes in. ``making`` and ``sized`` as ``lock`` has them."""
        return self._wheels_only(spec, base, self.lock(spec, base, upgrade=upgrade, making=making, sized=sized))

    def _wheels_only(self, spec: ImageSpec, base: BaseImage, lock: Lock) -> Lock:
        from imagekit.building.assembly import wheels_only

        tree = self.inputs(spec).tree if spec.builds_project else None
        return wheels_only(spec, lock, tree, self._stage(spec, base), self._store(spec), self._git(spec), self._cache())

    def resume(self, spec: ImageSpec, resolved: Resolved) -> None:
        """Take ``resolved`` for what ``spec`` comes to, as an earlier build found it."""
        self._resolved = (spec, resolved)

    def _git(self, spec: ImageSpec) -> Git:
        from imagekit.git.remote import Git

        offline = self.access(spec).offline
        return Git(environment=self._settings.variables, ca_bundle=self._settings.ca_bundle, offline=offline)

    def machine(self) -> IndexAccess:
        """How servers are reached from this machine, whatever image it is for."""
        return self._machine("uv")

    def access(self, spec: ImageSpec) -> IndexAccess:
        """How the package indexes of ``spec`` are reached, read once."""
        if self._access is None or self._access[0] is not spec:
            self._access = (spec, self._machine(spec.resolver).of(spec))
        return self._access[1]

    def _machine(self, resolver: str) -> IndexAccess:
        if resolver not in self._machines:
            self._machines[resolver] = self._settings.index_access(resolver)
        return self._machines[resolver]

    def _stage(self, spec: ImageSpec, base: BaseImage) -> InBase:
        from imagekit.building.remedies import remedies_for
        from imagekit.stages.in_base import InBase

        return InBase(
            base=base,
            access=self.access(spec),
            engine=self._settings.engine_address,
            handed=self._handed,
            reporter=self._reporter,
            in_engine=partial(self._bases().for_builds, spec),
            remedies=partial(remedies_for, base),
        )

    def _plan(self, spec: ImageSpec, base: BaseImage, lock: Lock) -> Plan:
        from imagekit.plan.make import created_at, make_plan
        from imagekit.spec.revision import read_revision

        inputs = self.inputs(spec)
        revision = read_revision(spec.context)
        labels = {
            "imagekit.version": __version__,
            "org.opencontainers.image.base.name": base.reference,
            "org.opencontainers.image.revision": revision.commit,
            "org.opencontainers.image.source": revision.source,
            "org.opencontainers.image.title": spec.name,
            "org.opencontainers.image.version": spec.project.version if spec.project else None,
        }
        return make_plan(
            spec,
            lock,
            base,
            file_digests=inputs.files,
            source_digest=inputs.source,
            labels={name: value for name, value in labels.items() if value},
            created=created_at(self._settings.source_date_epoch),
        )
