"""A derived image that is not there: made and loaded, by one process of those that want it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from imagekit.extras.derive import is_there
from imagekit.extras.planning import planned, resolved, spec_of
from imagekit.extras.reading import read_image
from imagekit.extras.values import LABEL_LOCK, Derived
from imagekit.progress import Reporter
from imagekit.sharing.once import make_once

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.extras.addition import Addition
    from imagekit.layers.bytecode import Compiler
    from imagekit.spec.image import ImageSpec

Compiling = Callable[[], AbstractContextManager["Compiler | None"]]


def make_derived(addition: Addition) -> Derived:
    """The image, made now; see ``derive``."""
    if not addition.lines:
        return addition.nothing()
    pipeline, tickets = addition.pipeline, addition.wanted.tickets
    spec, base = spec_of(addition), read_image(pipeline, addition.name, addition.origin, pipeline.reporter)

    def find() -> Derived | None:
        # Another process may have made it while this one waited.
        known = None if addition.upgrade else tickets.find(addition.image.id)
        return known if known is not None and is_there(addition.engine, known) else None

    def make() -> Derived:
        try:
            lock = resolved(addition, spec, base, making=True, sized=True)
            derived, plan = planned(addition, base, lock)
            if plan is None:
                tickets.keep(derived)
                return derived
            compiling = partial(pipeline.bases.compiler, base)
            return in_engine(addition, derived) or made(addition, spec, derived, plan, compiling, pipeline.reporter)
        finally:
            pipeline.bases.forget_compiler()

    return make_once(addition.lock(), find, make)


def in_engine(addition: Addition, derived: Derived) -> Derived | None:
    """``derived``, where the engine has it by its name, which says what is in it."""
    image = addition.engine.image(derived.reference)
    if image is None or image.labels.get(LABEL_LOCK) != derived.lock_digest:
        return None
    found = replace(derived, image_id=image.id, up_to_date=True)
    addition.wanted.tickets.keep(found)
    return found


def made(
    addition: Addition,
    spec: ImageSpec,
    derived: Derived,
    plan: Planned,
    compiling: Compiling,
    reporter: Reporter,
) -> Derived:
    """``derived`` as ``plan`` has it, loaded into the engine, and remembered."""
    from imagekit.extras.assembly import assemble

    loaded = assemble(addition.pipeline, spec, plan, derived.reference, compiling, reporter)
    found = replace(derived, image_id=loaded.image_id, up_to_date=loaded.up_to_date)
    addition.wanted.tickets.keep(found)
    return found
