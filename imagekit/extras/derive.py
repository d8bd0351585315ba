"""An image with ``EXTRA_PIP_PACKAGES`` in it, derived from one that is there: its layers, and those of wheels on top.

What the image has installed stays as it is: its distributions constrain the resolver, and what fits among them is
not added again. A derived image is named after the image, what was asked for and the lock that it came to, so the same
start finds it by one question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imagekit.extras.tickets import Tickets
from imagekit.extras.values import Derived
from imagekit.spec.extra_packages import read_extras

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.extras.during import FirstStart
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec

# Whether a run's container can be given files at and below these places; see ``runs.adding.takes_files``.
TakesFiles = Callable[["BaseImage", Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text that was found to be requirements, before any socket was used."""

    text: str
    tickets: Tickets
    like: ImageSpec | None  # the project whose indexes are asked


@dataclass(frozen=True, slots=True)
class Start:
    """What a flow is started in: the image that was derived, or with ``first`` a container of another one.

    Then ``derived`` has no image ID yet, but the name of the image that is made while the flow runs.
    """

    derived: Derived
    first: FirstStart | None


def check_extras(settings: Settings, text: str, *, like: ImageSpec | None = None) -> Wanted:
    """``text`` as the value of ``EXTRA_PIP_PACKAGES``; ``InputError`` for what is none.

    Nothing is asked of an engine or an index. ``like`` is the project whose indexes are asked later.
    """
    tickets = Tickets.of(settings, text, like)
    if not tickets.passed:
        read_extras(text)
    return Wanted(text, tickets, like)


def derive(
    engine: Engine,
    pipeline: Callable[[], Pipeline],
    reference: str,
    image: EngineImage,
    wanted: Wanted,
    *,
    upgrade: bool = False,
) -> Derived:
    """The image to run in: ``image``, which ``reference`` names, with the packages of ``wanted``.

    What it came to the last time holds until the image is another one, or ``upgrade`` asks for the newest versions.
    Several processes that want the same make one image; ``pipeline`` is opened where one is to be made. Raises
    ``BaseUnusable`` for an image without a Python that packages can be added to, ``ResolveError`` (``BaseConflict``
    where what the image holds stands in the way), and what a build raises.
    """
    known = _known(engine, reference, image, wanted, upgrade=upgrade)
    if known is not None:
        return known
    from imagekit.extras.addition import addition_to
    from imagekit.extras.making import make_derived

    return make_derived(addition_to(pipeline(), reference, image, wanted, upgrade=upgrade))


def derive_to_start(
    engine: Engine,
    pipeline: Callable[[], Pipeline],
    reference: str,
    image: EngineImage,
    wanted: Wanted,
    takes_files: TakesFiles,
    *,
    upgrade: bool = False,
) -> Start:
    """As ``derive``, but where the image is to be made, that is left to be done while the flow runs, if it can be."""
    known = _known(engine, reference, image, wanted, upgrade=upgrade)
    if known is not None:
        return Start(known, None)
    from imagekit.extras.addition import addition_to
    from imagekit.extras.first import make_start

    return make_start(addition_to(pipeline(), reference, image, wanted, upgrade=upgrade), takes_files)


def _known(engine: Engine, reference: str, image: EngineImage, wanted: Wanted, *, upgrade: bool) -> Derived | None:
    known = None if upgrade else wanted.tickets.find(image.id)
    if known is None or not is_there(engine, known):
        return None
    # By another name it may have been another time.
    return replace(known, origin=reference, reference=reference if known.adds_nothing else known.reference)


def is_there(engine: Engine, known: Derived) -> bool:
    """Whether ``engine`` has the image that was derived; it is asked one question."""
    if known.adds_nothing:
        return True
    found = engine.image(known.reference)
    return found is not None and found.id == known.image_id
