"""Which Python an image may have, and which it gets when nobody says."""

from __future__ import annotations

import re
import sys

from packaging.specifiers import SpecifierSet

from imagekit.errors import InvalidProject

OLDEST = (3, 8)  # what runs in containers keeps to its syntax
KNOWN = ("3.14", "3.13", "3.12", "3.11", "3.10", "3.9")


def check_python(version: str, requires_python: str) -> str:
    """``version`` (``3.11``, ``3.11.4``), which ``requires_python`` must allow."""
    if not re.fullmatch(r"[23]\.\d{1,2}(\.\d{1,3})?", version):
        raise InvalidProject(f"{version!r} is no Python version", hint='write "3.11"')
    if tuple(int(number) for number in version.split(".")[:2]) < OLDEST:
        raise InvalidProject(f"Python {version} is asked for, which is too old", hint="ask for 3.8 or later")
    if not _allows(requires_python, version):
        raise InvalidProject(
            f"Python {version} is asked for, and the project requires {requires_python}",
            hint="ask for another Python, or change requires-python",
        )
    return version


def default_python(requires_python: str) -> str:
    """The running interpreter's ``3.X``; where the specifier excludes it, the highest of ``KNOWN`` that fits."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version in (running, *KNOWN):
        if _allows(requires_python, version):
            return version
    raise InvalidProject(
        f"no known Python fits requires-python {requires_python!r}", hint=f"known are {', '.join(KNOWN)}"
    )


def _allows(requires_python: str, version: str) -> bool:
    specifiers = SpecifierSet(requires_python)
    if version.count(".") == 2:
        return specifiers.contains(version, prereleases=True)
    # Some patch release of 3.X has to fit: ">=3.11.4" and "<3.11.5" both leave some.
    return any(specifiers.contains(f"{version}.{patch}", prereleases=True) for patch in range(100))
