"""Extra packages unpacked into a container that is not started yet: files of the derived image, which is not there.

The engine writes the first wheel while others are still on their way; it digests and keeps nothing, as it does with an
image's layers. Of bytecode the container gets what the flow will import first, as far as that can be told: compiling
has all cores, and a flow that does it itself has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, TimeoutError
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from imagekit.errors import ImagekitError
from imagekit.extras.bytecode import is_test
from imagekit.extras.imported import Imported
from imagekit.layers import archive
from imagekit.layers.base_clashes import base_clashes
from imagekit.layers.bytecode import pyc_path
from imagekit.layers.clashes import refuse_files_for_directories
from imagekit.layers.loose_files import LooseFiles, Unpacked, in_large_pieces, sharing
from imagekit.lock.stop import Stop
from imagekit.mailbox import Empty, Mailbox
from imagekit.plan.layering import HEAVY, WELL_KNOWN_LARGE
from imagekit.runs.adding import Stopped
from imagekit.sharing.leases import in_use

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.engine.containers import Container
    from imagekit.lock.fetch import WheelStore
    from imagekit.lock.values import LockedPackage
    from imagekit.progress import Reporter
    from imagekit.spec.installed import Contents
    from imagekit.stages.compile_client import ServedCompiler

# How long a Ctrl-C waits for a file, or for bytecode, that is on its way.
_PULSE = 0.1
_BATCH = 32
_Batch = tuple[list[str], "Future[list[bytes | None]]"]


class Unpacking:
    """The wheels of ``planned`` on their way into a container. As a context manager it ends what is under way.

    ``compiler`` has been begun, and is ended here. ``order`` is asked for where wheels have files in common: their
    names as they lie in the image, the lowest first.
    """

    def __init__(
        self,
        planned: Planned,
        store: WheelStore,
        cache: Path,
        compiler: ServedCompiler,
        contents: Callable[[], Contents],
        order: Callable[[], list[str]],
    ) -> None:
        self._planned = planned
        self._store = store
        self._cache = cache
        self._compiler = compiler
        self._contents = contents
        self._order = order
        self._arrived: Mailbox[tuple[LockedPackage, Path] | BaseException | None] = Mailbox()
        self._stop = Stop()
        self._thread: Thread | None = None

    def begin(self, reporter: Reporter) -> None:
        """Begin to fetch them, in a thread."""
        self._thread = Thread(target=self._fetch, args=(reporter,), name="imagekit-extras-fetch", daemon=True)
        self._thread.start()

    def put(self, container: Container, flow: bytes, is_stopped: Callable[[], bool]) -> None:
        """Put all of them into ``container``. ``Stopped`` where ``is_stopped`` says so meanwhile.

        ``flow`` is the text of its file. Raises what fetching does, and ``WheelRefused`` for what cannot be in one
        image.
        """
        with in_use(self._cache):
            container.put("/", in_large_pieces(self._members(flow, is_stopped)))
        Thread(target=self._end_compiler, name="imagekit-extras-compiled", daemon=True).start()

    def __enter__(self) -> Unpacking:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._end_compiler()

    def _end_compiler(self) -> None:
        # Its container carries its owner: the next command takes away what an engine that is gone did not.
        with suppress(ImagekitError, OSError):
            self._compiler.end()

    def _members(self, flow: bytes, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        plan = self._planned.plan
        loose, modules = LooseFiles(plan.prefix), _Modules(flow, f"{plan.prefix.site_path.lstrip('/')}/")
        unpacked: dict[str, Unpacked] = {}
        paths: dict[str, Path] = {}
        batches: list[_Batch] = []
        for package, path in self._arriving(is_stopped):
            unpacked[package.name] = yield from loose.of(path, modules.add)
            paths[package.name] = path
            modules.arrived(is_wanted=package.direct)
            batches += self._compiling(modules)
        self._refuse(unpacked)
        if shared := sharing(unpacked):
            # Each path is to be its whose layer lies highest in the image.
            for name in self._order():
                if name in shared:
                    yield from loose.of(paths[name])
        there = {path for wheel in unpacked.values() for path in wheel.files}
        for module, pyc in _answers(batches, is_stopped):
            place = pyc_path(module, plan.base.python.cache_tag)
            if place not in there and module not in modules.ambiguous:
                yield from loose.file(place, pyc)
        yield archive.END

    def _compiling(self, modules: _Modules) -> Iterator[_Batch]:
        # Without bytecode the flow starts as well.
        with suppress(ImagekitError, OSError):
            batch: list[tuple[str, bytes]] = []
            for source in modules.take():
                batch.append(source)
                if len(batch) == _BATCH:
                    yield self._submitted(batch)
                    batch = []
            if batch:
                yield self._submitted(batch)

    def _submitted(self, batch: list[tuple[str, bytes]]) -> _Batch:
        return [path for path, _ in batch], self._compiler.submit([(f"/{path}", text) for path, text in batch])

    def _refuse(self, unpacked: dict[str, Unpacked]) -> None:
        plan = self._planned.plan
        pins = {package.name: f"{package.name}=={package.version}" for package in self._planned.lock.packages}
        owned = [(pins[name], found) for name, found in unpacked.items()]
        refuse_files_for_directories(
            owned, {path: number for number, (_, found) in enumerate(owned) for path in found.files}
        )
        base_clashes(((pin, found.files) for pin, found in owned), plan.removed, plan.base, self._contents())

    def _arriving(self, is_stopped: Callable[[], bool]) -> Iterator[tuple[LockedPackage, Path]]:
        while True:
            if is_stopped():
                raise Stopped
            try:
                arrived = self._arrived.get(timeout=_PULSE)
            except Empty:
                continue
            if arrived is None:
                return
            if isinstance(arrived, BaseException):
                raise arrived
            yield arrived

    def _fetch(self, reporter: Reporter) -> None:
        from imagekit.lock.fetch import fetch_all

        try:
            with in_use(self._cache):
                packages = sorted(self._planned.lock.packages, key=_weight, reverse=True)
                with closing(fetch_all(packages, self._store, reporter=reporter, stop=self._stop)) as arriving:
                    for each in arriving:
                        self._arrived.put(each)
            self._arrived.put(None)
        except BaseException as error:
            self._arrived.put(error)


class _Modules:
    """The modules below ``site`` of wheels, and which of them a flow needs."""

    def __init__(self, flow: bytes, site: str) -> None:
        self._imported = Imported(flow)
        self._site = site
        self._texts: dict[str, int] = {}
        self._tops: set[str] = set()
        self.ambiguous: set[str] = set()  # paths that wheels have other texts for

    def add(self, path: str, text: bytes) -> None:
        relative = path.removeprefix(self._site)
        if relative == path or is_test(f"/{path}"):
            return
        if self._texts.setdefault(path, hash(text)) != hash(text):
            self.ambiguous.add(path)
        self._tops.add(relative.partition("/")[0].removesuffix(".py"))
        self._imported.add(path, relative, text)

    def arrived(self, *, is_wanted: bool) -> None:
        """All of a wheel has; somebody asked for it by name."""
        if is_wanted:
            for name in self._tops:
                self._imported.want(name)
        self._tops = set()

    def take(self) -> Iterator[tuple[str, bytes]]:
        return self._imported.take()


def _answers(batches: list[_Batch], is_stopped: Callable[[], bool]) -> Iterator[tuple[str, bytes]]:
    """Bytecode by the module's path, in the order in which it was asked for; as much of it as there is."""
    for paths, future in batches:
        while True:
            if is_stopped():
                raise Stopped
            try:
                found = future.result(timeout=_PULSE)
            except TimeoutError:
                continue
            except (ImagekitError, OSError):
                return
            break
        yield from ((path, pyc) for path, pyc in zip(paths, found, strict=True) if pyc is not None)


def _weight(package: LockedPackage) -> tuple[bool, int]:
    """What imports others goes first, and what takes longest: the index may not have told its size."""
    size = package.artifact.size
    return package.direct, size if size is not None else HEAVY if package.name in WELL_KNOWN_LARGE else 0
