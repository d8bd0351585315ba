"""What a flow needs to be started before its image is there; that is made while the flow runs."""

from __future__ import annotations

import posixpath
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from imagekit.extras.derive import Start, TakesFiles
from imagekit.extras.reading import read_image
from imagekit.plan.values import WheelsLayer
from imagekit.progress import Reporter, SilentReporter
from imagekit.sharing.once import SUFFIX, make_once

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.extras.addition import Addition
    from imagekit.extras.during import FirstStart
    from imagekit.extras.values import Derived
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec
    from imagekit.stages.compile_client import ServedCompiler


def make_start(addition: Addition, takes_files: TakesFiles) -> Start:
    """The files that a flow is started with, or the image where its container can be given none."""
    if not addition.lines:
        return Start(addition.nothing(), None)
    # A container takes a while. It is read by this thread, which a Ctrl-C reaches, whatever the image's Python does.
    threading.Thread(target=_import_what_follows, name="imagekit-extras-import", daemon=True).start()
    with ThreadPoolExecutor(1, "imagekit-extras-spec") as pool:
        specified = pool.submit(_spec, addition)
        base = _base(addition, addition.pipeline.reporter, to_start=True)
        spec = specified.result()
    from imagekit.extras.making import in_engine, make_derived
    from imagekit.extras.planning import planned, resolved
    from imagekit.plan.prefix import Prefix
    from imagekit.stages.compile import ContainerCompiler

    prefix = Prefix.of(base)
    if not takes_files(base, (prefix.root, posixpath.normpath(f"{prefix.root}/{prefix.headers}"))):
        return Start(make_derived(addition), None)
    compiler = ContainerCompiler(addition.engine, base)
    compiler.begin()
    with ExitStack() as unless_used:
        unless_used.callback(compiler.end)
        lock = make_once(
            # Whoever waits finds the other one's lock in the cache.
            addition.lock().with_suffix(f".resolving{SUFFIX}"),
            lambda: None,
            lambda: resolved(addition, spec, base, making=False, sized=False),
        )
        derived, plan = planned(addition, base, lock)
        found = derived if plan is None else in_engine(addition, derived)
        if plan is None or found is not None:
            addition.wanted.tickets.keep(found or derived)
            return Start(found or derived, None)
        first = _first(addition, spec, base, derived, plan, compiler)
        unless_used.pop_all()
    return Start(derived, first)


def _first(
    addition: Addition, spec: ImageSpec, base: BaseImage, derived: Derived, plan: Planned, compiler: ServedCompiler
) -> FirstStart:
    from imagekit.extras.completing import Completion
    from imagekit.extras.during import FirstStart
    from imagekit.extras.making import in_engine, made
    from imagekit.extras.planning import planned
    from imagekit.extras.unpacking import Unpacking
    from imagekit.lock.sizes import with_sizes
    from imagekit.stages.compile import ContainerCompiler

    pipeline = addition.pipeline
    cache, store = pipeline.cache_directory, pipeline.wheels(spec)
    # For what the start does not wait for.
    idle = ContainerCompiler(addition.engine, base, is_idle=True)

    def as_in_the_image(base: BaseImage, reporter: Reporter) -> Planned:
        # All files are here, so that nobody is asked for a size.
        sized = planned(addition, base, with_sizes(plan.lock, store, cache, reporter))[1]
        assert sized is not None
        return sized

    def make(stop: threading.Event, reporter: Reporter) -> Derived:
        def make_it() -> Derived:
            whole = _base(addition, reporter)
            return made(addition, spec, derived, as_in_the_image(whole, reporter), lambda: idle, reporter)

        return make_once(addition.lock(), lambda: in_engine(addition, derived), make_it, stop=stop)

    unpacking = Unpacking(
        plan,
        store,
        cache,
        compiler,
        contents=lambda: pipeline.bases.contents(base),
        order=lambda: _names(as_in_the_image(base, SilentReporter())),
    )
    return FirstStart(image=addition.origin, env=plan.plan.env, unpacking=unpacking, completion=Completion(make, idle))


def _base(addition: Addition, reporter: Reporter, *, to_start: bool = False) -> BaseImage:
    return read_image(addition.pipeline, addition.name, addition.origin, reporter, to_start=to_start)


def _spec(addition: Addition) -> ImageSpec:
    from imagekit.extras.planning import spec_of

    return spec_of(addition)


def _import_what_follows() -> None:
    import requests  # noqa: F401

    import imagekit.extras.unpacking
    import imagekit.lock.fetch  # noqa: F401


def _names(plan: Planned) -> list[str]:
    """Its wheels as they lie, the lowest first."""
    return [wheel.name for layer in plan.plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels]
