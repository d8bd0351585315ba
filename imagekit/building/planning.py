"""From a project to a plan: what is wanted, on which base, in which versions, in which layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit import __version__
from imagekit.building.inputs import Inputs, read_inputs
from imagekit.errors import InvalidProject
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings

if TYPE_CHECKING:
    from imagekit.building.base_source import BaseSource
    from imagekit.building.planned import Planned, Resolved
    from imagekit.lock.fetch import WheelStore
    from imagekit.lock.git import Git
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
        bases: Callable[[], BaseSource],
        cache: Callable[[], Path],
        store: Callable[[], WheelStore],
        handed: Handed = NOTHING,
    ) -> None:
        self._handed = handed
        self._settings = settings
        self._reporter = reporter
        self._bases = bases
        self._cache = cache
        self._store = store
        self._inputs: tuple[ImageSpec, Inputs] | None = None
        self._resolved: tuple[ImageSpec, Resolved] | None = None

    def inputs(self, spec: ImageSpec) -> Inputs:
        """The source and the files of ``spec``, read once."""
        if self._inputs is None or self._inputs[0] is not spec:
            self._inputs = (spec, read_inputs(spec))
        return self._inputs[1]

    def base(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec``. Raises ``InvalidProject`` where its Python is not the one asked for."""
        base = self._bases().find(spec)
        if spec.python and base.python.minor != spec.python:
            raise InvalidProject(
                f"{base.reference} has Python {base.python.version}, and {spec.python} is asked for",
                hint="choose another base image, or leave one of the two away",
            )
        return base

    def lock(self, spec: ImageSpec, base: BaseImage, *, upgrade: bool = False, previous: Lock | None = None) -> Lock:
        """The lock of ``spec`` for ``base``: the project's, a cached one or a new one."""
        from imagekit.building.assembly import sources
        from imagekit.lock.resolve import obtain
        from imagekit.lock.sizes import with_sizes
        from imagekit.lock.target import Target

        lock = obtain(
            spec,
            Target.of(base),
            cache_dir=self._cache(),
            reporter=self._reporter,
            run_in_base=self._stage(base),
            upgrade=upgrade,
            previous=previous,
            contents=lambda: self._bases().contents(base),
            sources=sources(spec, self._stage(base), self._store(), self._git, self._cache()),
        )
        return with_sizes(lock, self._store(), self._cache(), self._reporter)

    def foreseen(self, spec: ImageSpec) -> Plan:
        """The plan as far as it is known without building a wheel."""
        from imagekit.explaining.foreseen import with_known_wheels

        base, tree = self.base(spec), self.inputs(spec).tree
        lock = with_known_wheels(spec, self.lock(spec, base), tree, self._stage(base), self._cache())
        return self._plan(spec, base, lock)

    def planned(self, spec: ImageSpec) -> Planned:
        """The plan of ``spec`` and the files it speaks of; what has no wheel is built into one now."""
        from imagekit.building.planned import Planned

        resolved = self.resolved(spec)
        plan = self._plan(spec, resolved.base, resolved.lock)
        for replaced in plan.replaced:
            self._reporter.line(replaced.line)
        return Planned(plan=plan, lock=resolved.lock, tree=self.inputs(spec).tree, indexes=spec.indexes)

    def resolved(self, spec: ImageSpec) -> Resolved:
        """The base and the wheels of ``spec``, found once."""
        if self._resolved is None or self._resolved[0] is not spec:
            from imagekit.building.assembly import wheels_only
            from imagekit.building.planned import Resolved

            base, tree = self.base(spec), self.inputs(spec).tree
            lock = self.lock(spec, base)
            lock = wheels_only(spec, lock, tree, self._stage(base), self._store(), self._git, self._cache())
            self._resolved = (spec, Resolved(base=base, lock=lock))
        return self._resolved[1]

    def resume(self, spec: ImageSpec, resolved: Resolved) -> None:
        """Take ``resolved`` for what ``spec`` comes to, as an earlier build found it."""
        self._resolved = (spec, resolved)

    @property
    def _git(self) -> Git:
        from imagekit.lock.git import Git

        return Git(environment=self._settings.variables, ca_bundle=self._settings.ca_bundle)

    def _stage(self, base: BaseImage) -> InBase:
        from imagekit.stages.in_base import InBase, carried

        return InBase(
            base=base,
            environment=carried(self._settings.variables),
            engine=self._settings.engine_address,
            ca_bundle=self._settings.ca_bundle,
            handed=self._handed,
            reporter=self._reporter,
            in_engine=self._bases().in_engine,
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
