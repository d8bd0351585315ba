"""Base images of an engine, which pulls those that it lacks, and is given those of layouts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.base_source import is_in_layout
from imagekit.errors import ImagekitError
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import ImageSpec

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.layers.bytecode import Compiler
    from imagekit.layers.values import Layer
    from imagekit.spec.installed import Contents
    from imagekit.stages.compile_client import ServedCompiler

# Bases that were made of others here, each under a tag that says of what.
DERIVED = "imagekit/derived"


class EngineBases:
    """Base images of an engine, which pulls those that it lacks."""

    def __init__(
        self, connect: Callable[[], Engine], cache: Path, reporter: Reporter, *, offline: bool = False
    ) -> None:
        self._connect = connect
        self._offline = offline
        self._cache = cache
        self._reporter = reporter
        self._begun: tuple[str, ServedCompiler] | None = None  # by the base's image ID
        self._ending: threading.Thread | None = None  # that of the last compiler

    def find(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.probe import find_base

        if spec.base_image is not None and is_in_layout(spec):
            return self._loaded(spec.base_image, spec.platform)
        return find_base(
            self._connect(),
            spec.base_image,
            spec.python or "",
            spec.platform,
            self._cache,
            self._reporter,
            offline=self._offline,
        )

    def contents(self, base: BaseImage) -> Contents:
        from imagekit.stages.probe import read_contents

        return read_contents(self._connect, base, self._cache)

    @contextmanager
    def compiler(self, base: BaseImage) -> Iterator[Compiler]:
        self.begin_compiler(base)
        assert self._begun is not None
        (_, compiler), self._begun = self._begun, None
        try:
            yield compiler
        except BaseException:
            _end(compiler)
            raise
        self._ending = _end_in_background(compiler)

    def begin_compiler(self, base: BaseImage) -> None:
        from imagekit.stages.compile import ContainerCompiler

        if self._begun is not None and self._begun[0] == base.image_id:
            return
        self.forget_compiler()
        compiler = ContainerCompiler(self._connect(), base)
        compiler.begin()
        self._begun = (base.image_id, compiler)

    def forget_compiler(self) -> None:
        begun, self._begun = self._begun, None
        if begun is not None:
            self._ending = _end_in_background(begun[1])

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        from imagekit.export.base_content import engine_base_blobs
        from imagekit.layers.blobs import BlobCache

        return engine_base_blobs(self._connect(), base, BlobCache(self._cache / "blobs"), self._reporter)

    def in_engine(self, base: BaseImage) -> BaseImage:
        return base

    def ground(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.ground import ground_from_content
        from imagekit.stages.probe import described

        reference = spec.base_image or ""
        place = self._given(reference, spec.platform) if is_in_layout(spec) else reference
        base = described(self._connect(), reference, place)
        content = ImageContent(config=base.config, layers=self.blobs(base))
        found = ground_from_content(content, base.image_id, reference, self._cache, self._reporter)
        return replace(found, layers=base.layers, found_at=place if place != reference else None)

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        image = self._connect().image(_derived(key))
        return None if image is None else _derived(key)

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        from imagekit.export.engine_load import load_image

        load_image(self._connect(), config, below, layers, _derived(key), self._reporter)
        return _derived(key)

    def fall(self, below: BaseImage, key: Digest) -> None:
        # An engine removes no image that a container has.
        if self._ending is not None:
            self._ending.join()
        self._connect().remove_image(_derived(key))

    def _given(self, asked: str, platform: Platform) -> str:
        """The name of a layout's image in the engine, which is given it where it has it not."""
        from imagekit.building.bases import load_base
        from imagekit.building.file_bases import in_layout

        reference, content, _ = in_layout(asked, platform)
        return load_base(self._connect(), content, reference, self._reporter)[0]

    def _loaded(self, asked: str, platform: Platform) -> BaseImage:
        """The base of a layout, loaded into the engine where that has it not."""
        from imagekit.building.bases import load_base
        from imagekit.building.file_bases import in_layout
        from imagekit.stages.probe import read_base

        engine = self._connect()
        reference, content, digest = in_layout(asked, platform)
        name, image_id = load_base(engine, content, reference, self._reporter)
        base = read_base(engine, reference, image_id, self._cache, self._reporter)
        return replace(base, found_at=name, digest=digest)


def _derived(key: Digest) -> str:
    return f"{DERIVED}:{key.removeprefix('sha256:')[:32]}"


def _end_in_background(compiler: ServedCompiler) -> threading.Thread:
    # An engine takes its time to end a container, and nobody waits for it but the end of this process.
    ending = threading.Thread(target=_end, args=(compiler,), name="imagekit-compile-end")
    ending.start()
    return ending


def _end(compiler: ServedCompiler) -> None:
    # Its container carries its owner: the next command takes away what an engine that is gone did not.
    with suppress(ImagekitError, OSError):
        compiler.end()
