"""``runtime-extras``: what an image carries so that other engines than imagekit honour ``EXTRA_PIP_PACKAGES``.

An entrypoint, the program that it hands over to where the variable is set, and pip among the packages.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagekit.spec.image import FileMapping, ImageSpec, RequirementLine

DIRECTORY = "/opt/imagekit"
# No file of it needs to be executable, and the shell is there before the Python.
ENTRYPOINT = ("/bin/sh", f"{DIRECTORY}/start.sh")
INSTALLER = "pip"
ORIGIN = "runtime-extras"  # of the requirement that asks for it
# Below the package, and below DIRECTORY.
_FILES = {
    "spec/extra_pieces.py": "pieces.py",
    "extras/start.sh": "start.sh",
    "extras/start_program.py": "start_program.py",
}


def carried_files() -> tuple[FileMapping, ...]:
    """The entrypoint and its program, with where they go."""
    own = Path(__file__).parents[1]
    return tuple(FileMapping(source=own / path, target=f"{DIRECTORY}/{name}") for path, name in _FILES.items())


def with_runtime_extras(spec: ImageSpec) -> ImageSpec:
    """``spec`` with all of it; pip is not asked for twice."""
    # Where only source was edited, plans are made without reading a requirement.
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    names = {canonicalize_name(Requirement(line.text).name) for line in spec.requirements}
    installer = () if INSTALLER in names else (RequirementLine(text=INSTALLER, origin=ORIGIN),)
    files = sorted((*spec.files, *carried_files()), key=lambda mapping: mapping.target)
    return replace(spec, runtime_extras=True, requirements=(*spec.requirements, *installer), files=tuple(files))


def entrypoint_before(known: object) -> tuple[str, ...]:
    """The entrypoint of an image whose base has ``known`` (a list, or nothing) as its own."""
    own = tuple(map(str, known)) if isinstance(known, (list, tuple)) else ()
    return own if own[: len(ENTRYPOINT)] == ENTRYPOINT else (*ENTRYPOINT, *own)
