"""Deriving an image that is not there: read, resolved, made and loaded, by one process of those that want it."""

from __future__ import annotations

import hashlib
import json
import posixpath
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from imagekit.errors import BaseNotFound, NoWheel, ResolveError
from imagekit.extras.derive import Start, TakesFiles, Wanted, is_there
from imagekit.extras.grammar import VARIABLE, read_extras
from imagekit.extras.tickets import DIRECTORY
from imagekit.extras.values import LABEL_LOCK, LABEL_ORIGIN, LABEL_REQUIREMENTS, REPOSITORY, Derived
from imagekit.plan.values import WheelsLayer
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.once import make_once

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.extras.during import FirstStart
    from imagekit.layers.bytecode import Compiler
    from imagekit.lock.values import Lock
    from imagekit.pipeline import Pipeline
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec, RequirementLine
    from imagekit.stages.compile_client import ServedCompiler

Compiling = Callable[[], AbstractContextManager["Compiler | None"]]


def make_derived(pipeline: Pipeline, reference: str, image: EngineImage, wanted: Wanted, *, upgrade: bool) -> Derived:
    """See ``derive``."""
    begun = _begun(pipeline, reference, image, wanted, upgrade=upgrade)
    return begun if isinstance(begun, Derived) else begun.whole()


def make_start(
    pipeline: Pipeline, reference: str, image: EngineImage, wanted: Wanted, takes_files: TakesFiles, *, upgrade: bool
) -> Start:
    """See ``derive_to_start``."""
    begun = _begun(pipeline, reference, image, wanted, upgrade=upgrade)
    return Start(begun, None) if isinstance(begun, Derived) else begun.start(takes_files)


def being_made(cache: Path, origin_id: str, requirements: Sequence[str]) -> Path:
    """The lock that is held while the image with ``requirements`` on the image ``origin_id`` is made."""
    request = json.dumps([origin_id, list(requirements)])
    directory = cache / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory / f"{hashlib.sha256(request.encode()).hexdigest()}.lock"


def _begun(
    pipeline: Pipeline, reference: str, image: EngineImage, wanted: Wanted, *, upgrade: bool
) -> Derived | _Deriving:
    lines, origin, name = read_extras(wanted.text), image, reference
    if LABEL_ORIGIN in image.labels:
        origin, name, lines = _below(pipeline.engine, image, reference, lines)
    if not lines:
        return _nothing(reference, image, lines, kept=())
    return _Deriving(
        pipeline=pipeline,
        engine=pipeline.engine,
        wanted=wanted,
        lines=lines,
        name=name,
        origin=origin,
        image=image,
        reference=reference,
        upgrade=upgrade,
    )


def _below(
    engine: Engine, image: EngineImage, reference: str, lines: tuple[RequirementLine, ...]
) -> tuple[EngineImage, str, tuple[RequirementLine, ...]]:
    """The image that a derived one was derived from, and all that is asked for on it."""
    origin = engine.image(image.labels[LABEL_ORIGIN])
    if origin is None:
        raise BaseNotFound(
            f"{reference} was derived from {image.labels[LABEL_ORIGIN]}, which is gone, and packages are added to that",
            hint="name the image itself, or make one of this by: imagekit promote",
        )
    before = read_extras(image.labels.get(LABEL_REQUIREMENTS, ""))
    from imagekit.export.replaced import given_names

    return origin, next(iter(given_names(origin)), origin.id), tuple(dict.fromkeys((*before, *lines)))


def _nothing(
    reference: str, image: EngineImage, lines: tuple[RequirementLine, ...], *, kept: tuple[str, ...]
) -> Derived:
    return Derived(
        image_id=image.id,
        reference=reference,
        origin_id=image.id,
        origin=reference,
        requirements=tuple(line.text for line in lines),
        packages=(),
        kept=kept,
        lock_digest=None,
        up_to_date=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deriving:
    """One image being derived from ``origin``, for a start in ``image``."""

    pipeline: Pipeline
    engine: Engine
    wanted: Wanted
    lines: tuple[RequirementLine, ...]
    name: str  # of ``origin``
    origin: EngineImage
    image: EngineImage
    reference: str  # of ``image``
    upgrade: bool

    def whole(self) -> Derived:
        """The image, made now."""
        pipeline, spec, base = self.pipeline, self._spec(), self._base(self.pipeline.reporter)

        def find() -> Derived | None:
            # Another process may have made it while this one waited.
            known = None if self.upgrade else self.wanted.tickets.find(self.image.id)
            return known if known is not None and is_there(self.engine, known) else None

        def make() -> Derived:
            try:
                derived, planned = self._planned(spec, base, self._resolved(spec, base, making=True, sized=True))
                if planned is None:
                    self.wanted.tickets.keep(derived)
                    return derived
                compiling = partial(pipeline.bases.compiler, base)
                return self._found(derived) or self._made(spec, derived, planned, compiling, pipeline.reporter)
            finally:
                pipeline.bases.forget_compiler()

        return make_once(self._lock(), find, make)

    def start(self, takes_files: TakesFiles) -> Start:
        """What a flow needs to be started; the image is made while it runs."""
        from imagekit.plan.prefix import Prefix
        from imagekit.stages.compile import ContainerCompiler

        with ThreadPoolExecutor(1, "imagekit-extras-read") as pool:
            # A container takes a while.
            reading = pool.submit(self._base, self.pipeline.reporter, to_start=True)
            spec = self._spec()
            base = reading.result()
        prefix = Prefix.of(base)
        if not takes_files(base, (prefix.root, posixpath.normpath(f"{prefix.root}/{prefix.headers}"))):
            return Start(self.whole(), None)
        # As do other computers' answers.
        Thread(target=_import_what_follows, name="imagekit-extras-import", daemon=True).start()
        compiler = ContainerCompiler(self.engine, base)
        compiler.begin()
        with ExitStack() as unless_used:
            unless_used.callback(compiler.end)
            lock = make_once(
                # Whoever waits finds the other one's lock in the cache.
                self._lock().with_suffix(".resolving"),
                lambda: None,
                lambda: self._resolved(spec, base, making=False, sized=False),
            )
            derived, planned = self._planned(spec, base, lock)
            found = derived if planned is None else self._found(derived)
            if planned is None or found is not None:
                self.wanted.tickets.keep(found or derived)
                return Start(found or derived, None)
            first = self._first(spec, base, derived, planned, compiler)
            unless_used.pop_all()
        return Start(derived, first)

    def _first(
        self, spec: ImageSpec, base: BaseImage, derived: Derived, planned: Planned, compiler: ServedCompiler
    ) -> FirstStart:
        from imagekit.extras.completing import Completion
        from imagekit.extras.during import FirstStart
        from imagekit.extras.unpacking import Unpacking
        from imagekit.lock.sizes import with_sizes
        from imagekit.stages.compile import ContainerCompiler

        cache, store = self.pipeline.cache_directory, self.pipeline.wheels(spec)
        # For what the start does not wait for.
        idle = ContainerCompiler(self.engine, base, is_idle=True)

        def as_in_the_image(base: BaseImage, reporter: Reporter) -> Planned:
            # All files are here, so that nobody is asked for a size.
            sized = self._planned(spec, base, with_sizes(planned.lock, store, cache, reporter))[1]
            assert sized is not None
            return sized

        def make(stop: threading.Event, reporter: Reporter) -> Derived:
            def made() -> Derived:
                whole = self._base(reporter)
                return self._made(spec, derived, as_in_the_image(whole, reporter), lambda: idle, reporter)

            return make_once(self._lock(), lambda: self._found(derived), made, stop=stop)

        unpacking = Unpacking(
            planned,
            store,
            cache,
            compiler,
            contents=lambda: self.pipeline.bases.contents(base),
            order=lambda: _names(as_in_the_image(base, SilentReporter())),
        )
        return FirstStart(
            image=self.origin, env=planned.plan.env, unpacking=unpacking, completion=Completion(make, idle)
        )

    def _lock(self) -> Path:
        """Held by whichever process makes it."""
        texts = [line.text for line in self.lines]
        return being_made(self.pipeline.cache_directory, self.origin.id, texts)

    def _found(self, derived: Derived) -> Derived | None:
        """``derived``, where the engine has it by its name, which says what is in it."""
        image = self.engine.image(derived.reference)
        if image is None or image.labels.get(LABEL_LOCK) != derived.lock_digest:
            return None
        found = replace(derived, image_id=image.id, up_to_date=True)
        self.wanted.tickets.keep(found)
        return found

    def _made(
        self, spec: ImageSpec, derived: Derived, planned: Planned, compiling: Compiling, reporter: Reporter
    ) -> Derived:
        from imagekit.extras.assembly import assemble

        loaded = assemble(self.pipeline, spec, planned, derived.reference, compiling, reporter)
        made = replace(derived, image_id=loaded.image_id, up_to_date=loaded.up_to_date)
        self.wanted.tickets.keep(made)
        return made

    def _spec(self) -> ImageSpec:
        """What is wanted, with the indexes of the project or of this machine."""
        like = self.wanted.like or self.pipeline.without_project(self.name)
        return replace(
            like,
            requirements=self.lines,
            constraints=(),
            overrides=(),
            extras=(),
            groups=(),
            requires_hashes=False,
            requires_python="",
            project=None,
            lock_file=None,
            python=None,
            platform=self.origin.platform,
            base_image=self.name,
            only_binary=(),
            no_binary=(),
            resolver="uv",
            env=(),
            labels=(),
            files=(),
            include_source=False,
            extra_dockerfile_commands=(),
            entrypoints=(),
        )

    def _base(self, reporter: Reporter, *, to_start: bool = False) -> BaseImage:
        from imagekit.extras.reading import read_image

        return read_image(self.pipeline, self.name, self.origin, reporter, to_start=to_start)

    def _planned(self, spec: ImageSpec, base: BaseImage, resolved: Lock) -> tuple[Derived, Planned | None]:
        """What comes of it, by name, and the plan; ``None`` where the image has it all."""
        kept = tuple(f"{name}=={version}" for name, version in sorted(resolved.kept.items()))
        if not resolved.packages:
            return _nothing(self.reference, self.image, self.lines, kept=kept), None
        from imagekit import __version__
        from imagekit.building.planned import Planned
        from imagekit.export.presence import LABEL
        from imagekit.extras.layering import extra_plan

        texts = [line.text for line in self.lines]
        labels = {
            LABEL_ORIGIN: base.image_id,
            LABEL_LOCK: resolved.digest,
            LABEL_REQUIREMENTS: "\n".join(texts),
            # Of an image that is not ours: so that prunes and loads know it again.
            **({} if LABEL in base.config.labels else {LABEL: __version__}),
        }
        derived = Derived(
            image_id="",
            reference=_reference(base, resolved, texts),
            origin_id=self.image.id,
            origin=self.reference,
            requirements=tuple(texts),
            packages=tuple(f"{package.name}=={package.version}" for package in resolved.packages),
            kept=kept,
            lock_digest=resolved.digest,
            up_to_date=False,
        )
        return derived, Planned(plan=extra_plan(resolved, base, labels), lock=resolved, tree=None)

    def _resolved(self, spec: ImageSpec, base: BaseImage, *, making: bool, sized: bool) -> Lock:
        try:
            return self.pipeline.resolved_on(spec, base, upgrade=self.upgrade, making=making, sized=sized)
        except ResolveError as error:
            error.message = f"{VARIABLE} on {self.name}: {error.message}"
            error.args = (error.message,)
            if isinstance(error, NoWheel) and base.python.libc == "musl":
                error.hint = "its C library is musl, for which few wheels are made: use an image with glibc (Debian)"
            elif isinstance(error, NoWheel):
                error.hint = "nothing is built from source when a run starts: build an image, with source-builds"
            raise


def _import_what_follows() -> None:
    import requests  # noqa: F401

    import imagekit.extras.unpacking
    import imagekit.lock.fetch  # noqa: F401


def _names(planned: Planned) -> list[str]:
    """Its wheels as they lie, the lowest first."""
    return [wheel.name for layer in planned.plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels]


def _reference(base: BaseImage, lock: Lock, texts: list[str]) -> str:
    decisive = json.dumps([base.image_id, lock.digest, texts])
    return f"{REPOSITORY}:{hashlib.sha256(decisive.encode()).hexdigest()[:32]}"
