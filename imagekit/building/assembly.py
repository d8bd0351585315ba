"""From a lock to wheels to layers: what the rooms below do together, with all that can overlap overlapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.building.planned import Planned
from imagekit.errors import InvalidProject
from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.layers.values import Layer
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.progress import Reporter
from imagekit.spec.image import ImageSpec
from imagekit.spec.installed import Contents
from imagekit.spec.source_tree import SourceTree

if TYPE_CHECKING:
    from imagekit.git.remote import Git
    from imagekit.layers.bytecode import Compiler
    from imagekit.lock.direct import Sources
    from imagekit.lock.fetch import WheelStore
    from imagekit.stages.in_base import InBase

Take = Callable[[Iterator[Layer], Callable[[], bool]], list[Layer]]


def wheels_only(
    spec: ImageSpec, lock: Lock, tree: SourceTree | None, stage: InBase, store: WheelStore, git: Git, cache: Path
) -> Lock:
    """``lock`` with a wheel for each source distribution, and for a project that must be built, built in ``stage``."""
    sources = [package for package in lock.packages if not package.artifact.is_wheel]
    if not sources and not spec.builds_project:
        return lock
    from imagekit.stages.source_build import build_wheels

    built = build_wheels(sources, stage, store=store, cache_dir=cache, git=git)
    packages = [
        # The version of a directory is what its build says now.
        replace(
            package,
            version=built[package.name].version,
            artifact=built[package.name].artifact,
            built_from=package.artifact,
            built_with=built[package.name].tools,
        )
        if package.name in built
        else package
        for package in lock.packages
    ]
    if spec.builds_project:
        packages.append(_project_wheel(spec, tree, stage, store, cache))
    return replace(lock, packages=tuple(sorted(packages, key=lambda package: package.name)))


def sources(spec: ImageSpec, stage: InBase, store: WheelStore, git: Git, cache: Path) -> Sources:
    """How what requirements name by URL, path or commit is fetched, and built in ``stage``."""
    from imagekit.lock.direct import Sources

    def build(package: LockedPackage) -> Artifact:
        from imagekit.stages.source_build import build_wheels

        built = build_wheels([package], stage, store=store, cache_dir=cache, git=git)
        return built[package.name].artifact

    return Sources(store=store, git=git, build=build)


def _project_wheel(
    spec: ImageSpec, tree: SourceTree | None, stage: InBase, store: WheelStore, cache: Path
) -> LockedPackage:
    from packaging.utils import canonicalize_name, parse_wheel_filename

    from imagekit.stages.source_build import build_project_wheel

    if spec.project is None or tree is None:
        raise InvalidProject("there is no project to build", hint="add a [project] table to pyproject.toml")
    wheel = build_project_wheel(
        spec.project.name,
        {file.path: tree.root / file.path for file in tree.files if file.kind != "dir"},
        tree.digest(),
        stage,
        store=store,
        cache_dir=cache,
    )
    _, version, _, _ = parse_wheel_filename(wheel.filename)
    name = canonicalize_name(spec.project.name)
    return LockedPackage(name=name, version=str(version), artifact=wheel.artifact, direct=True, built_with=wheel.tools)


def make_layers(
    planned: Planned,
    *,
    store: Callable[[], WheelStore],
    cache: LayerCache,
    compiler: Callable[[], AbstractContextManager[Compiler | None]],
    contents: Callable[[], Contents],
    reporter: Reporter,
    take: Take = lambda layers, is_waiting: list(layers),
) -> list[Layer]:
    """The layers of a plan, the lowest first: from ``cache``, or made from the files of the lock and the source.

    ``store`` and ``compiler`` are asked for only where a wheel's layer is missing, and ``contents``, which reads
    what the base has installed, where some of that is to be removed. ``take`` is given the layers as they are
    made, while those above are still being made, and how to ask whether the next is; it runs in a thread of its own.
    """
    with ExitStack() as stack:
        maker = stack.enter_context(LayerMaker(planned.plan, cache, contents=contents))
        missing = {wheel.name: wheel for wheel in maker.missing_wheels()}
        if not missing:
            # Each was made for another image: that they go together is to be seen.
            layers = take(maker.in_order(planned.tree, reporter), maker.is_waiting)
            _say_clashes(maker, reporter)
            return layers
        from imagekit.lock.fetch import fetch_all

        # It ends first: when something failed, whoever waits for bytecode is told at once.
        compiling = stack.enter_context(compiler())
        taker = stack.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="imagekit-take"))
        stack.callback(maker.give_up, CancelledError())
        taken = taker.submit(take, maker.in_order(planned.tree, reporter), maker.is_waiting)
        packages = {package.name: package for package in planned.lock.packages}
        # As the layers lie, from the bottom: what is below can be loaded while the rest is made.
        wanted = [packages[name] for name in missing]
        # Downloading, compiling, writing and taking overlap: a wheel's layer begins when its file is there.
        with closing(fetch_all(wanted, store(), reporter=reporter)) as arriving:
            for package, path in arriving:
                maker.add_wheel(missing[package.name], path, compiling)
                if taken.done():  # before the last file came: with an error
                    break
        layers = taken.result()
        _say_clashes(maker, reporter)
    return layers


def _say_clashes(maker: LayerMaker, reporter: Reporter) -> None:
    """What the wheels have in common; ``WheelRefused`` where they cannot be in one image."""
    found = maker.clashes()
    if found:
        from imagekit.layers.clashes import lines

        for line in lines(found):
            reporter.line(line)
