"""The health check of an image that may be anybody's: from the probe's report to a table of what was looked at. Pure.

A build knows what it installed and is judged by that. Of any other image is known what it says of itself: all that
is installed must go together, and what was asked of it must hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from imagekit.check.distribution_names import distribution_of
from imagekit.check.judgement import findings, installed
from imagekit.check.values import Finding
from imagekit.errors import InvalidRequirement as RequirementRefused

OK, FAILED, WARNING = "ok", "failed", "warning"
# Shown where they are installed, asked for or not.
FRAMEWORKS = ("prefect",)
# What an image of another's making may have, and be well.
_HARMLESS = ("duplicate", "broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is asked of an image; nothing of it need be."""

    python: str = ""  # a version or its beginning
    frameworks: tuple[Requirement, ...] = ()
    # Of an image of ours: names and versions that it was built with.
    locked: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was looked at, or one that is wrong with it."""

    check: str  # python, framework, an entrypoint, imports, packages, requirements, scripts
    status: str  # ok, failed, warning
    told: str
    hint: str | None = None
    details: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "status": self.status,
            "told": self.told,
            "hint": self.hint,
            "details": self.details,
        }


def framework(text: str) -> Requirement:
    """``prefect==3.*``. Raises ``InvalidRequirement`` (ours) for anything but a name and a specifier."""
    try:
        found = Requirement(text)
    except InvalidRequirement:
        found = None
    if found is None or found.url or found.extras or found.marker:
        raise RequirementRefused(
            f"{text!r} is not a name and a version", hint="write --framework 'prefect==3.*', or the name alone"
        )
    return found


def lines(answer: Mapping[str, Any], expected: Expected) -> tuple[Line, ...]:
    """The table: each check once where all is well, and once for each thing that is not."""
    there = installed(answer)
    versions = {name: str(entry["version"]) for name, entry in there.items()}
    wanted = dict(expected.locked) if expected.locked is not None else versions
    base = {name: version for name, version in versions.items() if name not in wanted}
    found = findings(answer, expected_python=expected.python or answer["python"], distributions=wanted, base=base)
    strict = expected.locked is not None
    of_check: dict[str, list[Line]] = {}
    for finding in found:
        check = _check_of(finding)
        of_check.setdefault(check, []).append(_line(finding, check, strict=strict))

    def told(check: str, well: str) -> list[Line]:
        return of_check.get(check) or [Line(check=check, status=OK, told=well)]

    count = f"{len(there)} installed"
    if strict:
        count += f", {len(wanted)} of them as they were locked"
    return (
        *told("python", str(answer["python"])),
        *_frameworks(versions, expected.frameworks),
        *(line for entry in answer["entrypoints"] for line in _entrypoint(entry, found)),
        *told("packages", count),
        *told("requirements", "each is met"),
        *of_check.get("interpreter", ()),
        *_scripts(answer.get("started") or (), there),
    )


def _check_of(finding: Finding) -> str:
    names = {"python": "python", "requirement": "requirements", "script": "interpreter", "entrypoint": "entrypoint"}
    return names.get(finding.kind, "packages")


def _line(finding: Finding, check: str, *, strict: bool) -> Line:
    status = WARNING if not strict and finding.kind in _HARMLESS else FAILED
    hint = finding.hint
    if hint and "build again" in hint and not strict:
        hint = None  # it is not ours to build
    name = "scripts" if check == "interpreter" else check
    return Line(check=name, status=status, told=finding.message, hint=hint, details=finding.details)


def _frameworks(versions: Mapping[str, str], wanted: Sequence[Requirement]) -> Iterator[Line]:
    asked: dict[str, Requirement] = {canonicalize_name(requirement.name): requirement for requirement in wanted}
    for name in (*asked, *(each for each in FRAMEWORKS if each in versions and each not in asked)):
        version, requirement = versions.get(name), asked.get(name)
        if version is None:
            yield Line(
                check="framework",
                status=FAILED,
                told=f"{name} is not installed, and {requirement} is asked for",
                hint=f"add {str(requirement)!r} to the image's requirements",
            )
        elif requirement is not None and not requirement.specifier.contains(version, prereleases=True):
            yield Line(
                check="framework",
                status=FAILED,
                told=f"{name} is {version}, and {requirement} is asked for",
                hint=f"require {str(requirement)!r}, and build the image again",
            )
        else:
            fits = f" fits {requirement.specifier}" if requirement is not None and requirement.specifier else ""
            yield Line(check="framework", status=OK, told=f"{name} {version}{fits}")


def _entrypoint(entry: Mapping[str, Any], found: Sequence[Finding]) -> Iterator[Line]:
    name = f"{entry['path']}:{entry['function']}"
    if entry["error"] is not None:
        (finding,) = (f for f in found if f.kind == "entrypoint" and f.message.startswith(f"{name} "))
        yield Line(check=name, status=FAILED, told=finding.message, hint=finding.hint, details=finding.details)
        return
    yield Line(check=name, status=OK, told=f"imports in {entry['seconds']:.1f} s, with all that it needs for that")
    for module in entry.get("absent") or ():
        yield Line(
            check=name,
            status=WARNING,
            told=f"it imports {module} later, which is not there",
            hint=f"add {distribution_of(module)} to the image's requirements, unless that line is never reached",
        )


def _scripts(started: Sequence[Mapping[str, Any]], there: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    wrong = [each for each in started if each["error"] is not None]
    if len(wrong) < len(started) or not started:
        well = len(started) - len(wrong)
        yield Line(check="scripts", status=OK, told=f"{well} start" if well else "there are none")
    for each in wrong:
        error = each["error"]
        kind = str(error.get("type") or "").rpartition(".")[2]
        words = ": ".join(part for part in (kind, str(error["message"]).partition("\n")[0]) if part)
        missing = kind in ("ModuleNotFoundError", "ImportError", "SystemExit")
        extra = _lacking_extra(there.get(canonicalize_name(each["package"] or "")), there) if missing else None
        excused = extra is not None or error["kind"] == "time"
        yield Line(
            check="scripts",
            status=WARNING if excused else FAILED,
            told=f"{each['script']} of {each['package']} does not start: {words}",
            hint=f"require {each['package']}[{extra}] for it" if extra else None,
        )


def _lacking_extra(entry: Mapping[str, Any] | None, there: Mapping[str, Any]) -> str | None:
    """An extra of a distribution that is not all there: a script may be for those who have it."""
    for text in entry["requires"] if entry is not None else ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or canonicalize_name(requirement.name) in there:
            continue
        for part in str(requirement.marker).split("extra == ")[1:]:
            return part.strip("\"' )(").split('"')[0].split("'")[0]
    return None
