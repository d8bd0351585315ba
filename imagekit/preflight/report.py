"""What a preflight found, in words and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagekit.preflight.compiled import release_key
from imagekit.preflight.mends import Mend, mend_of
from imagekit.preflight.names import LIBRARY, release_with_glibc
from imagekit.preflight.values import ERROR, NOTE, WARNING, Finding, Offer, Remedy

_NAMED = 4  # libraries of a finding that a line names


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding, with what mends it."""

    finding: Finding
    message: str
    hint: str
    mend: Mend

    def to_json(self) -> dict[str, Any]:
        mend = {name: value for name, value in self.mend.to_json().items() if name != "line"}
        return {**self.finding.to_json(), "message": self.message, "hint": self.hint or None, "mend": mend}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the compiled files of an image's wheels ask of its base."""

    base: str
    libc: str  # glibc 2.36
    told: tuple[Told, ...]
    wheels: int  # whose files were compared; wheels without compiled files are not among them
    unknown: tuple[str, ...] = ()  # pins of those that are not here to be read
    served: tuple[tuple[str, tuple[str, ...]], ...] = ()  # packages that recipes are made for, and those recipes

    def of(self, *severities: str) -> list[Told]:
        return [each for each in self.told if each.finding.severity in severities]

    @property
    def counts(self) -> dict[str, int]:
        return {severity: len(self.of(severity)) for severity in (ERROR, WARNING, NOTE)}

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.base,
            "libc": self.libc,
            "findings": [each.to_json() for each in self.told],
            "counts": self.counts,
            "wheels": self.wheels,
            "unknown": list(self.unknown),
            "served": {package: list(recipes) for package, recipes in self.served},
        }


def told(findings: Sequence[Finding], offer: Offer, remedies: Sequence[Remedy]) -> tuple[Told, ...]:
    """``findings`` on the base of ``offer`` in words; ``remedies`` are the recipes at hand."""
    return tuple(_told(finding, offer, remedies) for finding in findings)


def _told(finding: Finding, offer: Offer, remedies: Sequence[Remedy]) -> Told:
    who = f"{finding.package} {finding.version}: {_and(finding.needed_by, finding.count)}"
    needs = "needs" if finding.count == 1 else "need"
    wants = _libraries(finding.wants)
    if finding.rule == "glibc-too-old":
        version = finding.wants[0]
        release = release_with_glibc(release_key(version))
        hint = f"take a base with glibc {version} or later" + (f" ({release} has it)" if release else "")
        hint += f", or a version of {finding.package} that is made for an older one"
        message = f"{who} {needs} glibc {version}, and {offer.base} has {offer.libc_version}"
        return Told(finding=finding, message=message, hint=hint, mend=Mend())
    if finding.rule == "other-libc":
        message = f"{who} {'is' if finding.count == 1 else 'are'} made for {finding.wants[0]}, and {offer.base} has "
        hint = f"take a base with {finding.wants[0]}, or a wheel of {finding.package} for {offer.libc}"
        return Told(finding=finding, message=message + offer.libc, hint=hint, mend=Mend())
    if finding.rule == "host-library":
        message = f"{who} {needs} {wants}, which a GPU's driver brings on the machine that runs the image"
        return Told(finding=finding, message=message, hint="", mend=Mend())
    asked = [(LIBRARY, name) for name in finding.wants]
    mend = mend_of(asked, offer.system, remedies, package=finding.package)
    message = f"{who} {needs} {wants}, which {offer.base} does not have"
    return Told(finding=finding, message=message, hint=mend.line, mend=mend)


def _and(names: Sequence[str], count: int) -> str:
    more = count - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _libraries(names: Sequence[str]) -> str:
    return _and(names[:_NAMED], len(names))


def served_by(packages: Sequence[str], remedies: Sequence[Remedy]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Those of ``packages`` that recipes are made for, and which: what a package opens by name no file of it tells."""
    found = ((name, tuple(each.recipe for each in remedies if name in each.serves)) for name in sorted(set(packages)))
    return tuple((name, recipes) for name, recipes in found if recipes)
