"""What an image is that packages are to be added to: read once, as a base is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagekit.errors import BaseUnusable
from imagekit.spec.extra_packages import VARIABLE

if TYPE_CHECKING:
    from imagekit.engine.client import EngineImage
    from imagekit.pipeline import Pipeline
    from imagekit.progress import Reporter
    from imagekit.spec.base import BaseImage


def read_image(
    pipeline: Pipeline, name: str, image: EngineImage, reporter: Reporter, *, to_start: bool = False
) -> BaseImage:
    """``image`` as a base whose packages stay where and as they are, whatever its Python has.

    With ``to_start`` without what starting something in it does not take (``stages.probe.read_to_start``).
    ``BaseUnusable`` where it has no Python, none that starts, or one that wheels are not made for.
    """
    from imagekit.stages.probe import read_base, read_to_start

    places = (pipeline.cache_directory, reporter)
    try:
        if to_start:
            base = read_to_start(pipeline.engine, name, image, *places)
        else:
            base = read_base(pipeline.engine, name, image.id, *places)
    except BaseUnusable as error:
        # A build's hints are about the choice of a base.
        raise BaseUnusable(
            f"{VARIABLE} cannot be added: {error.message}",
            hint="use an image that has python3 on its PATH, or unset the variable",
            details=error.details,
        ) from error
    if base.python.libc not in ("glibc", "musl"):
        raise BaseUnusable(
            f"{VARIABLE} cannot be added: the C library of {name} is none that wheels are made for",
            hint="use an image with glibc (Debian) or musl (Alpine)",
        )
    return replace(base, python=replace(base.python, in_place=True))
