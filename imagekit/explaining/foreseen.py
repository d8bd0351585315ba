"""What a build would do, as far as that is known without building anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from imagekit.explaining.costs import costs_of
from imagekit.layers.blobs import BlobCache
from imagekit.layers.cache import LayerCache
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.plan.strategy import Strategy, strategy
from imagekit.plan.values import Plan
from imagekit.spec.image import ImageSpec, Project
from imagekit.spec.source_tree import SourceTree
from imagekit.stages.built_wheels import BuiltWheels, LocalWheel
from imagekit.stages.in_base import InBase


def with_known_wheels(spec: ImageSpec, lock: Lock, tree: SourceTree | None, stage: InBase, cache: Path) -> Lock:
    """``lock`` with the wheel of each source distribution that was built here before, and of the project.

    What was never built stays a source distribution, and so does the project, with its source's digest for a hash.
    """
    if all(package.artifact.is_wheel for package in lock.packages) and not spec.builds_project:
        return lock
    from imagekit.stages.source_build import wheel_key

    kept = BuiltWheels(cache / "built")

    def known(package: LockedPackage) -> LockedPackage:
        wheel = None if package.artifact.is_wheel else kept.get(wheel_key(f"sha256:{package.artifact.sha256}", stage))
        return package if wheel is None else replace(package, version=wheel.version, artifact=wheel.artifact)

    packages = [known(package) for package in lock.packages]
    if spec.project is not None and spec.builds_project and tree is not None:
        packages.append(_project(spec.project, tree.digest(), kept.get(wheel_key(tree.digest(), stage))))
    return replace(lock, packages=tuple(sorted(packages, key=lambda package: package.name)))


def explained(plan: Plan, tree: SourceTree | None, cache: Path) -> Strategy:
    """``plan`` with the reasons for its layers, and what the cache knows of each."""
    return strategy(plan, costs_of(plan, tree, LayerCache(cache / "layers"), BlobCache(cache / "blobs")))


def _project(project: Project, source: Digest, wheel: LocalWheel | None) -> LockedPackage:
    name = canonicalize_name(project.name)
    if wheel is None:
        # What its build backend will say is not known; a plan shows no file of it.
        artifact = Artifact(filename=f"{name}.tar.gz", url="", sha256=source.removeprefix("sha256:"))
        return LockedPackage(name=name, version=project.version or "?", artifact=artifact, direct=True)
    _, version, _, _ = parse_wheel_filename(wheel.filename)
    return LockedPackage(name=name, version=str(version), artifact=wheel.artifact, direct=True)
