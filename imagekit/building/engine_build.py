"""An image assembled in an engine: layers made, loaded as they are made, checked, named."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from imagekit.atomic import sweep_unfinished
from imagekit.attest.material_note import material_note
from imagekit.building.assembly import make_layers
from imagekit.building.made_images import keep_made, keep_note
from imagekit.building.preflighting import check_libraries
from imagekit.errors import DiskFull
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult, built_layers
from imagekit.export.engine_load import Loaded, load_image
from imagekit.export.load_ahead import LoadAhead
from imagekit.export.replaced import drop_replaced
from imagekit.layers.cache import LayerCache
from imagekit.layers.mending import mended
from imagekit.layers.values import Layer
from imagekit.oci.config import ImageConfig
from imagekit.oci.digest import Digest
from imagekit.plan.config import image_config
from imagekit.progress import Reporter
from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.building.base_source import BaseSource
    from imagekit.building.cache_use import CacheUse
    from imagekit.building.planned import Planned
    from imagekit.engine.client import Engine
    from imagekit.lock.fetch import WheelStore
    from imagekit.plan.values import Plan


def build_in_engine(
    engine: Engine,
    planned: Planned,
    reference: str,
    *,
    cache: CacheUse,
    fresh: bool,
    store: Callable[[], WheelStore],
    source: BaseSource,
    accept: Callable[[str], object],
    reporter: Reporter,
    began: float,
    load: Callable[..., Loaded] = load_image,
) -> BuildResult:
    """Make ``reference`` (``name:tag``) name the planned image; ``accept`` is ``export.engine_load.load_image``'s.

    ``began`` is when the build did, by ``time.monotonic``. ``fresh``: no layer of the cache is taken.
    ``load`` is called as ``load_image`` is; what it makes may have more layers on top.
    """
    base, plan = planned.plan.base, planned.plan
    layer_cache = LayerCache(cache.path / "layers", fresh=fresh)

    def once() -> BuildResult:
        with LoadAhead(engine, base, lambda lowest: _config(plan, lowest), reference, reporter) as ahead:
            layers = make_layers(
                planned,
                store=store,
                cache=layer_cache,
                compiler=lambda: source.compiler(base),
                contents=lambda: source.contents(base),
                reporter=reporter,
                take=ahead.take,
            )
            check_libraries(planned, cache.path, reporter)
            config = _config(plan, layers)
            loaded = load(engine, config, base, layers, reference, reporter, ahead=ahead.names, accept=accept)
        above = image_report(engine, loaded.image_id).layers[len(config.diff_ids) :] if plan.commands else ()
        # What is only remembered must not end a build that is done.
        with suppress(OSError, DiskFull):
            note = material_note(plan, planned.lock, planned.working_tree)
            if plan.commands:
                keep_note(cache.path, loaded.image_id, note)
            else:
                keep_made(cache.path, loaded.image_id, config, base, layers, note)
        return BuildResult(
            reference=reference,
            image_id=loaded.image_id,
            digest=Digest(loaded.image_id) if plan.commands else config.digest,
            layers=(*built_layers(plan, layers), *above),
            seconds=time.monotonic() - began,
            base=base.reference,
            lock_digest=planned.lock.digest,
            up_to_date=loaded.up_to_date,
            sent=loaded.sent + ahead.sent,
        )

    sweep_unfinished(cache.path / "layers")
    with in_use(cache.path):
        result = _with_room(engine, lambda: mended(once, reporter), reporter)
    cache.add(result.layers)
    cache.trim()
    return result


def _with_room(engine: Engine, attempt: Callable[[], BuildResult], reporter: Reporter) -> BuildResult:
    """What ``attempt`` gives; where a disk is full, it is called again without the replaced images that were kept."""
    try:
        return attempt()
    except DiskFull:
        number = drop_replaced(engine)
        if not number:
            raise
        reporter.line(f"the disk is full: {number} replaced image{'s' * (number != 1)} removed, once more")
        return attempt()


def _config(plan: Plan, lowest: Sequence[Layer]) -> ImageConfig:
    """The configuration of an image of the ``lowest`` layers of ``plan``, which may be all of them."""
    return image_config(replace(plan, layers=plan.layers[: len(lowest)]), [layer.diff_id for layer in lowest])
