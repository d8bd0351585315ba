"""``imagekit build --output``: into registries, layouts and archives, with no engine needed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imagekit.errors import InputError
from imagekit.outputs import DOCKER_ARCHIVE, ENGINE, REGISTRY, Output
from imagekit.pipeline import Pipeline
from imagekit.progress import Reporter
from imagekit.results import WrittenResult
from imagekit.settings import Settings


def platforms_of(text: str | None, outputs: Sequence[Output]) -> list[str | None]:
    """The platforms that ``--platform`` names, a comma between two. Raises ``InputError`` where an output takes one."""
    found: list[str | None] = [*dict.fromkeys(text.split(","))] if text else [None]
    for output in outputs:
        if len(found) > 1 and output.kind in (ENGINE, DOCKER_ARCHIVE):
            raise InputError(
                f"{output} takes one platform, and there are {len(found)}",
                hint=f"write them to a registry or a layout: --output {REGISTRY}, --output oci:DIRECTORY",
            )
    return found


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
) -> WrittenResult:
    """Make the image for each platform, and write them to each output."""
    began = time.monotonic()
    with Pipeline(settings, reporter, needs_engine=False) as pipeline:
        specs = [pipeline.spec(path, **{**overrides, "platform": platform}) for platform in platforms]
        reference = pipeline.reference(specs[0], *asked)
        made = [pipeline.make(spec, no_cache=no_cache) for spec in specs]
        if any(spec.health_check for spec in specs):
            reporter.line("the health check needs an engine, and is left out")
        written = pipeline.write(made, reference, outputs)
    return WrittenResult(
        reference=str(reference),
        images=tuple(image.facts for image in made),
        written=tuple(each.to_json() for each in written),
        seconds=time.monotonic() - began,
    )
