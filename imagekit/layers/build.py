"""Planned layers → finished layers: from the cache, or written now, several at a time."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from imagekit.layers import tree_layer
from imagekit.layers.bytecode import Compiler
from imagekit.layers.cache import BeingMade, Entry, LayerCache
from imagekit.layers.together import together, whole
from imagekit.layers.values import Layer, WrittenLayer, damaged
from imagekit.oci.digest import Digest, digest_of_json
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

if TYPE_CHECKING:
    from imagekit.layers.clashes import Clash


class LayerMaker:
    """Makes the layers of one plan. Wheels may come in any order, from ``add_wheel``."""

    def __init__(
        self,
        plan: Plan,
        cache: LayerCache,
        *,
        contents: Callable[[], Contents] | None = None,
        threads: int = 2,
    ) -> None:
        self._plan = plan
        self._contents = contents
        self._cache = cache
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="imagekit-layer")
        self._entries: dict[Digest, Entry] = {}
        self._promised: dict[Digest, Future[Entry]] = {}
        self._lock = threading.Lock()
        self._heights: dict[Digest, int] = {}
        self._waiting: list[tuple[int, Digest]] = []  # a heap
        self._ended = threading.Event()
        self._makers: dict[Digest, Callable[[bool], Entry]] = {}
        self._taken = 0  # layers that ``in_order`` has given

    def __enter__(self) -> LayerMaker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.give_up(CancelledError())
        self._pool.shutdown(wait=True, cancel_futures=True)

    def missing_wheels(self) -> list[PlannedWheel]:
        """The wheels whose layers are not in the cache, and so whose files are needed."""
        missing = []
        for layer in self._plan.layers:
            for wheel in layer.wheels if isinstance(layer, WheelsLayer) else ():
                entry = self._cache.get(wheel.key)
                if entry is None:
                    missing.append(wheel)
                    self._heights[wheel.key] = len(self._promised)
                    self._promised[wheel.key] = Future()
                else:
                    self._entries[wheel.key] = entry
        return missing

    def add_wheel(self, wheel: PlannedWheel, path: Path, compiler: Compiler | None) -> None:
        """Begin the layer of ``wheel`` from the verified file at ``path``; ``compiler`` ``None``: without bytecode."""

        from imagekit.layers.wheel_layer import write_wheel_layer

        def write(out: BinaryIO) -> WrittenLayer:
            python = self._plan.base.python
            try:
                return write_wheel_layer(path, self._plan.prefix, python.cache_tag, compiler, out)
            except FileNotFoundError as error:
                raise damaged(f"{path} is gone", []) from error

        # Its place in the plan is the same; but nobody who has a compiler is to find it.
        key = wheel.key if compiler is not None else digest_of_json([wheel.key, "without bytecode"])

        def make(wait: bool) -> Entry:
            return self._cache.put(key, write, title=wheel.pin, wait=wait, stop=self._ended)

        self._makers[wheel.key] = make
        self._submit(wheel.key)

    def give_up(self, error: BaseException) -> None:
        """Nothing more comes: whoever waits for a layer has ``error``."""
        self._ended.set()
        for promise in self._promised.values():
            _settle(promise, error)

    def in_order(self, source: SourceTree | None, reporter: Reporter) -> Iterator[Layer]:
        """All layers of the plan, the lowest first, each as soon as it and those below are made."""
        with ExitStack() as stack:
            task = None
            if self._promised:
                task = stack.enter_context(reporter.task("making layers", total=len(self._promised)))
            for number, planned in enumerate(self._plan.layers):
                for wheel in planned.wheels if isinstance(planned, WheelsLayer) else ():
                    if wheel.key not in self._entries:
                        self._entries[wheel.key] = self._made(wheel.key)
                        if task is not None:
                            task.advance()
                self._taken = number + 1
                yield self._layer(planned, source)

    def is_waiting(self) -> bool:
        """Whether the layer that ``in_order`` gives next is still being made."""
        following = self._plan.layers[self._taken : self._taken + 1]
        wheels = [wheel for layer in following if isinstance(layer, WheelsLayer) for wheel in layer.wheels]
        return any(wheel.key in self._promised and not _is_kept(self._promised[wheel.key]) for wheel in wheels)

    def _made(self, key: Digest) -> Entry:
        try:
            return self._promised[key].result()
        except BeingMade:
            # Another process is at it: whoever needs it waits, and no thread that has other work.
            return self._makers[key](True)

    def _submit(self, key: Digest) -> None:
        # A job a wheel; each takes the lowest layer that waits then, and not the one that came first.
        with self._lock:
            heapq.heappush(self._waiting, (self._heights[key], key))
        try:
            self._pool.submit(self._make_lowest)
        except RuntimeError:  # the pool is shut down
            _settle(self._promised[key], CancelledError())

    def _make_lowest(self) -> None:
        with self._lock:
            _, key = heapq.heappop(self._waiting)
        try:
            _settle(self._promised[key], self._makers[key](False))
        except BaseException as error:
            _settle(self._promised[key], error)

    def clashes(self) -> list[Clash]:
        """Paths that several of the plan's wheels own; told once of the same wheels.

        Asked for when all layers are made. Raises ``WheelRefused`` for wheels that cannot be had together.
        """
        wheels = [w for layer in self._plan.layers if isinstance(layer, WheelsLayer) for w in layer.wheels]
        below = [] if self._plan.prefix.is_ours else self._plan.base.config.diff_ids
        key = digest_of_json(["clashes", [wheel.key for wheel in wheels], below])
        if self._cache.is_noted(key):
            return []
        from imagekit.layers.base_clashes import base_clashes
        from imagekit.layers.clashes import find_clashes

        found = find_clashes([(wheel.pin, self._entries[wheel.key]) for wheel in wheels])
        if not self._plan.prefix.is_ours and self._contents is not None:
            owned = ((wheel.pin, self._entries[wheel.key].paths()) for wheel in wheels)
            found += base_clashes(owned, self._plan.removed, self._plan.base, self._contents())
        self._cache.note(key)
        return found

    def _layer(self, planned: PlannedLayer, source: SourceTree | None) -> Layer:
        if isinstance(planned, WheelsLayer):
            entries = [self._entries[wheel.key] for wheel in planned.wheels]
            return together(self._cache, planned.key, entries, self._plan.prefix.directories)
        entry = self._cache.get(planned.key)
        if entry is None:
            try:
                entry = self._cache.put(
                    planned.key,
                    lambda out: self._write(planned, source, out),
                    title=planned.title,
                    stop=self._ended,
                )
            except BeingMade:
                raise CancelledError from None
        return whole(entry)

    def _write(self, planned: PlannedLayer, source: SourceTree | None, out: BinaryIO) -> WrittenLayer:
        base = self._plan.base
        if isinstance(planned, EnvironmentLayer):
            return tree_layer.write_environment(base, planned.prefix, planned.user, planned.workdir, out)
        if isinstance(planned, ProjectLayer):
            from imagekit.layers.project_files import project_files

            files = project_files(planned.project, planned.prefix, planned.workdir)
            return tree_layer.write_contents(files, planned.prefix, out)
        if isinstance(planned, RemovedLayer) and self._contents is not None:
            from imagekit.layers.removal import doomed

            paths = doomed(planned.distributions, base, self._contents())
            return tree_layer.write_whiteouts(paths, base, out)
        if isinstance(planned, FilesLayer):
            return tree_layer.write_files(planned.files, dict(planned.digests), base, out)
        if isinstance(planned, SourceLayer) and source is not None:
            return tree_layer.write_source(source, planned.digest, planned.workdir, planned.user, base, out)
        raise TypeError(f"no layer is made of {type(planned).__name__}")


def _is_kept(promise: Future[Entry]) -> bool:
    """Whether nobody waits for it; of another process's layer they do."""
    return promise.done() and not isinstance(promise.exception(), BeingMade)


def _settle(promise: Future[Entry], outcome: Entry | BaseException) -> None:
    """Keep a promise, or break it; the first word counts."""
    with suppress(InvalidStateError):
        if isinstance(outcome, BaseException):
            promise.set_exception(outcome)
        else:
            promise.set_result(outcome)
