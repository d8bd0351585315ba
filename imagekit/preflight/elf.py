"""What an ELF file says of itself: its processor, the loader and libraries it asks for, the symbols' versions.

Sources: System V ABI ("Object Files", "Program Loading and Dynamic Linking"), Linux Standard Base ("Symbol
Versioning"), ld.so(8). Read by program headers alone, as a loader does it: sections may be stripped. A file of
hundreds of megabytes costs a few reads of a few bytes each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ReadAt = Callable[[int, int], bytes]  # (offset, size) → what is there, which may be less

# e_machine, as uname(2) calls the processor.
_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64", 21: "ppc64le", 22: "s390x"}
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 0x2  # VER_FLG_WEAK: the file can do without
# More than any file has, and little enough for one that lies.
_MOST_SEGMENTS, _MOST_ENTRIES, _MOST_VERSIONS, _LONGEST = 512, 4096, 4096, 4096
_AT_ONCE = 192  # bytes of a string that are read at first


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFile:
    """What a loader reads first."""

    machine: str  # x86_64
    loader: str | None  # /lib64/ld-linux-x86-64.so.2; None for a library, and for what is linked statically
    needed: tuple[str, ...] = ()  # libraries, by soname
    soname: str | None = None
    search: tuple[str, ...] = ()  # directories that are looked in first (DT_RUNPATH, or else DT_RPATH)
    versions: tuple[str, ...] = ()  # of symbols that it cannot do without: GLIBC_2.17


def read_elf(data: bytes) -> ElfFile | None:
    """What a file with the content ``data`` says of itself, or ``None`` for what is no ELF file, or a damaged one."""
    return read_elf_at(lambda offset, size: data[offset : offset + size])


def read_elf_at(read: ReadAt) -> ElfFile | None:
    """The same of a file that is read in parts."""
    head = read(0, 64)
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    try:
        return _Reading(read, wide=head[4] == 2, order="<" if head[5] == 1 else ">").file(head)
    except struct.error:
        return None


class _Reading:
    """One file, read."""

    def __init__(self, read: ReadAt, *, wide: bool, order: str) -> None:
        self._read = read
        self._order = order
        # Field by field: type, offset, address and size of a segment; tag and value of an entry.
        self._segment = struct.Struct(order + ("I4xQQ8xQ16x" if wide else "III4xI12x"))
        self._entry = struct.Struct(order + ("QQ" if wide else "II"))
        self._need = struct.Struct(order + "HHIII")  # Elf_Verneed: version, cnt, file, aux, next
        self._aux = struct.Struct(order + "IHHII")  # Elf_Vernaux: hash, flags, other, name, next
        self._heads = (32, "Q", 54) if wide else (28, "I", 42)
        self._loads: list[tuple[int, int, int]] = []  # address, size, offset

    def file(self, head: bytes) -> ElfFile:
        place, kind, sizes = self._heads
        (number,) = struct.unpack_from(f"{self._order}H", head, 18)
        (start,) = struct.unpack_from(self._order + kind, head, place)
        size, count = struct.unpack_from(f"{self._order}HH", head, sizes)
        loader: str | None = None
        found: dict[int, list[int]] = {}
        table = self._read(start, size * min(count, _MOST_SEGMENTS))
        dynamic: list[tuple[int, int]] = []
        for at in range(0, size * min(count, _MOST_SEGMENTS), size or 1):
            segment, offset, address, length = self._segment.unpack_from(table, at)
            if segment == _PT_LOAD:
                self._loads.append((address, length, offset))
            elif segment == _PT_DYNAMIC:
                dynamic.append((offset, length))
            elif segment == _PT_INTERP and loader is None:
                loader = _text(self._read(offset, min(length, _LONGEST)))
        for tag, value in self._entries(*dynamic[0]) if dynamic else ():
            found.setdefault(tag, []).append(value)
        strings = self._at(found.get(_DT_STRTAB, [0])[0])
        machine = _MACHINES.get(number, "unknown")
        if strings is None:
            return ElfFile(machine=machine, loader=loader)

        def texts(tag: int) -> tuple[str, ...]:
            return tuple(filter(None, (self._string(strings + value) for value in found.get(tag, ()))))

        return ElfFile(
            machine=machine,
            loader=loader,
            needed=texts(_DT_NEEDED),
            soname=next(iter(texts(_DT_SONAME)), None),
            search=tuple(part for path in texts(_DT_RUNPATH) or texts(_DT_RPATH) for part in path.split(":") if part),
            versions=tuple(self._versions(found, strings)),
        )

    def _entries(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        data = self._read(offset, min(length, _MOST_ENTRIES * self._entry.size))
        for at in range(0, len(data) - self._entry.size + 1, self._entry.size):
            tag, value = self._entry.unpack_from(data, at)
            if tag == 0:
                return
            yield tag, value

    def _versions(self, found: dict[int, list[int]], strings: int) -> Iterator[str]:
        place = self._at(found.get(_DT_VERNEED, [0])[0])
        left = _MOST_VERSIONS
        for _ in range(min(found.get(_DT_VERNEEDNUM, [0])[0], _MOST_VERSIONS)):
            if place is None:
                return
            _, count, _, aux, following = self._need.unpack(self._read(place, self._need.size))
            at = place + aux
            for _ in range(count):
                left -= 1
                if left < 0:
                    return
                _, flags, _, name, step = self._aux.unpack(self._read(at, self._aux.size))
                if not flags & _WEAK:
                    yield self._string(strings + name)
                if not step:
                    break
                at += step
            if not following:
                return
            place += following

    def _at(self, address: int) -> int | None:
        """The offset in the file of what is loaded at ``address``."""
        for start, size, offset in self._loads:
            if address and start <= address < start + size:
                return address - start + offset
        return None

    def _string(self, offset: int) -> str:
        data = self._read(offset, _AT_ONCE)
        if b"\0" not in data:
            data = self._read(offset, _LONGEST)
        return _text(data)


def _text(data: bytes) -> str:
    text = data.split(b"\0")[0].decode("utf-8", "backslashreplace")
    # It is shown to people: no file makes lines, or controls a terminal.
    return text if text.isprintable() else text.encode("unicode_escape").decode()
