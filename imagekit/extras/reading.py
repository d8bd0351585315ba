"""What an image is that packages are to be added to: read once, as a base is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imagekit.errors import BaseUnusable

if TYPE_CHECKING:
    from imagekit.engine.client import EngineImage
    from imagekit.pipeline import Pipeline
    from imagekit.spec.base import BaseImage


def read_image(pipeline: Pipeline, name: str, image: EngineImage) -> BaseImage:
    """``image`` as a base whose packages stay where and as they are, whatever its Python has.

    ``BaseUnusable`` where it has no Python, none that starts, or one that wheels are not made for.
    """
    from imagekit.stages.probe import read_base

    base = read_base(pipeline.engine, name, image.id, pipeline.cache_directory, pipeline.reporter)
    python = base.python
    if python.libc not in ("glibc", "musl"):
        raise BaseUnusable(
            f"{name}: its C library ({python.libc}) is none that wheels are made for", hint="use one with glibc or musl"
        )
    return replace(base, python=replace(python, in_place=True))
