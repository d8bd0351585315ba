"""From a conda lock to layers: what the cache has is taken, the rest fetched and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imagekit.conda.layering import CondaLayer, layers_of, special_directories
from imagekit.conda.remarks import remarks
from imagekit.conda.values import PREFIX, CondaLock, CondaPackage, PythonPlace
from imagekit.errors import CondaRefused, WheelRefused
from imagekit.layers.cache import Entry, LayerCache
from imagekit.layers.clashes import find_clashes, lines
from imagekit.layers.together import together
from imagekit.layers.values import Layer, WrittenLayer, damaged
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.values import Artifact, LockedPackage
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.progress import Reporter
from imagekit.spec.base import BaseImage

if TYPE_CHECKING:
    from imagekit.layers.bytecode import Compiler

# Layers that are made already, the lowest first → what compiles by the Python in them.
CompilerOf = Callable[[Sequence[Layer]], "AbstractContextManager[Compiler | None]"]


@dataclass(kw_only=True)
class CondaLayers:
    """The layers of ``lock`` on ``base``; ``login`` puts a channel's login into a package's URL."""

    lock: CondaLock
    base: BaseImage
    cache: LayerCache
    store: WheelStore
    login: Callable[[str], str]
    reporter: Reporter
    planned: tuple[CondaLayer, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.planned = layers_of(self.lock, self.base)
        self._special = special_directories(self.base)
        self._place = PythonPlace.of(self.lock)

    def make(self, compiler_of: CompilerOf) -> list[Layer]:
        """All layers, the lowest first. Raises ``CondaRefused`` for packages that cannot be had."""
        entries = {key: entry for key, _ in self._keyed if (entry := self.cache.get(key)) is not None}
        plain = [(key, package) for key, package in self._keyed if package.noarch != "python"]
        compiled = [(key, package) for key, package in self._keyed if package.noarch == "python"]
        self._write([each for each in plain if each[0] not in entries], None, entries)
        lower = [self._layer(layer, entries) for layer in self.planned if not layer.is_compiled]
        if missing := [each for each in compiled if each[0] not in entries]:
            with compiler_of(lower) as compiler:
                self._write(missing, compiler, entries)
        layers = [*lower, *(self._layer(layer, entries) for layer in self.planned if layer.is_compiled)]
        self._say(entries)
        return layers

    @property
    def _keyed(self) -> list[tuple[Digest, CondaPackage]]:
        return [pair for layer in self.planned for pair in zip(layer.keys, layer.packages, strict=True)]

    def _layer(self, layer: CondaLayer, entries: dict[Digest, Entry]) -> Layer:
        return together(self.cache, layer.key, [entries[key] for key in layer.keys], self._special)

    def _write(
        self, missing: Sequence[tuple[Digest, CondaPackage]], compiler: Compiler | None, entries: dict[Digest, Entry]
    ) -> None:
        if not missing:
            return
        keys = {package.name: key for key, package in missing}
        packages = {package.name: package for _, package in missing}
        wanted = [self._locked(package) for package in packages.values()]
        with (
            self.reporter.task("making layers of conda packages", total=len(missing)) as task,
            ThreadPoolExecutor(2, thread_name_prefix="imagekit-conda") as pool,
            closing(fetch_all(wanted, self.store, reporter=self.reporter)) as arriving,
        ):
            under_way: dict[Digest, Future[Entry]] = {}
            for locked, path in arriving:
                key = keys[locked.name]
                under_way[key] = pool.submit(self._made, key, packages[locked.name], path, compiler)
            for key, future in under_way.items():
                entries[key] = future.result()
                task.advance()

    def _locked(self, package: CondaPackage) -> LockedPackage:
        artifact = Artifact(
            filename=package.filename, url=self.login(package.url), sha256=package.sha256, size=package.size or None
        )
        return LockedPackage(name=package.name, version=package.version, artifact=artifact)

    def _made(self, key: Digest, package: CondaPackage, path: Path, compiler: Compiler | None) -> Entry:
        from imagekit.conda.package_layer import write_package_layer

        def write(out: BinaryIO) -> WrittenLayer:
            try:
                return write_package_layer(path, package, PREFIX, self._place, self._special, compiler, out)
            except FileNotFoundError as error:
                raise damaged(f"{path} is gone", []) from error

        if compiler is None and package.noarch == "python":
            # Its place in the plan is the same; but nobody who has a compiler is to find it.
            key = digest_of_json([key, "without bytecode"])
        return self.cache.put(key, write, title=package.pin)

    def _say(self, entries: dict[Digest, Entry]) -> None:
        """What packages have in common, and what is not done for them: told once of the same packages."""
        key = digest_of_json(["conda remarks", [key for key, _ in self._keyed]])
        if self.cache.is_noted(key):
            return
        owned = [(package.pin, entries[key]) for key, package in self._keyed]
        try:
            clashes = find_clashes(owned)
        except WheelRefused as error:
            raise CondaRefused(error.message, hint=error.hint) from error
        for line in (*lines(clashes), *remarks((pin, entry.paths()) for pin, entry in owned)):
            self.reporter.line(line)
        self.cache.note(key)
