"""The prefix in a package's files: where a placeholder stands, the environment's own is written. Pure.

A text has the placeholder replaced wherever it stands. In a binary a path is the beginning of a string that ends
with a NUL: what comes behind it moves up, and the string is filled with NULs to its old length, so that nothing
else moves (conda's documentation, "Making packages relocatable").
"""

from __future__ import annotations

from imagekit.conda.paths import BINARY
from imagekit.errors import CondaRefused


def with_prefix(data: bytes, placeholder: str, prefix: str, mode: str, *, where: str) -> bytes:
    """``data``, a file of ``where``, with ``prefix`` in the place of ``placeholder``; ``mode``: text or binary.

    Raises ``CondaRefused`` where a binary has no room for it.
    """
    old, new = placeholder.encode(), prefix.encode()
    if mode != BINARY:
        return data.replace(old, new)
    if len(new) > len(old) and old in data:
        raise CondaRefused(f"{where} has {len(old)} bytes for the prefix {prefix}, which has {len(new)}")
    return _in_strings(data, old, new)


def _in_strings(data: bytes, old: bytes, new: bytes) -> bytes:
    pieces: list[bytes] = []
    done = 0
    while (start := data.find(old, done)) >= 0:
        end = data.find(b"\0", start)
        end = len(data) if end < 0 else end
        pieces += [data[done:start], data[start:end].replace(old, new).ljust(end - start, b"\0")]
        done = end
    return b"".join([*pieces, data[done:]])
