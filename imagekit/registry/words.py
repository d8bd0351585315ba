"""What a registry says of an error (distribution-spec, error codes), fit to be shown."""

from __future__ import annotations

import json
import os
from typing import Any

from imagekit.spec.url import redacted

_LONGEST = 400  # characters shown


def words_of(body: bytes) -> str:
    """The codes and messages in the body of an answer; empty where it has none."""
    try:
        errors = json.loads(body)["errors"]
        parts = [f"{e.get('code', '')} {e.get('message', '')} {_detail(e.get('detail'))}" for e in errors]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""
    return "; ".join(parts)


def shown(text: str) -> str:
    """``text`` on one line, without credentials in its URLs and without what a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in redacted(text)).split())[:_LONGEST]


def _detail(detail: Any) -> str:
    enclosed = detail.get("Enclosed") if isinstance(detail, dict) else None
    if isinstance(enclosed, dict) and isinstance(enclosed.get("Err"), int):
        # A file system's error, as docker-registry writes it.
        return f"({enclosed.get('Op', '')}: {os.strerror(enclosed['Err']).lower()})"
    return detail if isinstance(detail, str) else json.dumps(detail) if detail else ""
