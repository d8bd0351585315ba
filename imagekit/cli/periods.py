"""Lengths of time as people write and read them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from imagekit.errors import InputError
from imagekit.moments import parse_rfc3339

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def seconds_of(text: str, option: str) -> float:
    """``12h``, ``30d`` or ``8w`` in seconds. Raises ``InputError``, which names ``option``."""
    found = re.fullmatch(r"(?P<number>[0-9]{1,9})(?P<unit>[mhdw])", text.strip())
    if found is None:
        raise InputError(f"{option} {text!r} is no length of time", hint="write 12h, 30d or 8w")
    return float(int(found["number"]) * _UNITS[found["unit"]])


def moment_of(text: str, option: str) -> datetime:
    """A moment: so long ago (``12h``), or a day or time (ISO 8601; local where it names no zone)."""
    try:
        return datetime.now(timezone.utc) - timedelta(seconds=seconds_of(text, option))
    except OverflowError:
        return datetime.min.replace(tzinfo=timezone.utc)
    except InputError:
        pass
    try:
        return parse_rfc3339(text).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise InputError(
            f"{option} {text!r} is neither a length of time nor a day", hint="write 12h, 30d, 8w or 2026-01-31"
        ) from None


def ago(seconds: float) -> str:
    """``just now``, ``5 min ago``, ``3 h ago``, ``2 d ago``."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} d ago"
