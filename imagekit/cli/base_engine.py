"""What ``stages.base_ensure`` asks of an engine: is it there, pull it, load it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagekit.errors import BaseNotFound, EngineTimeout

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.oci.platform import Platform
    from imagekit.progress import Reporter
    from imagekit.stages.debian import DebianRootfs


class BaseEngine:
    """An engine, as a place for base images."""

    def __init__(self, engine: Engine, platform: Platform, reporter: Reporter) -> None:
        self._engine = engine
        self._platform = platform
        self._reporter = reporter

    def exists(self, reference: str) -> bool:
        image = self._engine.image(reference)
        return image is not None and image.platform.architecture == self._platform.architecture

    def pull(self, reference: str, patience: float) -> bool:
        """Pull; ``False`` where the registry has no word for ``patience`` seconds, or a refusal."""
        from imagekit.engine.client import Engine

        # The deadline is one connection's, and this one's is to be short.
        with Engine.connect(self._engine.address, deadline=patience) as hurried:
            try:
                hurried.pull(reference, self._platform)
            except (BaseNotFound, EngineTimeout) as error:
                self._reporter.line(str(error.details or error.message))
                return False
        return True

    def load(self, rootfs: DebianRootfs, reference: str) -> None:
        """Put a base image that was made here into the engine, under ``reference``."""
        from imagekit.export.archives import docker_archive
        from imagekit.layers.values import FileRange, Layer

        layer = Layer(
            diff_id=rootfs.diff_id,
            size=rootfs.size,
            pieces=(FileRange(rootfs.tar, 0, rootfs.size),),
            cached=True,
        )
        with self._reporter.task(f"loading {reference}"):
            self._engine.load(docker_archive(rootfs.config, [layer], (), reference))
