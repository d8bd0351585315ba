"""Where a base image is, and what follows from that: how it is read, what compiles for it, where its layers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagekit.errors import BaseNotFound, EngineError, RegistryError
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import OCI_LAYOUT, ImageSpec

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.layers.bytecode import Compiler
    from imagekit.layers.values import Layer
    from imagekit.registry.access import Access
    from imagekit.spec.installed import Contents

Compiling = AbstractContextManager["Compiler | None"]


class BaseSource(Protocol):
    """A place that has base images."""

    def find(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec``. Raises ``BaseNotFound`` and ``BaseUnusable``."""

    def contents(self, base: BaseImage) -> Contents:
        """The files and requirements of what ``base`` has installed."""

    def compiler(self, base: BaseImage) -> Compiling:
        """What makes bytecode for ``base``; ``None`` in it where nothing can."""

    def begin_compiler(self, base: BaseImage) -> None:
        """Start in the background what ``compiler`` gives next, unless ``forget_compiler`` is called."""

    def forget_compiler(self) -> None:
        """What was begun is not asked for after all."""

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        """The layers of ``base`` as registries and layouts hold them, the lowest first."""

    def in_engine(self, base: BaseImage) -> BaseImage:
        """``base`` under a name that builds in the engine find; one of a layout is given to the engine then."""

    def ground(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec``, which may be without a Python: read in its files."""

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        """What a specification names to find what ``stand`` made of ``key``; ``None`` where that is not there."""

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        """Make a base of ``below``, which was found here, and ``layers``; what a specification names to find it."""

    def fall(self, below: BaseImage, key: Digest) -> None:
        """What ``stand`` made of ``key`` is of no use any more."""


class NearestBases:
    """Base images of the engine where one is running and has them, and of registries and layouts else.

    So an image is the same whether it is built into the engine or elsewhere; and nothing needs an engine.
    """

    def __init__(self, connect: Callable[[], Engine], in_engine: BaseSource, files: BaseSource) -> None:
        self._connect = connect
        self._in_engine = in_engine
        self._files = files
        self._from: dict[str, BaseSource] = {}  # by the base's image ID

    def find(self, spec: ImageSpec) -> BaseImage:
        source: BaseSource = self._files
        missing: EngineError | None = None
        try:
            if self._engine_has(spec):
                source = self._in_engine
        except EngineError as error:
            missing = error
        try:
            base = source.find(spec)
        except (BaseNotFound, RegistryError) as error:
            if missing is None or names_its_place(spec):
                raise
            # Who names neither registry nor layout may well mean an image of the engine.
            missing.details = f"nor was the base in a registry: {error.message}"
            raise missing from error
        self._from[base.image_id] = source
        return base

    def contents(self, base: BaseImage) -> Contents:
        return self._from[base.image_id].contents(base)

    def compiler(self, base: BaseImage) -> Compiling:
        return self._from[base.image_id].compiler(base)

    def begin_compiler(self, base: BaseImage) -> None:
        self._from[base.image_id].begin_compiler(base)

    def forget_compiler(self) -> None:
        self._in_engine.forget_compiler()
        self._files.forget_compiler()

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        return self._from[base.image_id].blobs(base)

    def in_engine(self, base: BaseImage) -> BaseImage:
        return self._from[base.image_id].in_engine(base)

    def ground(self, spec: ImageSpec) -> BaseImage:
        source = self._in_engine if self._engine_has(spec) else self._files
        base = source.ground(spec)
        self._from[base.image_id] = source
        return base

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        return self._from[below.image_id].standing(below, key)

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        return self._from[below.image_id].stand(below, config, layers, key)

    def fall(self, below: BaseImage, key: Digest) -> None:
        self._from[below.image_id].fall(below, key)

    def _engine_has(self, spec: ImageSpec) -> bool:
        from imagekit.stages.probe import default_references

        if is_in_layout(spec):
            return False
        engine = self._connect()
        names = (spec.base_image,) if spec.base_image is not None else default_references(spec.python or "")
        images = filter(None, map(engine.image, names))
        return any(image.platform.architecture == spec.platform.architecture for image in images)


def is_in_layout(spec: ImageSpec) -> bool:
    """Whether ``spec`` names its base by an OCI layout."""
    return spec.base_image is not None and spec.base_image.startswith(OCI_LAYOUT)


def names_its_place(spec: ImageSpec) -> bool:
    """Whether ``spec`` says in which layout or registry its base is."""
    if is_in_layout(spec):
        return True
    return spec.base_image is not None and Reference.parse(spec.base_image).registry is not None


@contextmanager
def base_source(
    connect: Callable[[], Engine], cache: Path, reporter: Reporter, access: Access | None, *, offline: bool = False
) -> Iterator[BaseSource]:
    """The engine's base images alone; with ``access`` to registries, those of registries and layouts, too."""
    from imagekit.building.engine_bases import EngineBases
    from imagekit.building.file_bases import FileBases

    if access is None:
        yield EngineBases(connect, cache, reporter, offline=offline)
    else:
        with FileBases(connect, access, cache, reporter, offline=offline) as files:
            yield NearestBases(connect, EngineBases(connect, cache, reporter, offline=offline), files)
