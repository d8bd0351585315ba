"""Where a base image is, and what follows from that: how it is read, what compiles for it, where its layers are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from imagekit.errors import BaseNotFound, EngineError, ImagekitError, InputError, RegistryError
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage
from imagekit.spec.image import OCI_LAYOUT, ImageSpec

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.layers.bytecode import Compiler
    from imagekit.registry.access import Access
    from imagekit.registry.client import Registry
    from imagekit.spec.installed import Contents
    from imagekit.stages.compile_client import ServedCompiler

Compiling = AbstractContextManager["Compiler | None"]


class BaseSource(Protocol):
    """A place that has base images."""

    def find(self, spec: ImageSpec) -> BaseImage:
        """The base of ``spec``. Raises ``BaseNotFound`` and ``BaseUnusable``."""

    def contents(self, base: BaseImage) -> Contents:
        """The files and requirements of what ``base`` has installed."""

    def compiler(self, base: BaseImage) -> Compiling:
        """What makes bytecode for ``base``; ``None`` in it where nothing can."""

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        """The layers of ``base`` as registries and layouts hold them, the lowest first."""


@contextmanager
def base_source(
    connect: Callable[[], Engine], cache: Path, reporter: Reporter, access: Access | None
) -> Iterator[BaseSource]:
    """The engine's base images alone; with ``access`` to registries, those of registries and layouts, too."""
    if access is None:
        yield EngineBases(connect, cache, reporter)
    else:
        with FileBases(access, cache, reporter) as files:
            yield NearestBases(connect, cache, reporter, files)


class EngineBases:
    """Base images of an engine, which pulls those that it lacks."""

    def __init__(self, connect: Callable[[], Engine], cache: Path, reporter: Reporter) -> None:
        self._connect = connect
        self._cache = cache
        self._reporter = reporter

    def find(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.probe import find_base

        if (spec.base_image or "").startswith(OCI_LAYOUT):
            raise InputError(
                "a base in a layout does not go into an engine",
                hint="--output registry or oci:DIR; or load it first: skopeo copy oci:… docker-daemon:…",
            )
        return find_base(
            self._connect(), spec.base_image, spec.python or "", spec.platform, self._cache, self._reporter
        )

    def contents(self, base: BaseImage) -> Contents:
        from imagekit.stages.probe import read_contents

        return read_contents(self._connect, base, self._cache)

    @contextmanager
    def compiler(self, base: BaseImage) -> Iterator[Compiler]:
        from imagekit.stages.compile import ContainerCompiler

        compiler = ContainerCompiler(self._connect(), base)
        compiler.begin()
        try:
            yield compiler
        except BaseException:
            _end(compiler)
            raise
        # An engine takes its time to end a container, and nobody waits for it but the end of this process.
        threading.Thread(target=_end, args=(compiler,), name="imagekit-compile-end").start()

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        from imagekit.export.base_content import engine_base_blobs
        from imagekit.layers.blobs import BlobCache

        return engine_base_blobs(self._connect(), base, BlobCache(self._cache / "blobs"), self._reporter)


def _end(compiler: ServedCompiler) -> None:
    # Its container carries its owner: the next command takes away what an engine that is gone did not.
    with suppress(ImagekitError, OSError):
        compiler.end()


class FileBases:
    """Base images of registries and OCI layouts, read without an engine; closed at the end of a ``with`` block."""

    def __init__(self, access: Access, cache: Path, reporter: Reporter) -> None:
        self._access = access
        self._cache = cache
        self._reporter = reporter
        self._registries: dict[str | None, Registry] = {}
        self._found: dict[str, tuple[ImageSpec, ImageContent]] = {}  # by the base's image ID

    def __enter__(self) -> FileBases:
        return self

    def __exit__(self, *exc: object) -> None:
        for registry in self._registries.values():
            registry.close()

    def find(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.probe_files import base_from_content

        reference, content = self._content(spec.base_image, spec.python or "", spec.platform)
        base = base_from_content(content, reference, self._cache, self._reporter)
        self._found[base.image_id] = (spec, content)
        return base

    def contents(self, base: BaseImage) -> Contents:
        from imagekit.stages.probe_files import contents_from_content

        return contents_from_content(base, self._found[base.image_id][1], self._cache, self._reporter)

    @contextmanager
    def compiler(self, base: BaseImage) -> Iterator[Compiler | None]:
        from imagekit.stages.compile_here import compiler_here

        made = compiler_here(
            base,
            self._found[base.image_id][1],
            self._cache,
            self._reporter,
            same_here=lambda: self._sibling(base),
        )
        if made.word:
            self._reporter.line(made.word)
        if made.compiler is None:
            yield None
        else:
            with made.compiler as compiler:
                yield compiler

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        return self._found[base.image_id][1].layers

    def _sibling(self, base: BaseImage) -> ImageContent | None:
        """The same base for this machine's platform, where there is one."""
        try:
            spec, _ = self._found[base.image_id]
            return self._content(spec.base_image, base.python.minor, Platform.host())[1]
        except (BaseNotFound, RegistryError):
            return None

    def _content(self, asked: str | None, python: str, platform: Platform) -> tuple[str, ImageContent]:
        from imagekit.stages.probe import default_references

        if asked is not None and asked.startswith(OCI_LAYOUT):
            return _in_layout(asked, platform)
        names = (asked,) if asked is not None else default_references(python)
        *_, last = (Reference.parse(name) for name in names)
        # Bases that are made here are in no registry unless someone pushed them: the public one is asked for.
        return asked or str(last), self._in_registry(last, platform)

    def _in_registry(self, reference: Reference, platform: Platform) -> ImageContent:
        from imagekit.registry.client import Registry
        from imagekit.registry.read import read_image

        registry = self._registries.get(reference.registry)
        if registry is None:
            registry = self._registries[reference.registry] = Registry(reference.registry, self._access)
        with self._reporter.task(f"reading {reference}"):
            image = read_image(registry, reference, platform)
        return ImageContent(config=image.config, layers=image.layers)


class NearestBases:
    """Base images of the engine where one is running and has them, and of registries and layouts else.

    So an image is the same whether it is built into the engine or elsewhere; and nothing needs an engine.
    """

    def __init__(self, connect: Callable[[], Engine], cache: Path, reporter: Reporter, files: FileBases) -> None:
        self._connect = connect
        self._in_engine = EngineBases(connect, cache, reporter)
        self._files = files
        self._from: dict[str, BaseSource] = {}  # by the base's image ID

    def find(self, spec: ImageSpec) -> BaseImage:
        source: BaseSource = self._in_engine if self._engine_has(spec) else self._files
        base = source.find(spec)
        self._from[base.image_id] = source
        return base

    def contents(self, base: BaseImage) -> Contents:
        return self._from[base.image_id].contents(base)

    def compiler(self, base: BaseImage) -> Compiling:
        return self._from[base.image_id].compiler(base)

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        return self._from[base.image_id].blobs(base)

    def _engine_has(self, spec: ImageSpec) -> bool:
        from imagekit.stages.probe import default_references

        asked = spec.base_image
        if asked is not None and asked.startswith(OCI_LAYOUT):
            return False
        try:
            engine = self._connect()
            names = (asked,) if asked is not None else default_references(spec.python or "")
            images = filter(None, map(engine.image, names))
            return any(image.platform.architecture == spec.platform.architecture for image in images)
        except EngineError:
            return False


def _in_layout(asked: str, platform: Platform) -> tuple[str, ImageContent]:
    """The image that ``oci:DIRECTORY[:NAME]`` names, as skopeo spells it, and what it is called."""
    from imagekit.export.layout_read import find_image

    directory, name = layout_place(asked.removeprefix(OCI_LAYOUT))
    image = find_image(directory, name, platform)
    # A path of this machine is nothing that an image should tell.
    return image.name or directory.name, image.content


def layout_place(text: str) -> tuple[Path, str | None]:
    """``DIRECTORY[:NAME]``: a directory that is there, colons and all, goes before a name."""
    directory, _, name = text.partition(":")
    if Path(text).is_dir() or not name:
        return Path(text), None
    return Path(directory), name
