"""Paths that wheels take from what stays of a base."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from imagekit.errors import WheelRefused
from imagekit.layers.clashes import Clash
from imagekit.spec.base import BaseImage
from imagekit.spec.installed import Contents, Distribution


def base_clashes(
    owned: Iterable[tuple[str, Iterable[str]]],
    removed: Collection[Distribution],
    base: BaseImage,
    contents: Contents,
) -> list[Clash]:
    """What the wheels ``(pin, paths)`` and the distributions of ``base`` that are not ``removed`` both own.

    Raises ``WheelRefused`` for a file in the place of a directory: it would hide all that is in there.
    """
    gone = {found.metadata for found in removed}
    pins = {found.metadata: found.pin for found in base.python.kept if found.metadata not in gone}
    owners = {path: pin for metadata, pin in pins.items() for path in contents.files.get(metadata, ())}
    directories = {path.rpartition("/")[0] for path in owners}
    found = []
    for pin, paths in owned:
        for path in paths:
            if (owner := owners.get(f"/{path}")) is not None:
                found.append(Clash(path, f"{owner} of the base", pin))
            elif f"/{path}" in directories:
                raise WheelRefused(
                    f"{pin} has a file /{path}, which is a directory in {base.reference}",
                    hint="they cannot be installed together: choose another base image, or leave the package out",
                )
    return found
