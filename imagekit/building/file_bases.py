"""Base images of registries and OCI layouts: read from their files, on a machine that may have no engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.base_source import is_in_layout
from imagekit.errors import BaseNotFound, RegistryError
from imagekit.oci.config import ImageConfig
from imagekit.oci.content import Blob, ImageContent
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.base import BaseImage
from imagekit.spec.image import OCI_LAYOUT, ImageSpec

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.layers.bytecode import Compiler
    from imagekit.layers.values import Layer
    from imagekit.registry.access import Access
    from imagekit.registry.client import Registry
    from imagekit.spec.installed import Contents


class FileBases:
    """Base images of registries and OCI layouts, read without an engine; closed at the end of a ``with`` block."""

    def __init__(
        self,
        connect: Callable[[], Engine],
        access: Access,
        cache: Path,
        reporter: Reporter,
        *,
        offline: bool = False,
    ) -> None:
        self._connect = connect
        self._access = access
        self._cache = cache
        self._reporter = reporter
        self._offline = offline  # no registry is asked
        self._registries: dict[str | None, Registry] = {}
        self._found: dict[str, tuple[ImageSpec, ImageContent]] = {}  # by the base's image ID

    def __enter__(self) -> FileBases:
        return self

    def __exit__(self, *exc: object) -> None:
        for registry in self._registries.values():
            registry.close()

    def find(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.probe_files import base_from_content

        reference, content, digest = self._content(spec.base_image, spec.python or "", spec.platform)
        base = replace(base_from_content(content, reference, self._cache, self._reporter), digest=digest)
        if is_in_layout(spec):
            base = replace(base, found_at=spec.base_image)
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

    def begin_compiler(self, base: BaseImage) -> None:
        """Nothing here takes its time to start."""

    def forget_compiler(self) -> None:
        """Nothing was begun."""

    def blobs(self, base: BaseImage) -> tuple[Blob, ...]:
        return self._found[base.image_id][1].layers

    def in_engine(self, base: BaseImage) -> BaseImage:
        if base.found_at is None:
            return base
        from imagekit.building.bases import load_base

        content = self._found[base.image_id][1]
        name, _ = load_base(self._connect(), content, base.reference, self._reporter)
        return replace(base, found_at=name)

    def ground(self, spec: ImageSpec) -> BaseImage:
        from imagekit.stages.ground import ground_from_content

        reference, content, digest = self._content(spec.base_image, spec.python or "", spec.platform)
        image_id = content.config.digest
        base = ground_from_content(content, image_id, reference, self._cache, self._reporter)
        base = replace(base, digest=digest, found_at=spec.base_image if is_in_layout(spec) else None)
        self._found[base.image_id] = (spec, content)
        return base

    def standing(self, below: BaseImage, key: Digest) -> str | None:
        directory = self._derived(key)
        # Before it is looked at: what is marked stays.
        mark_used(directory / "index.json", self._cache)
        return f"{OCI_LAYOUT}{directory}" if (directory / "index.json").is_file() else None

    def stand(self, below: BaseImage, config: ImageConfig, layers: Sequence[Layer], key: Digest) -> str:
        from imagekit.export.layout import write_layout
        from imagekit.layers.blobs import BlobCache
        from imagekit.layers.compress import compress_all

        own = compress_all(list(layers), BlobCache(self._cache / "blobs"), self._reporter)
        content = ImageContent(config=config, layers=(*self.blobs(below), *own))
        write_layout([content], self._derived(key), below.reference, reporter=self._reporter)
        return f"{OCI_LAYOUT}{self._derived(key)}"

    def fall(self, below: BaseImage, key: Digest) -> None:
        shutil.rmtree(self._derived(key), ignore_errors=True)

    def _derived(self, key: Digest) -> Path:
        return self._cache / "derived" / key.removeprefix("sha256:")

    def _sibling(self, base: BaseImage) -> ImageContent | None:
        """The same base for this machine's platform, where there is one."""
        try:
            spec, _ = self._found[base.image_id]
            return self._content(spec.base_image, base.python.minor, Platform.host())[1]
        except (BaseNotFound, RegistryError):
            return None

    def _content(self, asked: str | None, python: str, platform: Platform) -> tuple[str, ImageContent, Digest]:
        """What the base is called, what it is, and the digest of its index or manifest."""
        from imagekit.stages.probe import default_references

        if asked is not None and asked.startswith(OCI_LAYOUT):
            return in_layout(asked, platform)
        names = (asked,) if asked is not None else default_references(python)
        *_, last = (Reference.parse(name) for name in names)
        # Bases that are made here are in no registry unless someone pushed them: the public one is asked for.
        return asked or str(last), *self._in_registry(last, platform)

    def _in_registry(self, reference: Reference, platform: Platform) -> tuple[ImageContent, Digest]:
        from imagekit.registry.client import Registry
        from imagekit.registry.read import read_image

        if self._offline:
            raise BaseNotFound(
                f"offline, and the base image {reference} is in a registry",
                hint="take one of an OCI layout (oci:DIRECTORY), or of the engine: docker pull it once",
            )
        registry = self._registries.get(reference.registry)
        if registry is None:
            registry = self._registries[reference.registry] = Registry(reference.registry, self._access)
        with self._reporter.task(f"reading {reference}"):
            image = read_image(registry, reference, platform)
        return ImageContent(config=image.config, layers=image.layers), image.index_digest or image.digest


def in_layout(asked: str, platform: Platform) -> tuple[str, ImageContent, Digest]:
    """The image that ``oci:DIRECTORY[:NAME]`` names, as skopeo spells it: what it is called, content and digest."""
    from imagekit.export.layout_read import find_image

    directory, name = layout_place(asked.removeprefix(OCI_LAYOUT))
    image = find_image(directory, name, platform)
    # A path of this machine is nothing that an image should tell.
    return image.name or directory.name, image.content, image.index_digest or image.digest


def layout_place(text: str) -> tuple[Path, str | None]:
    """``DIRECTORY[:NAME]``: a directory that is there, colons and all, goes before a name."""
    directory, _, name = text.partition(":")
    if Path(text).is_dir() or not name:
        return Path(text), None
    return Path(directory), name
