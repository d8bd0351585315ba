"""A Dockerfile of the user's, built under a temporary name, looked at for credentials, and named then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from imagekit.building.leak_gate import refuse_in_image
from imagekit.errors import EngineError
from imagekit.export.engine_load import loading_name
from imagekit.progress import Reporter
from imagekit.settings import Settings
from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile

if TYPE_CHECKING:
    from imagekit.engine.client import Engine


def build_and_check(
    connect: Callable[[], Engine], build: DockerfileBuild, settings: Settings, reporter: Reporter
) -> None:
    """Build; the reference names the image when no credential was found in it, and only then caches leave.

    Raises ``DockerfileFailed`` with BuildKit's last words, ``CheckFailed`` with the places of what was found.
    """
    name = loading_name()
    try:
        build_dockerfile(replace(build.without_caches(), reference=name), settings.engine_address, reporter)
        engine = connect()
        image = engine.image(name)
        if image is None:
            raise EngineError(
                "BuildKit's image did not reach the engine", hint="see what is wrong: docker buildx ls, docker info"
            )
        refuse_in_image(engine, image, build, settings.usable_cache_dir(), reporter)
        if (caches := build.caches()) is not None:
            build_dockerfile(caches, settings.engine_address, reporter)
        engine.tag(image.id, build.reference)
    finally:
        # What failed is what is told: an engine that went away is not asked again.
        with suppress(EngineError):
            connect().remove_image(name)
