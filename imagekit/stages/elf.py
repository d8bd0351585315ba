"""What an ELF file says of itself: its processor and the loader it asks for (System V ABI, "Object Files")."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# e_machine, as uname(2) calls the processor.
_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}
_PT_INTERP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFile:
    """The head of a program."""

    machine: str  # x86_64
    loader: str | None  # /lib64/ld-linux-x86-64.so.2; None for what is linked statically


def read_elf(data: bytes) -> ElfFile | None:
    """The head of the file with the content ``data``, or ``None`` for what is no ELF file."""
    if len(data) < 64 or data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    try:
        (number,) = struct.unpack_from(f"{order}H", data, 18)
        (offset,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", data, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", data, 54 if wide else 42)
        for start in range(offset, offset + size * count, size or 1):
            (kind,) = struct.unpack_from(f"{order}I", data, start)
            if kind == _PT_INTERP:
                place = struct.unpack_from(f"{order}Q", data, start + 8) if wide else None
                (begin,) = place or struct.unpack_from(f"{order}I", data, start + 4)
                (length,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", data, start + (32 if wide else 16))
                name = data[begin : begin + min(length, 4096)].split(b"\0")[0]
                return ElfFile(machine=_MACHINES.get(number, "unknown"), loader=name.decode("utf-8", "surrogateescape"))
    except struct.error:
        return None
    return ElfFile(machine=_MACHINES.get(number, "unknown"), loader=None)
