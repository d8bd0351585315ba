"""A derived image in the engine: the wheels' layers made, or taken from the cache, and loaded on top of the image's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from imagekit.attest.material_note import material_note
from imagekit.building.assembly import make_layers
from imagekit.building.made_images import keep_made
from imagekit.errors import DiskFull
from imagekit.export.engine_load import Loaded, load_image
from imagekit.export.load_ahead import LoadAhead
from imagekit.extras.bytecode import without_tests
from imagekit.extras.layering import extra_config
from imagekit.layers.cache import LayerCache
from imagekit.layers.mending import mended
from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.layers.bytecode import Compiler
    from imagekit.pipeline import Pipeline
    from imagekit.progress import Reporter
    from imagekit.spec.image import ImageSpec


def assemble(
    pipeline: Pipeline,
    spec: ImageSpec,
    planned: Planned,
    reference: str,
    compiling: Callable[[], AbstractContextManager[Compiler | None]],
    reporter: Reporter,
) -> Loaded:
    """Make ``reference`` (``name:tag``) name the planned image; it moves when a container can be made of it."""
    plan, base, bases = planned.plan, planned.plan.base, pipeline.bases
    engine, cache = pipeline.engine, pipeline.cache_directory

    def once() -> Loaded:
        with LoadAhead(
            engine,
            base,
            lambda lowest: extra_config(plan, [layer.diff_id for layer in lowest]),
            reference,
            reporter,
        ) as ahead:
            layers = make_layers(
                planned,
                store=lambda: pipeline.wheels(spec),
                cache=LayerCache(cache / "layers"),
                compiler=lambda: without_tests(compiling),
                contents=lambda: bases.contents(base),
                reporter=reporter,
                take=ahead.take,
            )
            config = extra_config(plan, [layer.diff_id for layer in layers])
            loaded = load_image(engine, config, base, layers, reference, reporter, ahead=ahead.names)
        # What is only remembered must not end what is done.
        with suppress(OSError, DiskFull):
            note = material_note(plan, planned.lock, planned.working_tree)
            keep_made(cache, loaded.image_id, config, base, layers, note)
        return loaded

    with in_use(cache):
        return mended(once, reporter)
