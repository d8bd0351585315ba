"""An ``ImageSpec`` as JSON that says the same wherever the project lies."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from imagekit.oci.platform import Platform
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.portable import portable

_NOT_IN_IMAGE = frozenset({"context", "env_origins", "entrypoints", "health_check", "preflight"})


def describe(spec: ImageSpec) -> dict[str, object]:
    """``spec`` as JSON values; paths in the context are relative to it, and the context itself is left out.

    It names files, and reads none: what they hold is for the caller to add. What only decides how the
    image is looked at when it is built is left out too: it does not go in.
    """
    return {f.name: _plain(getattr(spec, f.name), spec.context) for f in fields(spec) if f.name not in _NOT_IN_IMAGE}


def _plain(value: Any, context: Path) -> Any:
    if isinstance(value, Platform):
        return str(value)
    if isinstance(value, Path):
        return _relative(str(value), context)
    if isinstance(value, RequirementLine) and value.local is not None:
        # What it is, and not where it lies.
        value = replace(value, text=portable(value.text, context), local=None, hashes=(value.local.content,))
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), context) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item, context) for item in value]
    return _relative(value, context) if isinstance(value, str) else value


def _relative(text: str, context: Path) -> str:
    if text == str(context):
        return "."
    for prefix in (f"{context}/", f"{context.as_uri()}/"):
        if text.startswith(prefix):
            return text[len(prefix) :]
    return text
