"""What a health check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with an image."""

    kind: str  # python, missing, version, extra, broken, requirement, entrypoint, script
    message: str
    hint: str | None = None
    subject: str | None = None  # the distribution, the module or the file that it is about
    details: str | None = None  # a traceback, what was printed

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint,
            "subject": self.subject,
            "details": self.details,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was looked at, and that it is as it should be where ``findings`` is empty."""

    image: str  # ID
    python: str  # full version
    distributions: Mapping[str, str]  # normalized name → version, all that is installed
    entrypoints: tuple[tuple[str, float], ...]  # those that import, and the seconds it took
    findings: tuple[Finding, ...]
    seconds: float
    answer: Mapping[str, Any] = field(repr=False)  # the probe's own

    @property
    def ok(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "ok": self.ok,
            "python": self.python,
            "distributions": dict(self.distributions),
            "entrypoints": [{"entrypoint": e, "seconds": round(s, 3)} for e, s in self.entrypoints],
            "findings": [finding.to_json() for finding in self.findings],
            "seconds": round(self.seconds, 3),
        }
