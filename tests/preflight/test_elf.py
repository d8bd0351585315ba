"""Our reader of ELF files beside pyelftools', on the files of this machine; and on what is none."""

from __future__ import annotations

import struct
import sys
import sysconfig
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from hypothesis import given, settings
from hypothesis import strategies as st

from imagekit.preflight.elf import ElfFile, read_elf, read_elf_at

from .elves import shared_library


def by_pyelftools(path: Path) -> ElfFile | None:
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        needed, search, soname, loader = [], {}, None, None
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_INTERP":
                loader = segment.get_interp_name()
            if isinstance(segment, DynamicSegment):
                for tag in segment.iter_tags():
                    if tag.entry.d_tag == "DT_NEEDED":
                        needed.append(tag.needed)
                    elif tag.entry.d_tag == "DT_SONAME":
                        soname = tag.soname
                    elif tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                        search[tag.entry.d_tag] = getattr(tag, "rpath", None) or tag.runpath
        section = elf.get_section_by_name(".gnu.version_r")
        versions = [] if section is None else [aux for _, auxes in section.iter_versions() for aux in auxes]
        paths = search.get("DT_RUNPATH") or search.get("DT_RPATH") or ""
        return ElfFile(
            machine={"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}[elf["e_machine"]],
            loader=loader,
            needed=tuple(needed),
            soname=soname,
            search=tuple(filter(None, paths.split(":"))),
            versions=tuple(aux.name for aux in versions if not aux["vna_flags"] & 2),
        )


def libraries() -> list[Path]:
    """Programs and libraries of several makers: the interpreter, the system's, the environment's wheels."""
    places = [Path(sys.executable).resolve(), *map(Path, ("/bin/sh", "/usr/bin/dpkg"))]
    site = Path(sysconfig.get_path("platlib"))
    found = sorted(site.rglob("*.so*"), key=lambda path: path.stat().st_size)
    system = sorted(Path("/usr/lib").glob("*-linux-gnu/lib*.so.*"))
    return [path for path in (*places, *found[:: len(found) // 25], *system[:: len(system) // 25]) if path.is_file()]


@pytest.mark.parametrize("path", libraries(), ids=str)
def test_it_reads_what_pyelftools_reads(path: Path) -> None:
    data = path.read_bytes()
    if data[:4] != b"\x7fELF":  # a linker script
        assert read_elf(data) is None
        return
    assert read_elf(data) == by_pyelftools(path)


def test_a_library_is_read_in_a_few_small_parts() -> None:
    path = Path(sys.executable).resolve()
    data, asked = path.read_bytes(), []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    assert read_elf_at(read) == read_elf(data)
    assert sum(asked) < 128 << 10


def test_what_is_no_elf_file_is_none() -> None:
    for data in (b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF" + bytes(200), b"\x7fELF\x02\x01" + b"\xff" * 300):
        assert read_elf(data) is None or read_elf(data) == ElfFile(machine="unknown", loader=None)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_raises(data: st.DataObject) -> None:
    whole = bytearray(Path(sys.executable).resolve().read_bytes()[: 1 << 16])
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, 4095))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    read_elf(bytes(whole[:cut]))


def test_versions_that_point_in_a_circle_end() -> None:
    # One segment that loads the file at address 0x1000, and dynamic entries: strings, versions that follow themselves.
    strings = b"\0libc.so.6\0GLIBC_2.99\0"
    entries = [(1, 1), (5, 0x1000 + 400), (0x6FFFFFFE, 0x1000 + 300), (0x6FFFFFFF, 1 << 40), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    need = struct.pack("<HHIII", 1, 0xFFFF, 1, 16, 0) + struct.pack("<IHHII", 0, 0, 2, 11, 0xFFFFFFFF)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0, 600, 600, 1)
    head += struct.pack("<IIQQQQQQ", 2, 4, 200, 0x10C8, 0, len(dynamic), len(dynamic), 1)
    whole = (head.ljust(200, b"\0") + dynamic).ljust(300, b"\0") + need
    whole = whole.ljust(400, b"\0") + strings + bytes(300)
    found = read_elf(whole)
    assert found is None or (found.needed == ("libc.so.6",) and found.versions[:1] == ("GLIBC_2.99",))


def test_names_make_no_lines_and_control_no_terminal() -> None:
    found = read_elf(shared_library("libx.so\nwarning: all is well", "lib\x1b[2Jy.so", "libé.so"))
    assert found is not None
    assert found.needed == ("libx.so\\nwarning: all is well", "lib\\x1b[2Jy.so", "libé.so")
