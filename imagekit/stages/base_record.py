"""What was read of a base, as it is kept and as it becomes a ``BaseImage``; whoever has read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagekit.errors import BaseUnusable
from imagekit.oci.config import ImageConfig
from imagekit.oci.manifest import Descriptor
from imagekit.spec.base import BaseImage, PythonInfo
from imagekit.spec.python_version import OLDEST
from imagekit.stages import installed

_CHOOSE = "choose a base with CPython 3.8 or later: --base-image, or base-image in [tool.imagekit]"

# Part of what is kept: raised when more is read of a base than before.
FORMAT = 3


def kept_record(path: Path) -> Mapping[str, Any] | None:
    """What was read before, if it is whole and of this format."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and known.get("format") == FORMAT else None


def checked_probe(reference: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """``found``, if it is of a Python that imagekit can use; ``BaseUnusable`` otherwise."""
    if found["implementation"] != "cpython":
        raise BaseUnusable(f"{reference} has {found['implementation']}, and only CPython is supported", hint=_CHOOSE)
    if tuple(int(n) for n in found["markers"]["python_version"].split(".")) < OLDEST:
        raise BaseUnusable(f"{reference} has Python {found['version']}, which is too old", hint=_CHOOSE)
    return found


def base_of(reference: str, image_id: str, known: Mapping[str, Any]) -> BaseImage:
    """The base that the record ``known`` is of; ``BaseUnusable`` for one that cannot be built on."""
    base = _base(reference, image_id, known)
    if base.config.settings.get("OnBuild"):
        # They are steps for a Dockerfile's build, and no layer of ours could stand for them.
        raise BaseUnusable(
            f"{reference} has ONBUILD steps, which only a Dockerfile carries out",
            hint="build FROM it with a Dockerfile, and use that image as the base",
        )
    return base


def _base(reference: str, image_id: str, known: Mapping[str, Any]) -> BaseImage:
    probe, packages = known["probe"], known["installed"]
    return BaseImage(
        reference=reference,
        image_id=image_id,
        config=ImageConfig(known["config"]),
        python=PythonInfo(
            executable=probe["executable"],
            version=probe["version"],
            implementation=probe["implementation"],
            cache_tag=probe["cache_tag"],
            libc=probe["libc"],
            libc_version=probe["libc_version"],
            machine=probe["machine"],
            prefix=probe["prefix"],
            markers=tuple(sorted(probe["markers"].items())),
            command=probe["command"],
            environment=packages["environment"],
            conda=packages["conda"],
            scheme=installed.scheme_of(packages),
            distributions=installed.distributions_of(packages),
        ),
        passwd=probe["passwd"],
        group=probe["group"],
        layers=tuple(Descriptor.from_json(layer) for layer in known["layers"]),
        directories=tuple((path, mode, uid, gid) for path, mode, uid, gid in probe["directories"]),
        links=tuple((path, target) for path, target in probe["links"]),
        release=probe["release"],
        libraries=tuple(probe["libraries"]),
    )
