"""Notes beside what is kept: a line of JSON, and the SHA-256 of that line on the next.

A disk, another program or a hand may have changed one: then it is none, and what it tells of is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def to_note(value: Mapping[str, Any]) -> bytes:
    """``value`` as a note's bytes."""
    line = json.dumps(value).encode()
    return line + b"\n" + _sum(line)


def from_note(data: bytes) -> dict[str, Any]:
    """The value of a note; ``ValueError`` where these are not the bytes that were written."""
    line, _, check = data.partition(b"\n")
    if check.strip() != _sum(line):
        raise ValueError("other bytes than were written")
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value


def _sum(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest().encode()
