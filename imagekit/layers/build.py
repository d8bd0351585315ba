"""Planned layers → finished layers: from the cache, or written now, several at a time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imagekit.layers import archive, tree_layer
from imagekit.layers.bytecode import Compiler
from imagekit.layers.cache import BeingMade, Entry, LayerCache
from imagekit.layers.directories import Directories
from imagekit.layers.project_files import project_files
from imagekit.layers.removal import doomed
from imagekit.layers.values import FileRange, Layer, damaged
from imagekit.layers.wheel_layer import WrittenLayer, write_wheel_layer
from imagekit.oci.digest import Digest
from imagekit.plan.values import (
    EnvironmentLayer,
    FilesLayer,
    Plan,
    PlannedLayer,
    PlannedWheel,
    ProjectLayer,
    RemovedLayer,
    SourceLayer,
    WheelsLayer,
)
from imagekit.progress import Reporter
from imagekit.spec.installed import Contents
from imagekit.spec.source_tree import SourceTree


@dataclass(frozen=True, slots=True)
class Clash:
    """One path that two wheels own; the later one's file is what the image shows."""

    path: str
    first: str
    second: str


class LayerMaker:
    """Makes the layers of one plan. Wheels may come in any order, from ``add_wheel``."""

    def __init__(
        self,
        plan: Plan,
        cache: LayerCache,
        compiler: Compiler | None,
        *,
        contents: Callable[[], Contents] | None = None,
        threads: int = 2,
    ) -> None:
        self._plan = plan
        self._contents = contents
        self._cache = cache
        self._compiler = compiler
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="imagekit-layer")
        self._entries: dict[Digest, Entry] = {}
        self._pending: dict[Digest, Future[Entry]] = {}
        self._ended = threading.Event()
        self._makers: dict[Digest, Callable[[bool], Entry]] = {}

    def __enter__(self) -> LayerMaker:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def missing_wheels(self) -> list[PlannedWheel]:
        """The wheels whose layers are not in the cache, and so whose files are needed."""
        missing = []
        for layer in self._plan.layers:
            for wheel in layer.wheels if isinstance(layer, WheelsLayer) else ():
                entry = self._cache.get(wheel.key)
                if entry is None:
                    missing.append(wheel)
                else:
                    self._entries[wheel.key] = entry
        return missing

    def add_wheel(self, wheel: PlannedWheel, path: Path) -> None:
        """Begin the layer of ``wheel`` from the verified file at ``path``."""

        def write(out: BinaryIO) -> WrittenLayer:
            python = self._plan.base.python
            try:
                return write_wheel_layer(path, self._plan.prefix, python.cache_tag, self._compiler, out)
            except FileNotFoundError as error:
                raise damaged(f"{path} is gone", []) from error

        def make(wait: bool) -> Entry:
            return self._cache.put(wheel.key, write, title=wheel.pin, wait=wait, stop=self._ended)

        self._makers[wheel.key] = make
        self._pending[wheel.key] = self._pool.submit(make, False)

    def finish(self, source: SourceTree | None, reporter: Reporter) -> list[Layer]:
        """All layers of the plan, the lowest first."""
        if self._pending:
            with reporter.task("making layers", total=len(self._pending)) as task:
                elsewhere = []
                for key, future in self._pending.items():
                    try:
                        self._entries[key] = future.result()
                        task.advance()
                    except BeingMade:
                        elsewhere.append(key)
                # What another process is at comes last: until then there was other work.
                waiting = {key: self._pool.submit(self._makers[key], True) for key in elsewhere}
                for key, future in waiting.items():
                    self._entries[key] = future.result()
                    task.advance()
        return [self._layer(layer, source) for layer in self._plan.layers]

    def clashes(self) -> list[Clash]:
        """Paths that more than one of the plan's wheels own. Reads every wheel's list of files."""
        owners: dict[str, str] = {}
        found = []
        for layer in self._plan.layers:
            for wheel in layer.wheels if isinstance(layer, WheelsLayer) else ():
                for path in self._entries[wheel.key].paths():
                    if path in owners:
                        found.append(Clash(path, owners[path], wheel.pin))
                    owners[path] = wheel.pin
        return found

    def _layer(self, planned: PlannedLayer, source: SourceTree | None) -> Layer:
        if isinstance(planned, WheelsLayer):
            entries = [self._entries[wheel.key] for wheel in planned.wheels]
            return _whole(entries[0]) if len(entries) == 1 else self._group(planned.key, entries)
        entry = self._cache.get(planned.key)
        if entry is None:
            entry = self._cache.put(planned.key, lambda out: self._write(planned, source, out), title=planned.title)
        return _whole(entry)

    def _write(self, planned: PlannedLayer, source: SourceTree | None, out: BinaryIO) -> WrittenLayer:
        base = self._plan.base
        if isinstance(planned, EnvironmentLayer):
            return tree_layer.write_environment(base, planned.prefix, planned.user, planned.workdir, out)
        if isinstance(planned, ProjectLayer):
            files = project_files(planned.project, planned.prefix, planned.workdir)
            return tree_layer.write_contents(files, planned.prefix, out)
        if isinstance(planned, RemovedLayer) and self._contents is not None:
            paths = doomed(planned.distributions, base, self._contents())
            return tree_layer.write_whiteouts(paths, base, out)
        if isinstance(planned, FilesLayer):
            return tree_layer.write_files(planned.files, dict(planned.digests), base, out)
        if isinstance(planned, SourceLayer) and source is not None:
            return tree_layer.write_source(source, planned.digest, planned.workdir, planned.user, base, out)
        raise TypeError(f"no layer is made of {type(planned).__name__}")

    def _group(self, key: Digest, entries: Sequence[Entry]) -> Layer:
        found = Directories(self._plan.prefix.directories)
        head = b"".join(map(found.member, _union(entry.directories for entry in entries)))
        pieces: tuple[bytes | FileRange, ...] = (head, *(entry.members for entry in entries), archive.END)
        size = len(head) + sum(end - start for start, end in (entry.body for entry in entries)) + len(archive.END)
        diff_id = self._cache.group(key)
        if diff_id is None:
            diff_id = _digest_together(head, entries)
            self._cache.keep_group(key, diff_id)
        return Layer(
            diff_id=diff_id,
            size=size,
            pieces=pieces,
            cached=all(entry.cached for entry in entries),
            noted=self._cache.group_path(key),
        )


def _whole(entry: Entry) -> Layer:
    return Layer(diff_id=entry.diff_id, size=entry.size, pieces=(entry.whole,), cached=entry.cached)


def _digest_together(head: bytes, entries: Iterable[Entry]) -> Digest:
    """The digest of the layer that ``entries`` make under ``head``; each is verified along the way."""
    together = hashlib.sha256(head)
    for entry in entries:
        own, (start, end), passed = hashlib.sha256(), entry.body, 0
        for chunk in entry.whole.chunks():
            own.update(chunk)
            together.update(chunk[max(0, start - passed) : max(0, end - passed)])
            passed += len(chunk)
        if "sha256:" + own.hexdigest() != entry.diff_id:
            # What is remembered of wrong bytes would make them right.
            raise damaged(f"{entry.path} is not what was written", [entry.path])
    together.update(archive.END)
    return Digest("sha256:" + together.hexdigest())


def _union(directories: Iterable[Iterable[str]]) -> list[str]:
    return sorted({path for several in directories for path in several})
