"""Whether an image of a peer's holds what it should: what does not has no time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from benchmarks import checks
from benchmarks.peers.builder import STORE, Builder
from benchmarks.process import Failed
from benchmarks.sets import Pin, uv_program

_VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"


def has_packages(builder: Builder, pins: Mapping[str, Pin]) -> None:
    """The image has every release of ``pins``, and no other of the same package."""
    told: dict[str, str] = json.loads(inside(builder, _VERSIONS))
    found = {re.sub("[-_.]+", "-", name).lower(): version for name, version in told.items()}
    wrong = [
        f"{pin.package} {found.get(name, 'missing')}, not {pin.version}"
        for name, pin in sorted(pins.items())
        if found.get(name) != pin.version
    ]
    if wrong:
        raise Failed(f"{builder.image} has not what was asked for: {'; '.join(wrong)}")


def works(builder: Builder) -> None:
    """Its requirements agree, and all that the set is wanted for can be imported."""
    uv = ["--volume", f"{uv_program()}:/opt/uv:ro", "--entrypoint", "/opt/uv"]
    check = ["pip", "check", "--python", builder.python, "--no-cache"]
    builder.at.docker(STORE, "run", "--rm", "--network", "none", "--user", "0", *uv, builder.image, *check)
    inside(builder, checks.import_program(builder.packages))


def has_edition(builder: Builder, edition: int) -> None:
    """The image has the project's code as it is now."""
    text = f"EDITION = {edition}\n"
    if text not in inside(builder, f"print(open({builder.code!r}).read())"):
        raise Failed(f"{builder.image} has an old {builder.code}")


def inside(builder: Builder, program: str) -> str:
    """What ``program`` prints in a container of the image, by the Python that has its packages, without a network."""
    options = ["--rm", "--interactive", "--network", "none", "--entrypoint", builder.python]
    return builder.at.docker(STORE, "run", *options, builder.image, "-", stdin=program)


def size(builder: Builder) -> tuple[int, int]:
    """Bytes of the whole image, as the engine tells them, and how many layers it has."""
    told = builder.at.docker(STORE, "image", "inspect", "--format", "{{.Size}} {{len .RootFS.Layers}}", builder.image)
    total, layers = told.split()
    return int(total), int(layers)
