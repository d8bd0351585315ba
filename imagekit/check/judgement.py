"""From the probe's report to findings. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imagekit.check.distribution_names import distribution_of
from imagekit.check.values import Finding

_SHARED_LIBRARY = re.compile(r"(\S+\.so[\w.]*): cannot open shared object file")


def installed(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Distributions by normalized name; of two the one that is found first, as on import."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in report["distributions"]:
        if entry["name"]:
            found.setdefault(canonicalize_name(entry["name"]), entry)
    return found


def findings(
    report: Mapping[str, Any],
    *,
    expected_python: str,
    distributions: Mapping[str, str],
    base: Mapping[str, str],
) -> tuple[Finding, ...]:
    """Everything wrong, the most telling first: Python, the entrypoints, then what is installed."""
    wanted: dict[str, str] = {canonicalize_name(name): version for name, version in distributions.items()}
    below: dict[str, str] = {canonicalize_name(name): version for name, version in base.items()}
    there = installed(report)
    return (
        *_python(report["python"], expected_python),
        *_entrypoints(report["entrypoints"]),
        *_distributions(there, wanted, below),
        *_broken(report["distributions"]),
        *_twice(report["distributions"], wanted),
        *_requirements(there, wanted, below, report["markers"]),
        *_scripts(report["scripts"]),
    )


def _python(found: str, expected: str) -> Iterator[Finding]:
    parts = expected.split(".")
    if found.split(".")[: len(parts)] != parts:
        yield Finding(
            kind="python",
            message=f"the image's Python is {found}, and not {expected}",
            hint="take a base image of that Python, or lock for the one it has",
            subject=found,
        )


def _entrypoints(found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for entry in found:
        error = entry["error"]
        if error is None:
            continue
        name = f"{entry['path']}:{entry['function']}"
        place = f" ({error['file']}:{error['line']})" if error.get("file") else ""
        words = error["message"].partition("\n")[0]
        if error["kind"] == "import":
            kind = (error.get("type") or "").rpartition(".")[2]
            words = words if kind in ("ModuleNotFoundError", "ImportError") else f"{kind}: {words}"
        yield Finding(
            kind="entrypoint",
            message=f"{name} cannot be imported: {words}{place}",
            hint=_import_hint(error),
            subject=error.get("module") or entry["path"],
            details=error.get("traceback") or entry.get("output") or None,
        )


def _import_hint(error: Mapping[str, Any]) -> str:
    module = error.get("module")
    library = _SHARED_LIBRARY.search(error["message"])
    if library:
        return f"the image lacks the system library {library[1]}: take a base image that has it"
    if error.get("type") == "ModuleNotFoundError" and module:
        top, dot, _ = module.partition(".")
        name = distribution_of(module)
        if dot and name.lower().replace("-", "_") == top.lower():
            return f"the {top} in the image has no {module}: require a version of it that does"
        return f"add {name} to your requirements (or, if {top} is your own, see that it is copied into the image)"
    if error["kind"] == "hang":
        return "do nothing at import that waits: no network is there during the check, and no input"
    if error["kind"] == "entrypoint":
        return "check the entrypoint's path and name, and that .dockerignore lets the file in"
    return (
        "the details say where; after a build that this stopped, imagekit build --no-health-check makes the image "
        "nevertheless, to run the file in it"
    )


def _distributions(
    there: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, str], base: Mapping[str, str]
) -> Iterator[Finding]:
    for name, version in sorted(wanted.items()):
        entry = there.get(name)
        if entry is None:
            yield Finding(
                kind="missing",
                message=f"{name} {version} is locked and not installed",
                hint="build again with imagekit build --no-cache",
                subject=name,
            )
        elif not _same(entry["version"], version):
            yield Finding(
                kind="version",
                message=f"{name} is installed as {entry['version']} ({entry['location']}) and locked as {version}",
                hint="make the lock anew for this base image: imagekit lock",
                subject=name,
            )
    for name, version in sorted(base.items()):
        if name not in there:
            yield Finding(
                kind="missing",
                message=f"{name} {version} of the base is gone",
                hint="build again with imagekit build --no-cache",
                subject=name,
            )
    for name in sorted(there.keys() - wanted.keys() - base.keys()):
        yield Finding(
            kind="extra",
            message=f"{name} {there[name]['version']} is installed ({there[name]['location']}) and not locked",
            hint="add it to your requirements, or take it out of the base image",
            subject=name,
        )


def _same(found: str | None, locked: str) -> bool:
    try:
        return Version(found or "") == Version(locked)
    except InvalidVersion:
        return found == locked


def _broken(found: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for entry in found:
        if not entry["name"]:
            yield Finding(
                kind="broken",
                message=f"a distribution in {entry['location']} has no readable metadata",
                hint="build again with imagekit build --no-cache",
                details=entry.get("error"),
            )


def _twice(found: Sequence[Mapping[str, Any]], wanted: Collection[str]) -> Iterator[Finding]:
    """Of ours alone: what a base had twice before is not ours to judge."""
    places: dict[str, set[str]] = {}
    for entry in found:
        if entry["name"]:
            known = places.setdefault(canonicalize_name(entry["name"]), set())
            known.add(f"{entry['version']} in {entry['location']}")
    for name in sorted(places.keys() & set(wanted)):
        if len(places[name]) > 1:
            yield Finding(
                kind="duplicate",
                message=f"{name} is installed more than once: {', '.join(sorted(places[name]))}",
                hint="take the version that the base has, or a base without it",
                subject=name,
            )


def _requirements(
    there: Mapping[str, Mapping[str, Any]],
    wanted: Collection[str],
    base: Collection[str],
    markers: Mapping[str, str],
) -> Iterator[Finding]:
    """As ``pip check``, for the locked ones, and for what the base needs of those: the rest of it was so before."""
    for name in sorted(there.keys() & {*wanted, *base}):
        for text in there[name]["requires"]:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                # Old distributions have such; pip leaves them out too.
                continue
            if requirement.marker and not requirement.marker.evaluate({**markers, "extra": ""}):
                continue
            if name not in wanted and canonicalize_name(requirement.name) not in wanted:
                continue
            other = there.get(canonicalize_name(requirement.name))
            if other is None:
                yield Finding(
                    kind="requirement",
                    message=f"{name} requires {requirement.name}, which is not installed",
                    hint=f"add {requirement.name} to your requirements",
                    subject=name,
                )
            elif not _fits(requirement, other["version"]):
                yield Finding(
                    kind="requirement",
                    message=f"{name} requires {requirement.name}{requirement.specifier}; {other['version']} is there",
                    hint="loosen the constraint or override that holds it at that version, then: imagekit lock",
                    subject=name,
                )


def _fits(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return not requirement.specifier


def _scripts(found: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    for entry in found:
        yield Finding(
            kind="script",
            message=f"{entry['path']} cannot run: its interpreter {entry['interpreter']} is not in the image",
            hint="build again with imagekit build --no-cache",
            subject=entry["path"],
        )
