"""What is to be added to which image: the text read, and the image below one that was itself derived."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.errors import BaseNotFound
from imagekit.extras.derive import Wanted
from imagekit.extras.tickets import DIRECTORY
from imagekit.extras.values import LABEL_ORIGIN, LABEL_REQUIREMENTS, Derived
from imagekit.spec.extra_packages import read_extras

if TYPE_CHECKING:
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.pipeline import Pipeline
    from imagekit.spec.image import RequirementLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """``lines`` that are to be added to ``origin``, for a start in ``image``."""

    pipeline: Pipeline
    wanted: Wanted
    lines: tuple[RequirementLine, ...]
    name: str  # of ``origin``
    origin: EngineImage
    image: EngineImage
    reference: str  # of ``image``
    upgrade: bool

    @property
    def engine(self) -> Engine:
        return self.pipeline.engine

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(line.text for line in self.lines)

    def lock(self) -> Path:
        """The lock that is held by whichever process makes the image."""
        request = json.dumps([self.origin.id, self.texts])
        directory = self.pipeline.cache_directory / DIRECTORY
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return directory / f"{hashlib.sha256(request.encode()).hexdigest()}.lock"

    def nothing(self, *, kept: tuple[str, ...] = ()) -> Derived:
        """What it comes to where ``image`` has it all."""
        return Derived(
            image_id=self.image.id,
            reference=self.reference,
            origin_id=self.image.id,
            origin=self.reference,
            requirements=self.texts,
            packages=(),
            kept=kept,
            lock_digest=None,
            up_to_date=True,
        )


def addition_to(pipeline: Pipeline, reference: str, image: EngineImage, wanted: Wanted, *, upgrade: bool) -> Addition:
    """What ``wanted`` comes to on ``image``, which ``reference`` names; no ``lines`` where it asks for nothing.

    Of an image that was derived, it is the origin that packages are added to, those which it has and the new ones.
    """
    lines, origin, name = read_extras(wanted.text), image, reference
    if LABEL_ORIGIN in image.labels:
        origin, name = _origin(pipeline.engine, image, reference)
        before = read_extras(image.labels.get(LABEL_REQUIREMENTS, ""))
        lines = tuple(dict.fromkeys((*before, *lines)))
    return Addition(
        pipeline=pipeline,
        wanted=wanted,
        lines=lines,
        name=name,
        origin=origin,
        image=image,
        reference=reference,
        upgrade=upgrade,
    )


def _origin(engine: Engine, image: EngineImage, reference: str) -> tuple[EngineImage, str]:
    """The image that a derived one was derived from, and a name of it."""
    from imagekit.export.replaced import given_names

    origin = engine.image(image.labels[LABEL_ORIGIN])
    if origin is None:
        raise BaseNotFound(
            f"packages cannot be added to {reference}: "
            f"the image that it was derived from ({image.labels[LABEL_ORIGIN]}) is gone",
            hint=f"name another image, or make this one an image of its own: "
            f"imagekit promote {reference} --tag NAME:TAG",
        )
    return origin, next(iter(given_names(origin)), origin.id)
