"""Pre-releases: taken where they are asked for, and where what others need leaves nothing else.

Resolvers fall back to a pre-release where no final version fits (PEP 440, "Handling of pre-releases"). What a
project asks for itself must say that it wants one; what only others need cannot be said by it, and is told.
"""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from imagekit.errors import Unsatisfiable
from imagekit.lock.inputs import applying
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.spec.image import ImageSpec, RequirementLine


def refuse_unasked(lock: Lock, spec: ImageSpec, target: Target) -> tuple[str, ...]:
    """Lines about the pre-releases in ``lock`` that only others need.

    :class:`Unsatisfiable` where one is asked for by the project, and nothing there says that it may be one.
    """
    taken = [p for p in lock.packages if Version(p.version).is_prerelease and not p.artifact.by_url]
    if not taken:
        return ()
    asked: dict[str, list[tuple[Requirement, RequirementLine]]] = {}
    for requirement, line in applying((*spec.requirements, *spec.constraints), target):
        asked.setdefault(canonicalize_name(requirement.name), []).append((requirement, line))
    told = []
    for package in taken:
        lines = asked.get(package.name, [])
        if not package.direct:
            told.append(f"{package.name} {package.version} is a pre-release: no other version fits what needs it")
        elif not any(requirement.specifier.prereleases for requirement, _ in lines):
            _, line = lines[0]
            raise Unsatisfiable(
                f"{line.origin}: no version but the pre-release {package.version} fits {line.text}",
                hint=f"to take it, name it: {package.name}>={package.version}; prereleases = true takes any",
            )
    return tuple(told)
