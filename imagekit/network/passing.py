"""Which answers of a server may be others the next time, and how long it asks to wait."""

from __future__ import annotations

import os
import time

# RFC 9110 and 6585: too early, too many, and what a gateway says of a server that is away.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


def pause_after(failures: int, *, first: float, longest: float) -> float:
    """Seconds until the next try: ``first``, doubled after each failure, up to ``longest``.

    Between a half of that and all of it, so that many who failed together do not come back together.
    """
    return float(min(first * 2 ** (failures - 1), longest)) * (0.5 + os.urandom(1)[0] / 510)


def retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip())
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
