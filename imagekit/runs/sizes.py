"""Amounts of memory as people write them: ``512m``, ``1.5g``, ``1GiB``, a number of bytes."""

from __future__ import annotations

import re

from imagekit.errors import InputError
from imagekit.wrong_type import wrong_type

# What an engine grants at least (moby daemon/daemon_unix.go, linuxMinMemory).
LEAST_MEMORY = 6 << 20
_MOST = (1 << 63) - 1
# As docker-py and the docker client read them: a unit is a power of 1024, whether or not it has its "i".
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s?([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def size_in_bytes(value: object, name: str, *, least: int = 1) -> int:
    """Bytes of a size; ``name`` is what the message calls it. Raises ``InputError``."""
    hint = f"write {name} as a number and a unit: 512m, 1.5g, 1GiB"
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str):
        match = _SIZE.fullmatch(value)
        if match is None or not value.isascii():
            raise InputError(f"{name}: {value!r} is not a size", hint=hint)
        number, unit = match.groups()
        whole, _, fraction = number.partition(".")
        # Exact, unlike a float: 0.1g are 107374182 bytes on any machine.
        found = int(whole + fraction) * _UNITS[unit.lower()] // 10 ** len(fraction)
    else:
        raise wrong_type(value, name, "a size (a number of bytes, or a string with a unit)", hint)
    if not least <= found <= _MOST:
        shown = f"{least >> 20} MiB" if least >= 1 << 20 else f"{least} byte"
        raise InputError(
            f"{name}: {value!r} is less than {shown}" if found < least else f"{name}: {value!r} is too much", hint=hint
        )
    return found
