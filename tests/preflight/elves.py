"""ELF files as small as a loader takes them for such: what is in a test's wheel needs no compiler."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_MACHINES = {"x86_64": 62, "aarch64": 183}


def shared_library(
    *needed: str, soname: str = "", search: str = "", versions: Sequence[str] = (), machine: str = "x86_64"
) -> bytes:
    """A 64-bit shared library without code that asks for ``needed`` and for symbols of ``versions`` of libc.so.6."""
    strings, places = b"\0", {}
    for text in (*needed, soname, search, "libc.so.6", *versions):
        places[text] = len(strings) if text else 0
        strings += text.encode() + b"\0" if text else b""
    table, need = 64 + 2 * 56, b""
    if versions:
        need = struct.pack("<HHIII", 1, len(versions), places["libc.so.6"], 16, 0)
        for number, version in enumerate(versions, 1):
            following = 0 if number == len(versions) else 16
            need += struct.pack("<IHHII", 0, 0, number, places[version], following)
    entries = [(1, places[name]) for name in needed]
    entries += [(14, places[soname])] if soname else []
    entries += [(29, places[search])] if search else []
    size = 16 * (len(entries) + 4)
    entries += [(5, table + size + len(need)), (0x6FFFFFFE, table + size), (0x6FFFFFFF, 1 if versions else 0), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    whole = table + size + len(need) + len(strings)
    # Addresses are offsets; nothing lies at address 0 but the head.
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, _MACHINES[machine], 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, whole, whole, 4096)
    head += struct.pack("<IIQQQQQQ", 2, 4, table, table, 0, size, size, 8)
    return head + dynamic + need + strings
