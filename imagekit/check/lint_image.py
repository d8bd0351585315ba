"""What lint says of an image that is there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagekit.check.lint import Finding, finding
from imagekit.check.lint_dockerfile import ROOT
from imagekit.oci.reference import Reference
from imagekit.secrets.refusal import exposed_values


def lint_image(reference: str, settings: Mapping[str, Any]) -> Iterator[Finding]:
    """What is said of the image that ``reference`` names, whose ``config`` object is ``settings``."""
    parsed = Reference.parse(reference)
    if parsed.digest is None and parsed.tag in (None, "latest"):
        hint = "name a version: NAME:TAG; without a tag imagekit makes one of what goes in"
        yield finding("latest-tag", f"{reference} is another image with each build", hint)
    user = str(settings.get("User") or "")
    if user.partition(":")[0] in ROOT:
        yield finding("root-user", "it runs as root", "build it with imagekit, or give it a USER", file="config.User")
    env = {name: value for name, _, value in (entry.partition("=") for entry in settings.get("Env") or ())}
    labels = {str(name): str(value) for name, value in (settings.get("Labels") or {}).items()}
    for pairs, what, field in ((env, "environment variable", "Env"), (labels, "label", "Labels")):
        for error in exposed_values(pairs, what):
            yield finding("secret-value", error.message, error.hint or "", file=f"config.{field}")
