"""Holding a lock to the hashes that its requirements name.

uv does not look at hashes while it compiles, so the files it names are held to them here,
by the rules of pip's hash-checking mode: once one requirement has a hash, all must.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from packaging.pylock import Pylock
from packaging.utils import canonicalize_name

from imagekit.errors import HashMismatch
from imagekit.lock.inputs import applying
from imagekit.lock.pylock import LockFile
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.spec.image import ImageSpec


def allowed_hashes(spec: ImageSpec, target: Target) -> dict[str, frozenset[str]]:
    """The sha256 (hex) that each package may have, for those that ``spec`` names a hash of.

    Where a package is named twice, each of its lines must be met.
    """
    allowed: dict[str, frozenset[str]] = {}
    for requirement, line in applying((*spec.requirements, *spec.constraints), target):
        if line.hashes:
            name = canonicalize_name(requirement.name)
            hashes = frozenset(h.removeprefix("sha256:") for h in line.hashes)
            allowed[name] = allowed.get(name, hashes) & hashes
    return allowed


def only_allowed(file: LockFile, allowed: Mapping[str, frozenset[str]]) -> LockFile:
    """``file`` without the files whose hash is not allowed; :class:`HashMismatch` where none is left."""
    packages = []
    for package in file.pylock.packages:
        hashes = allowed.get(package.name)
        if hashes is None:
            packages.append(package)
            continue
        wheels = [w for w in package.wheels or () if w.hashes.get("sha256") in hashes]
        sdist = package.sdist if package.sdist and package.sdist.hashes.get("sha256") in hashes else None
        archive = package.archive if package.archive and package.archive.hashes.get("sha256") in hashes else None
        if not wheels and sdist is None and archive is None:
            raise HashMismatch(
                f"no file of {package.name} {package.version or ''}".rstrip()
                + " that fits the target has a hash that the requirements allow",
                hint=f"the hashes of {package.name} were made for other files: make them anew for this target",
            )
        packages.append(replace(package, wheels=wheels or None, sdist=sdist, archive=archive))
    pylock = file.pylock
    return replace(file, pylock=_with_packages(pylock, packages))


def _with_packages(pylock: Pylock, packages: list) -> Pylock:  # type: ignore[type-arg]
    return replace(pylock, packages=packages)


def require_all(lock: Lock, allowed: Mapping[str, frozenset[str]]) -> None:
    """:class:`HashMismatch` where a package of ``lock`` has no hash among ``allowed``."""
    bare = [p for p in lock.packages if p.name not in allowed]
    if bare:
        names = ", ".join(f"{p.name}=={p.version}" for p in bare)
        raise HashMismatch(
            f"some requirements have hashes, so all must; without one: {names}",
            hint="add these packages with their hashes, or take all hashes out: imagekit's lock is hashed anyway",
        )
