"""From a lock to wheels to layers: what the rooms below do together, with all that can overlap overlapping."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from imagekit.engine.client import Engine
from imagekit.errors import InvalidProject
from imagekit.layers.build import LayerMaker
from imagekit.layers.cache import LayerCache
from imagekit.layers.values import Layer
from imagekit.lock.fetch import WheelStore, fetch_all
from imagekit.lock.values import Lock, LockedPackage
from imagekit.plan.values import Plan
from imagekit.progress import Reporter
from imagekit.spec.image import ImageSpec
from imagekit.spec.installed import Contents
from imagekit.spec.source_tree import SourceTree
from imagekit.stages.compile import ContainerCompiler
from imagekit.stages.in_base import InBase


def wheels_only(
    spec: ImageSpec, lock: Lock, tree: SourceTree | None, stage: InBase, store: WheelStore, cache: Path
) -> Lock:
    """``lock`` with a wheel for each source distribution, and for a project that must be built, built in ``stage``."""
    sources = [package for package in lock.packages if not package.artifact.is_wheel]
    if not sources and not spec.builds_project:
        return lock
    from imagekit.stages.source_build import build_wheels

    built = build_wheels(sources, stage, store=store, cache_dir=cache, indexes=spec.indexes)
    packages = [
        replace(package, artifact=built[package.name].artifact) if package.name in built else package
        for package in lock.packages
    ]
    if spec.builds_project:
        packages.append(_project_wheel(spec, tree, stage, cache))
    return replace(lock, packages=tuple(sorted(packages, key=lambda package: package.name)))


def _project_wheel(spec: ImageSpec, tree: SourceTree | None, stage: InBase, cache: Path) -> LockedPackage:
    from imagekit.stages.source_build import build_project_wheel

    if spec.project is None or tree is None:
        raise InvalidProject("there is no project to build", hint="add a [project] table to pyproject.toml")
    wheel = build_project_wheel(
        spec.project.name,
        {file.path: tree.root / file.path for file in tree.files if file.kind != "dir"},
        tree.digest(),
        stage,
        cache_dir=cache,
        indexes=spec.indexes,
    )
    _, version, _, _ = parse_wheel_filename(wheel.filename)
    name = canonicalize_name(spec.project.name)
    return LockedPackage(name=name, version=str(version), artifact=wheel.artifact, direct=True)


def make_layers(
    engine: Engine,
    plan: Plan,
    lock: Lock,
    tree: SourceTree | None,
    *,
    store: WheelStore,
    cache: LayerCache,
    reporter: Reporter,
    contents: Callable[[], Contents] | None = None,
) -> list[Layer]:
    """The layers of ``plan``, the lowest first: from ``cache``, or made from the files of ``lock`` and ``tree``.

    ``contents`` reads what the base has installed, where some of it is to be removed.
    """
    with ExitStack() as stack:
        compiler = ContainerCompiler(engine, plan.base)
        maker = stack.enter_context(LayerMaker(plan, cache, compiler, contents=contents))
        # It ends first: when something failed, whoever waits for bytecode is told at once.
        stack.enter_context(compiler)
        missing = {wheel.name: wheel for wheel in maker.missing_wheels()}
        wanted = [package for package in lock.packages if package.name in missing]
        # Downloading, compiling and writing overlap: a wheel's layer begins when its file is there.
        for package, path in fetch_all(wanted, store, reporter=reporter):
            maker.add_wheel(missing[package.name], path)
        layers = maker.finish(tree, reporter)
        if missing:
            for clash in maker.clashes():
                reporter.line(f"{clash.path} is in {clash.first} and {clash.second}; the latter's is used")
    return layers
