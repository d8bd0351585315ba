"""The image that fits the versions in use, by its name alone."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from imagekit.errors import InputError
from imagekit.matrix.tags import written
from imagekit.matrix.values import FLAVORS, STANDARD
from imagekit.nearest import nearest_hint
from imagekit.oci.reference import Reference
from imagekit.wrong_type import wrong_type

# Versioneer and setuptools-scm write the commit of a build between releases so.
_COMMIT = re.compile(r"(?:^|\.)g([0-9a-f]{7,40})(?:\.|$)")

# ``sys.version`` and ``platform.python_version()`` begin so, pre-releases and local builds too (3.14.0rc1, 3.11.2+).
_PYTHON = re.compile(r"(3\.(?:0|[1-9]\d?))(?![\d])")


def default_image(
    framework_version: str, python_version: str, flavor: str = STANDARD, *, name: str = "imagekit/prefect"
) -> str:
    """``NAME:X.Y.Z-pythonA.B[-conda]``, the tag of the provided matrix for these versions.

    ``python_version`` may have more parts than two; what follows the minor version is left out. A pre-release has
    images of its own (``3.9.0rc1-python3.11``), and so has a local version (``3.8.8_acme.1-…``: a tag has no ``+``); a
    version that names a commit (``3.8.8+4.gabc1234``) means that commit's build, ``sha-abc1234-…``, as the tags of
    Prefect's own images have it. ``name`` is the images', without a tag. Raises ``InputError``.
    """
    for given, value, example in (
        ("framework_version", framework_version, "3.8.8"),
        ("python_version", python_version, "3.11"),
        ("flavor", flavor, STANDARD),
        ("name", name, "imagekit/prefect"),
    ):
        if not isinstance(value, str):
            raise wrong_type(value, given, "a string", f"write {given}='{example}'")
    if Reference.parse(name, target=True).tag is not None:
        raise InputError(f"{name!r} has a tag, and it is the versions that give one", hint="leave the tag out")
    try:
        version = Version(framework_version)
    except InvalidVersion:
        raise InputError(f"{framework_version!r} is no version", hint="write it as pip shows it: 3.8.8") from None
    found = _PYTHON.match(python_version)
    if found is None:
        raise InputError(f"{python_version!r} is no version of Python", hint="write it as 3.11 or 3.11.2")
    minor = found[1]
    if flavor not in FLAVORS:
        raise InputError(f"unknown flavor {flavor!r}", hint=nearest_hint(flavor, FLAVORS))
    commit = _COMMIT.search(version.local or "")
    head = f"sha-{commit[1][:7]}" if commit else written(str(version))
    return str(Reference.parse(name).with_tag(f"{head}-python{minor}{'' if flavor == STANDARD else f'-{flavor}'}"))
