"""The whole way, from a project to an image that was seen to work: the one place that knows it.

::

    spec ──► lock ──► plan ──► layers ──► image ──► check
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit import __version__
from imagekit.atomic import sweep_unfinished
from imagekit.building.inputs import Inputs, read_inputs
from imagekit.building.naming import asked_reference, content_tag
from imagekit.errors import InvalidProject
from imagekit.explaining.results import BuildResult, BuiltLayer, ImageReport
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter, SilentReporter
from imagekit.settings import Settings
from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.building.base_source import BaseSource, Compiling
    from imagekit.building.content_build import Made, Written
    from imagekit.building.outputs import Output
    from imagekit.building.planned import Planned, Resolved
    from imagekit.building.reference_build import Buildkit
    from imagekit.engine.client import Engine
    from imagekit.lock.fetch import WheelStore
    from imagekit.lock.values import Lock
    from imagekit.plan.strategy import Strategy
    from imagekit.plan.values import Plan
    from imagekit.plan.why import Why
    from imagekit.registry.values import Pushed
    from imagekit.runs.values import RunResult
    from imagekit.runs.watch import Sink
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec
    from imagekit.spec.installed import Contents
    from imagekit.stages.base_ensure import EnsuredBase
    from imagekit.stages.in_base import InBase


class Pipeline:
    """Builds, pushes and runs images as ``settings`` say; progress goes to ``reporter``."""

    def __init__(self, settings: Settings, reporter: Reporter | None = None, *, needs_engine: bool = True) -> None:
        """Without ``needs_engine`` base images come from registries and layouts, too, and other platforms' as well."""
        self._settings = settings
        self.reporter: Reporter = reporter or SilentReporter()
        self._needs_engine = needs_engine
        self._ends = ExitStack()
        self._stays = False
        self._grown = 0  # bytes of layers that came to the cache
        self._inputs: tuple[ImageSpec, Inputs] | None = None
        self._resolved: tuple[ImageSpec, Resolved] | None = None

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ends.close()

    @cached_property
    def engine(self) -> Engine:
        """The engine, connected at the first use."""
        from imagekit.engine.client import Engine
        from imagekit.engine.containers import sweep
        from imagekit.export.engine_load import sweep_loading

        engine = Engine.connect(self._settings.engine_address, deadline=self._settings.engine_deadline)
        # What a process of ours that was killed left behind.
        sweep(engine)
        sweep_loading(engine)
        return engine

    def spec(self, path: Path, **overrides: Any) -> ImageSpec:
        """What the project at ``path`` wants; see ``spec.read.read_spec`` for ``overrides``."""
        from imagekit.spec.read import read_spec

        return read_spec(path, variables=self._settings.variables, **overrides)

    def reference(self, spec: ImageSpec, name: str | None, tag: str | None) -> Reference:
        """The image's name: the project's unless ``name`` is given, its contents' tag unless ``tag`` is."""
        asked = asked_reference(name, tag, spec.name or spec.context.name, self._settings.default_namespace)
        return asked if asked.tag else asked.with_tag(content_tag(spec, self.inputs(spec)))

    def lock(self, spec: ImageSpec, *, upgrade: bool = False, previous: Lock | None = None) -> Lock:
        """The lock of ``spec``, resolved for the image's Python and platform.

        The versions of ``previous`` are kept where they still fit, unless ``upgrade`` asks for the newest.
        """
        return self._lock(spec, self._base(spec), upgrade=upgrade, previous=previous)

    def plan(self, spec: ImageSpec) -> Plan:
        """What a build would do, as far as it is known without building a wheel. Resolves where there is no lock."""
        from imagekit.explaining.foreseen import with_known_wheels

        base, tree = self._base(spec), self.inputs(spec).tree
        lock = with_known_wheels(spec, self._lock(spec, base), tree, self._stage(base), self._cache)
        return self._plan(spec, base, lock)

    def strategy(self, spec: ImageSpec) -> Strategy:
        """``plan`` explained: who shares a layer, at which height it lies, what it weighs, what the cache has of it."""
        from imagekit.explaining.foreseen import explained

        return explained(self.plan(spec), self.inputs(spec).tree, self._cache)

    def why(self, spec: ImageSpec, reference: Reference, *, since: Reference | None = None) -> Why:
        """What a build of ``reference`` would change, and why, since an image that is there: by default the last."""
        from imagekit.explaining.why import compare

        plan, access = self.plan(spec), self._settings.registry_access()
        return compare(self.engine, reference, plan, self.inputs(spec).tree, self._cache, access, since=since)

    def build(self, spec: ImageSpec, reference: Reference, *, no_cache: bool = False) -> BuildResult:
        """Build the image and give it ``reference``; the tag moves when the image is whole and checked."""
        from imagekit.building.engine_build import build_in_engine
        from imagekit.building.made_images import keep_made
        from imagekit.layers.cache import LayerCache

        began = time.monotonic()
        planned = self.planned(spec)
        base = planned.plan.base
        sweep_unfinished(self._cache / "layers")
        with in_use(self._cache):
            result = build_in_engine(
                self.engine,
                planned,
                str(reference),
                cache=LayerCache(self._cache / "layers", fresh=no_cache),
                store=lambda: self._store,
                source=self._bases,
                accept=lambda image_id: self._check(spec, planned, image_id),
                reporter=self.reporter,
                began=began,
                keep=lambda image_id, config, layers: keep_made(self._cache, image_id, config, base, layers),
            )
        self._grown += _grown(result.layers)
        self._trim()
        return result

    def make(self, spec: ImageSpec, *, no_cache: bool = False) -> Made:
        """The image of ``spec`` with every layer made and compressed, in no engine.

        What it is made of stays in the cache until the pipeline, as a context manager, ends.
        """
        from imagekit.building.content_build import make_content
        from imagekit.layers.blobs import BlobCache
        from imagekit.layers.cache import LayerCache

        planned = self.planned(spec)
        self._stay_in_use()
        made = make_content(
            planned,
            self._bases,
            cache=LayerCache(self._cache / "layers", fresh=no_cache),
            blobs=BlobCache(self._cache / "blobs"),
            store=lambda: self._store,
            reporter=self.reporter,
        )
        self._grown += _grown(made.facts.layers)
        return made

    def write(
        self, specs: Sequence[ImageSpec], reference: Reference, outputs: Sequence[Output], *, no_cache: bool = False
    ) -> tuple[list[Made], list[Written]]:
        """Make an image of each of ``specs``, one a platform, and write them to registries, layouts and archives."""
        from imagekit.building.content_build import make_and_write

        def make(fresh: bool) -> list[Made]:
            return [self.make(spec, no_cache=fresh) for spec in specs]

        return make_and_write(make, reference, outputs, self._settings.registry_access(), self.reporter, fresh=no_cache)

    def _stay_in_use(self) -> None:
        if not self._stays:
            self._stays = True
            # The last to be entered is the first to end: what is in use is not trimmed.
            self._ends.callback(self._trim)
            self._ends.enter_context(in_use(self._cache))

    def _trim(self) -> None:
        from imagekit.cache.prune import trim

        trim(self._cache, self._settings.cache_size, grown=self._grown)
        self._grown = 0

    def planned(self, spec: ImageSpec) -> Planned:
        """The plan of ``spec`` and the files it speaks of; what has no wheel is built into one now."""
        from imagekit.building.planned import Planned

        resolved = self.resolved(spec)
        plan = self._plan(spec, resolved.base, resolved.lock)
        for replaced in plan.replaced:
            self.reporter.line(replaced.line)
        return Planned(plan=plan, lock=resolved.lock, tree=self.inputs(spec).tree, indexes=spec.indexes)

    def resolved(self, spec: ImageSpec) -> Resolved:
        """The base and the wheels of ``spec``, found once."""
        if self._resolved is None or self._resolved[0] is not spec:
            from imagekit.building.assembly import wheels_only
            from imagekit.building.planned import Resolved

            base = self._base(spec)
            tree = self.inputs(spec).tree
            lock = wheels_only(spec, self._lock(spec, base), tree, self._stage(base), self._store, self._cache)
            self._resolved = (spec, Resolved(base=base, lock=lock))
        return self._resolved[1]

    def resume(self, spec: ImageSpec, resolved: Resolved) -> None:
        """Take ``resolved`` for what ``spec`` comes to, as an earlier build found it."""
        self._resolved = (spec, resolved)

    def inputs(self, spec: ImageSpec) -> Inputs:
        """The source and the files of ``spec``, read once."""
        if self._inputs is None or self._inputs[0] is not spec:
            self._inputs = (spec, read_inputs(spec))
        return self._inputs[1]

    def build_by_buildkit(self, spec: ImageSpec, reference: Reference, options: Buildkit) -> BuildResult:
        """Build the image from its equivalent Dockerfile (``imagekit dockerfile``), checked as ``build`` does it."""
        from imagekit.building.reference_build import build_reference

        options = options.checked(self._settings.variables)
        planned = self.planned(spec)
        accept = partial(self._check, spec, planned)
        return build_reference(
            self.engine, planned, str(reference), options, self._settings, self.reporter, accept=accept
        )

    def build_dockerfile(self, path: Path, **options: Any) -> BuildResult:
        """Build a user's own Dockerfile by BuildKit; see ``building.user_dockerfile`` for ``options``."""
        from imagekit.building.user_dockerfile import build_user_dockerfile

        return build_user_dockerfile(lambda: self.engine, self._settings, self.reporter, path, **options)

    def dockerfile_reference(self, path: Path, **options: Any) -> Reference:
        """The name of a Dockerfile's image; without a tag asked for, with one that says what goes in."""
        from imagekit.building.user_dockerfile import dockerfile_reference

        return dockerfile_reference(self._settings, path, **options)

    def push(self, reference: str) -> Pushed:
        """Push an image that the engine holds: one of ours from the layer cache, any other by the engine."""
        from imagekit.building.pushing import push_engine_image

        parsed = Reference.parse(reference)
        named = parsed if parsed.tag else parsed.with_tag("latest")
        with in_use(self._cache):
            return push_engine_image(self.engine, named, self._cache, self._settings.registry_access(), self.reporter)

    def inspect(self, reference: str) -> ImageReport:
        """An image of the engine, layer by layer, with the packages in each of ours."""
        from imagekit.explaining.report import image_report

        return image_report(self.engine, reference)

    def run(
        self,
        entrypoint: str,
        *,
        image: str,
        parameters: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        name: str | None = None,
        on_output: Sink | None = None,
        raise_on_failure: bool = False,
    ) -> RunResult:
        """Run one flow in one container of ``image``; see ``run.runner.run_flow``."""
        from imagekit.runs.runner import run_flow

        return run_flow(
            self.engine,
            image=image,
            entrypoint=entrypoint,
            parameters=parameters,
            env=env,
            timeout=timeout,
            name=name,
            on_output=on_output,
            raise_on_failure=raise_on_failure,
        )

    def base(self, python: str, *, remake: bool = False, lock: Path | None = None) -> EnsuredBase:
        """A base image with ``python``: found, pulled, or made from Debian packages.

        ``remake`` makes it in any case, from the packages that the file ``lock`` names if it is there;
        if it is not, what was locked is written to it.
        """
        from imagekit.building import bases

        if remake:
            return bases.make(self.engine, python, self._cache, self.reporter, lock_file=lock)
        return bases.ensure(self.engine, python, self._cache, self.reporter)

    def _check(self, spec: ImageSpec, planned: Planned, image_id: str) -> None:
        from imagekit.building.checking import check_built

        check_built(self.engine, spec, planned, image_id, self._cache, self.reporter)

    def _base(self, spec: ImageSpec) -> BaseImage:
        base = self._bases.find(spec)
        if spec.python and base.python.minor != spec.python:
            raise InvalidProject(
                f"{base.reference} has Python {base.python.version}, and {spec.python} is asked for",
                hint="choose another base image, or leave one of the two away",
            )
        return base

    def contents(self, base: BaseImage) -> Contents:
        """The files and requirements of what ``base`` has installed."""
        return self._bases.contents(base)

    def compiler(self, base: BaseImage) -> Compiling:
        """What makes bytecode for ``base``."""
        return self._bases.compiler(base)

    def _stage(self, base: BaseImage) -> InBase:
        from imagekit.stages.in_base import InBase, carried

        return InBase(
            base=base,
            environment=carried(self._settings.variables),
            engine=self._settings.engine_address,
            ca_bundle=self._settings.ca_bundle,
            reporter=self.reporter,
        )

    def _lock(self, spec: ImageSpec, base: BaseImage, *, upgrade: bool = False, previous: Lock | None = None) -> Lock:
        from imagekit.lock.resolve import obtain
        from imagekit.lock.sizes import with_sizes
        from imagekit.lock.target import Target

        lock = obtain(
            spec,
            Target.of(base),
            cache_dir=self._cache,
            reporter=self.reporter,
            run_in_base=self._stage(base),
            upgrade=upgrade,
            previous=previous,
            contents=lambda: self.contents(base),
        )
        return with_sizes(lock, self._store, self._cache, self.reporter)

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

    @cached_property
    def _bases(self) -> BaseSource:
        from imagekit.building.base_source import EngineBases, FileBases, NearestBases

        if self._needs_engine:
            return EngineBases(lambda: self.engine, self._cache, self.reporter)
        files = FileBases(self._settings.registry_access(), self._cache, self.reporter)
        return NearestBases(lambda: self.engine, self._cache, self.reporter, self._ends.enter_context(files))

    @cached_property
    def _cache(self) -> Path:
        """Where layers, wheels and bases are kept; seen to be writable before an engine is asked."""
        return self._settings.usable_cache_dir()

    @cached_property
    def _store(self) -> WheelStore:
        from imagekit.lock.fetch import WheelStore

        return WheelStore(self._cache / "wheels", ca_bundle=self._settings.ca_bundle)


def _grown(layers: Sequence[BuiltLayer]) -> int:
    return sum(layer.size for layer in layers if not layer.cached)
