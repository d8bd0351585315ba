"""Which of an image's packages needs which, by their own metadata. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from imagekit.attest.packages import PythonPackage
from imagekit.oci.platform import Platform


def needed(packages: Sequence[PythonPackage], python: str, platform: Platform) -> dict[str, tuple[str, ...]]:
    """Location of each package → locations of those that it needs and finds beside it.

    Extras that were asked for are not known from an image; what only they need is left out.
    """
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }
    if not python:
        del environment["python_full_version"], environment["python_version"]
    beside: dict[tuple[str, str], str] = {}
    for package in packages:
        beside[package.location.rpartition("/")[0], package.name] = package.location
    found = {}
    for package in packages:
        place = package.location.rpartition("/")[0]
        names = {name for text in package.requires if (name := _name(text, environment))}
        found[package.location] = tuple(sorted(beside[place, name] for name in names if (place, name) in beside))
    return found


def _name(text: str, environment: dict[str, str]) -> str | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    holds = requirement.marker is None or requirement.marker.evaluate(environment)
    return canonicalize_name(requirement.name) if holds else None
