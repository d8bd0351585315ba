"""The base's own interpreter as a compiler: one container for all missing wheels.

Sources go in and bytecode comes out over the container's standard streams, so nothing is
mounted and a remote engine serves as well as a local one.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.spec.base import BaseImage
from imagekit.stages.compile_client import ALONE, ENVIRONMENT, ServedCompiler, server_program

# The least that a kernel takes (cgroups(7)); containers have 1024 otherwise.
_LEAST_SHARES = 2


class ContainerCompiler(ServedCompiler):
    """A ``layers.bytecode.Compiler`` in a container of ``base``; ``is_idle``: it takes the cores that others leave."""

    def __init__(self, engine: Engine, base: BaseImage, *, is_idle: bool = False) -> None:
        super().__init__(name=base.reference, hint=f"try it by hand: docker run --rm {base.reference} python3 -V")
        self._engine = engine
        self._base = base
        self._is_idle = is_idle

    def start(self) -> _InContainer:
        container = Container.create(
            self._engine,
            ContainerSpec(
                image=self._base.image_id,
                entrypoint=[self._base.python.executable],
                command=[*ALONE, server_program()],
                env=ENVIRONMENT,
                workdir="/",
                kind="compile",
                network="none",
                interactive=True,
                auto_remove=True,
                host_config={"CpuShares": _LEAST_SHARES} if self._is_idle else {},
            ),
        )
        return _InContainer(container)


class _InContainer:
    """The server in a container, which is started; a ``compile_client.Server``."""

    def __init__(self, container: Container) -> None:
        self._container = container
        try:
            self._streams = container.attach(stdin=True)
            container.start()
        except BaseException:
            container.remove()
            raise

    def send(self, data: bytes) -> None:
        self._streams.send(data)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        return self._streams.frames()

    def break_off(self) -> None:
        self._streams.break_off()

    def end(self) -> None:
        self._streams.close()
        self._container.remove()
