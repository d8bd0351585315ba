"""``imagekit build --output``: into registries, layouts and archives, with no engine needed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from imagekit.building.outputs import DOCKER_ARCHIVE, ENGINE, REGISTRY, Output
from imagekit.errors import InputError
from imagekit.explaining.results import WrittenResult
from imagekit.oci.platform import Platform
from imagekit.pipeline import Pipeline
from imagekit.progress import Reporter
from imagekit.settings import Settings


def platforms_of(text: str | None, outputs: Sequence[Output]) -> list[str | None]:
    """The platforms that ``--platform`` names, a comma between two.

    Raises ``InputError`` where an output takes one, and for one that is unknown, empty or there twice.
    """
    found: list[str | None] = [None] if text is None else [*text.split(",")]
    parsed = [_plain(Platform.parse(each)) for each in found if each is not None]
    for number, each in enumerate(parsed):
        if each in parsed[:number]:
            raise InputError(f"--platform names {each} twice", hint="name each platform once")
    for output in outputs:
        if len(found) > 1 and output.kind in (ENGINE, DOCKER_ARCHIVE):
            raise InputError(
                f"{output} takes one platform, and there are {len(found)}",
                hint=f"write them to a registry or a layout: --output {REGISTRY}, --output oci:DIRECTORY",
            )
    return found


def _plain(platform: Platform) -> Platform:
    """``platform`` without a variant that its name alone means."""
    default = {"amd64": "v1", "arm64": "v8"}.get(platform.architecture)
    return replace(platform, variant=None) if platform.variant == default else platform


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
        if any(spec.health_check for spec in specs):
            reporter.line("the health check needs an engine, and is left out")
        made, written = pipeline.write(specs, reference, outputs, no_cache=no_cache)
    return WrittenResult(
        reference=str(reference),
        images=tuple(image.facts for image in made),
        written=tuple(each.to_json() for each in written),
        seconds=time.monotonic() - began,
    )
