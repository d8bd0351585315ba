"""Which of a base's packages make place for those of the lock and for the project. Pure."""

from __future__ import annotations

from imagekit.errors import BaseConflict
from imagekit.lock.values import Lock
from imagekit.plan.values import Replacement
from imagekit.spec.base import BaseImage
from imagekit.spec.image import Project
from imagekit.spec.installed import Distribution


def replaced_by(
    lock: Lock, project: Project | None, base: BaseImage
) -> tuple[tuple[Distribution, ...], tuple[Replacement, ...]]:
    """The distributions of ``base`` to be removed, and what takes the place of each.

    ``BaseConflict`` where one of them cannot be removed: two of a name must not be left.
    """
    if not base.python.kept:
        return (), ()
    from packaging.utils import canonicalize_name

    new = {package.name: package.version for package in lock.packages}
    if project is not None and project.version is not None:
        new.setdefault(canonicalize_name(project.name), project.version)
    removed: list[Distribution] = []
    replaced: dict[str, Replacement] = {}
    for found in base.python.kept:
        version = new.get(found.name)
        if version is None:
            continue
        counts = found.name not in replaced
        if found.obstacle is None:
            removed.append(found)
        elif counts:
            raise BaseConflict(
                f"{found.pin} of the base cannot be replaced by {version}: {found.obstacle}",
                hint="take the version that the base has, or choose another base image",
            )
        if counts:
            why = lock.reasons.get(found.name)
            replaced[found.name] = Replacement(name=found.name, old=found.version, new=version, why=why)
    return tuple(removed), tuple(replaced.values())
