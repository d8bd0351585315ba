"""From what a project looks like to the keys to start from: those that hold, and those that a person may want."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.errors import InputError
from imagekit.spec.base import check_base_image
from imagekit.spec.entrypoint import Entrypoint
from imagekit.spec.keys import keys_of
from imagekit.spec.python_version import check_python, default_python
from imagekit.spec.table import Table
from imagekit.starting.known_imports import distribution_of, may_bring
from imagekit.starting.modules import Module, imported, needed
from imagekit.starting.survey import Survey

_MOST_FLOWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One key. One that does not hold is written as a comment."""

    key: str
    value: Any
    why: str  # one sentence or several
    holds: bool = True

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "value": self.value, "why": self.why, "holds": self.holds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to start from."""

    proposals: tuple[Proposal, ...]
    flows: tuple[str, ...]  # entrypoints, the one to try first


def propose(found: Survey) -> Start:
    """The keys for a project; a build with those that hold asks for nothing that the project does not have."""
    name = (found.pyproject.name if found.pyproject else None) or found.context.name
    packages, unknown = _packages(found)
    proposals = [
        Proposal(
            key="name",
            value=f"registry.example.com/team/{_repository(name)}",
            why="The image's name; without it the project's. A registry before it is where it is pushed to.",
            holds=False,
        ),
        *_python_and_base(found),
        *_dependencies(found, packages, unknown),
        *_entrypoints(found, {*found.distributions, *packages}),
        *_system_packages(found),
        Proposal(key="env", value={"TZ": "UTC"}, why="Variables of the image; no credentials.", holds=False),
        Proposal(
            key="files",
            value={"settings.yml": "/etc/app/settings.yml"},
            why="Files of the project that belong elsewhere in the image than below the working directory.",
            holds=False,
        ),
    ]
    known = keys_of(Table)
    flows = tuple(f"{module.path}:{flow}" for module in found.modules.values() for flow in _entries(module))
    return Start(proposals=tuple(each for each in proposals if each.key in known), flows=flows)


def _python_and_base(found: Survey) -> list[Proposal]:
    base = found.dockerfile.base if found.dockerfile else None
    is_official = found.dockerfile is not None and found.dockerfile.python is not None
    requires = found.pyproject.requires_python if found.pyproject else ""
    python = default_python(requires)
    proposals = []
    if base is not None and not is_official and _is_base(base):
        why = f"The Dockerfile builds on it (line {found.dockerfile.base_line if found.dockerfile else 0})."
        proposals.append(Proposal(key="base-image", value=base, why=why))
    else:
        why = "The image to build on; without it one with that Python."
        proposals.append(Proposal(key="base-image", value=base or f"python:{python}-slim", why=why, holds=False))
    # A base that is named has its own Python.
    if found.python is not None and not proposals[0].holds:
        version, where = found.python
        holds = _fits(version, requires)
        why = f"{where} says so{'' if holds else f', and requires-python ({requires}) does not allow it'}."
        proposals.insert(0, Proposal(key="python", value=version, why=why, holds=holds))
    elif not proposals[0].holds:
        why = "The image's Python; without it this machine's, or the highest that requires-python allows."
        proposals.insert(0, Proposal(key="python", value=python, why=why, holds=False))
    return proposals


def _dependencies(found: Survey, packages: Sequence[str], unknown: Sequence[str]) -> list[Proposal]:
    proposals = []
    if found.requirements is not None:
        why = "The only file that says what is needed."
        proposals.append(Proposal(key="requirements", value=[found.requirements], why=why))
    elif not found.is_declared and (packages or unknown):
        rest = f" No package is known for {', '.join(unknown)}." if unknown else ""
        why = f"Nothing says what is needed; these are what the project's modules import.{rest}"
        proposals.append(Proposal(key="packages", value=list(packages), why=why, holds=bool(packages)))
    elif found.sources:
        why = f"Further requirements, beside those of {' and '.join(found.sources)}."
        proposals.append(Proposal(key="packages", value=["rich>=13"], why=why, holds=False))
    if found.conda:
        why = "They are conda's. With this, packages of an index take their place: look at each name."
        proposals.append(Proposal(key="conda-packages", value=dict(found.conda), why=why, holds=False))
    extras = sorted(found.pyproject.extras) if found.pyproject else []
    groups = sorted(found.pyproject.groups) if found.pyproject else []
    if extras:
        proposals.append(Proposal(key="extras", value=extras, why="The project's extras.", holds=False))
    if groups:
        proposals.append(Proposal(key="groups", value=groups, why="The project's dependency groups.", holds=False))
    return proposals


def _packages(found: Survey) -> tuple[list[str], list[str]]:
    """What the project's imports are known to come from, and the imports that are not known; where nothing is said."""
    if found.is_declared:
        return [], []
    names = imported(found.modules.values())
    known = {name: distribution_of(name) for name in names}
    return sorted({each for each in known.values() if each}), sorted(name for name, each in known.items() if not each)


def _entrypoints(found: Survey, distributions: set[str]) -> list[Proposal]:
    fit: list[str] = []
    others: list[str] = []
    missing: set[str] = set()
    for module in found.modules.values():
        if not module.flows:
            continue
        lacking = {name for name in needed(module, found.modules) if not may_bring(name) & distributions}
        for flow in module.flows:
            if (text := _entrypoint(module, flow, found)) is not None:
                (others if lacking else fit).append(text)
                missing |= lacking
    if fit:
        why = "Flows, which the health check at the end of a build imports."
        return [
            Proposal(key="entrypoints", value=fit[:_MOST_FLOWS], why=why),
            *_lacking(others, missing),
        ]
    if others:
        return _lacking(others, missing)
    started = [f"{module.path}:{each}" for module in found.modules.values() if (each := module.starts)]
    why = "Functions FILE.py:FUNCTION that the health check at the end of a build looks for."
    return [Proposal(key="entrypoints", value=started[:_MOST_FLOWS] or ["flow.py:main"], why=why, holds=False)]


def _lacking(flows: Sequence[str], missing: set[str]) -> list[Proposal]:
    if not flows:
        return []
    why = f"They import {', '.join(sorted(missing))}: add these where what brings them is among the dependencies."
    return [Proposal(key="entrypoints", value=list(flows)[:_MOST_FLOWS], why=why, holds=False)]


def _system_packages(found: Survey) -> list[Proposal]:
    packages = found.dockerfile.packages if found.dockerfile else ()
    if not packages:
        return []
    command = f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    why = "The Dockerfile installs these; a wheel often brings its own, so try without first."
    return [Proposal(key="extra-dockerfile-commands", value=[command], why=why, holds=False)]


def _entries(module: Module) -> tuple[str, ...]:
    return module.flows or ((module.starts,) if module.starts else ())


def _entrypoint(module: Module, function: str, found: Survey) -> str | None:
    try:
        entrypoint = Entrypoint.parse(f"{module.path}:{function}")
        entrypoint.signature(found.context)
    except InputError:
        return None
    return str(entrypoint)


def _fits(version: str, requires_python: str) -> bool:
    try:
        return bool(check_python(version, requires_python))
    except InputError:
        return False


def _is_base(text: str) -> bool:
    try:
        check_base_image(text)
    except InputError:
        return False
    return True


def _repository(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "app"
