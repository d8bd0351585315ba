"""What lint looks for: its rules, and what a finding is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
_ORDER = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Its name is what ``--ignore`` takes."""

    name: str
    severity: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line for a person, and its place."""

    rule: str
    severity: str
    message: str
    hint: str
    file: str = ""  # relative to the project, or an image's field; empty where there is none
    line: int | None = None

    @property
    def place(self) -> str:
        """``pyproject.toml:3``"""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "file": self.file or None,
            "line": self.line,
            "message": self.message,
            "hint": self.hint,
        }


RULES = {
    rule.name: rule
    for rule in (
        Rule(name="refused", severity=ERROR, about="a build would refuse it: a reference, a requirement, a key"),
        Rule(name="secret-value", severity=ERROR, about="a credential in env, labels, build arguments, a Dockerfile"),
        Rule(name="lock-unhashed", severity=ERROR, about="a file in the lock without a SHA-256"),
        Rule(name="requires-python", severity=ERROR, about="a Python that `requires-python` leaves out"),
        Rule(name="base-unpinned", severity=WARNING, about="a base by a tag alone, and no lock that notes its digest"),
        Rule(name="latest-tag", severity=WARNING, about="`latest`, or no tag at all"),
        Rule(name="no-lock", severity=WARNING, about="requirements without a lock beside them"),
        Rule(name="yanked", severity=WARNING, about="a version in the lock that was yanked; asked with `--online`"),
        Rule(name="source-builds-any", severity=WARNING, about='`source-builds = ["*"]`: any package may run code'),
        Rule(name="extra-index", severity=WARNING, about="an index beside the default one that is not explicit"),
        Rule(name="index-http", severity=WARNING, about="an index over plain HTTP"),
        Rule(name="secret-file", severity=WARNING, about="a file that holds credentials by its name goes in"),
        Rule(name="no-dockerignore", severity=WARNING, about="such files, and no `.dockerignore`"),
        Rule(name="large-source", severity=WARNING, about="more than 20 MB of one directory or file go in"),
        Rule(name="root-user", severity=WARNING, about="the image, or the Dockerfile's last stage, runs as root"),
        Rule(name="no-health-check", severity=NOTE, about="the health check is switched off"),
        Rule(name="hadolint", severity=WARNING, about="what hadolint says of the Dockerfile; it brings the severity"),
    )
}


def finding(
    rule: str, message: str, hint: str, *, file: str = "", line: int | None = None, severity: str = ""
) -> Finding:
    """A finding of ``rule``, with the rule's own severity unless another one is given."""
    found = severity or RULES[rule].severity
    return Finding(rule=rule, severity=found, message=message, hint=hint, file=file, line=line)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Each once; the graver first, then by place."""
    return sorted(dict.fromkeys(findings), key=lambda f: (_ORDER.index(f.severity), f.file, f.line or 0, f.rule))
