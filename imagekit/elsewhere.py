"""Images made for registries, layouts and archives, with no engine needed: ``imagekit build --output``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from imagekit.building.outputs import Output
from imagekit.explaining.results import WrittenResult
from imagekit.pipeline import Pipeline
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings
from imagekit.spec.image import ImageSpec


def build_elsewhere(
    settings: Settings,
    reporter: Reporter,
    path: Path,
    overrides: Mapping[str, Any],
    asked: tuple[str | None, str | None],
    platforms: Sequence[str | None],
    outputs: Sequence[Output],
    *,
    no_cache: bool,
    handed: Handed = NOTHING,
    planned: Callable[[Pipeline, Sequence[ImageSpec]], object] = lambda pipeline, specs: None,
) -> WrittenResult:
    """Make the image for each platform, and write them to each output.

    ``planned`` is called before anything is made, with what is wanted on each platform.
    """
    with Pipeline(settings, reporter, needs_engine=False, handed=handed) as pipeline:

        def spec_of(platform: str | None) -> ImageSpec:
            return pipeline.spec(path, **{**overrides, "platform": platform})

        return write_elsewhere(pipeline, spec_of, asked, platforms, outputs, no_cache=no_cache, planned=planned)


def write_elsewhere(
    pipeline: Pipeline,
    spec_of: Callable[[str | None], ImageSpec],
    asked: tuple[str | None, str | None],
    platforms: Sequence[str | None],
    outputs: Sequence[Output],
    *,
    no_cache: bool,
    planned: Callable[[Pipeline, Sequence[ImageSpec]], object] = lambda pipeline, specs: None,
) -> WrittenResult:
    """As ``build_elsewhere``, by a ``pipeline`` that needs no engine."""
    began = time.monotonic()
    specs = [spec_of(platform) for platform in platforms]
    reference = pipeline.reference(specs[0], *asked)
    if any(spec.health_check for spec in specs):
        pipeline.reporter.line("the health check needs an engine, and is left out")
    planned(pipeline, specs)
    made, written = pipeline.write(specs, reference, outputs, no_cache=no_cache)
    return WrittenResult(
        reference=str(reference),
        images=tuple(image.facts for image in made),
        written=tuple(each.to_json() for each in written),
        seconds=time.monotonic() - began,
    )
