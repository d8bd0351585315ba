"""Pythons of all kinds, read in their files: made by hand, as those who ship them lay them out."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from imagekit.errors import BaseUnusable
from imagekit.preflight.elf import read_elf
from imagekit.stages.image_python import ImagePython, find_python
from imagekit.stages.import_path import import_path, scheme, site_directories
from imagekit.stages.unpacked import unpacking

from .contents import archive, image

Member = tuple[str, str, dict[str, object]]


def elf(*strings: bytes, loader: bytes | None = b"/lib64/ld-linux-x86-64.so.2", machine: int = 62) -> bytes:
    """A program's head (System V ABI), and ``strings`` as its read-only data has them."""
    interpreter = (loader or b"") + b"\0"
    count = 1 if loader else 0
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    table = struct.pack("<IIQQQQQQ", 3, 4, 64 + 56, 0, 0, len(interpreter), len(interpreter), 1) if loader else b""
    return head + table + interpreter + b"\0".join((b"", *strings, b""))


def file(name: str, data: bytes = b"") -> Member:
    return (name, "file", {"data": data, "mode": 0o755})


def link(name: str, target: str) -> Member:
    return (name, "link", {"linkname": target})


GLIBC = (
    link("lib64", "usr/lib64"),
    file("usr/lib64/ld-linux-x86-64.so.2"),
    file("usr/lib64/libc.so.6", b"junk glibc 2 \0glibc 2.34\0GNU C Library"),
)
STANDARD = b"cpython-312", b"3.12.4"


def read(store: Path, *members: Member, env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/bin:/bin",)) -> ImagePython:
    content = image([archive(*members)], Env=list(env))
    with unpacking(content, "the-base", store) as files:
        return find_python(files, content.config, "the-base")


def test_an_official_image_with_its_shared_library(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        *GLIBC,
        link("usr/local/bin/python3", "python3.12"),
        file("usr/local/bin/python3.12", elf()),
        file("usr/local/lib/libpython3.12.so.1.0", elf(*STANDARD)),
        file("usr/local/lib/python3.12/os.py"),
    )
    assert (found.command, found.executable) == ("/usr/local/bin/python3", "/usr/local/bin/python3.12")
    assert (found.version, found.cache_tag, found.prefix) == ("3.12.4", "cpython-312", "/usr/local")
    assert (found.libc, found.libc_version, found.machine) == ("glibc", "2.34", "x86_64")
    assert found.loader == "/usr/lib64/ld-linux-x86-64.so.2"


def test_alpine(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        file("lib/ld-musl-x86_64.so.1", elf(b"musl libc (x86_64)\nVersion %s\n", b"1.2.5", b"127.0.0.1", loader=None)),
        link("usr/bin/python3", "python3.12"),
        file("usr/bin/python3.12", elf(*STANDARD, loader=b"/lib/ld-musl-x86_64.so.1")),
        file("usr/lib/python3.12/os.py"),
    )
    assert (found.libc, found.libc_version, found.loader) == ("musl", "1.2.5", "/lib/ld-musl-x86_64.so.1")


@pytest.mark.parametrize(
    ("strings", "header", "version"),
    [
        ((b"Python 3.12.4",), b"", "3.12.4"),  # its end shared with another string
        ((b"3.12.4+",), b"", "3.12.4+"),
        ((b"3.12.0rc1",), b"", "3.12.0rc1"),
        ((b"13.12.9", b"3.12.4"), b"", "3.12.4"),
        ((b"1.3.12.7", b"3.12.4"), b"", "3.12.4"),
        # A library with such a version is linked in: the header decides.
        ((b"3.12.4", b"3.12.99"), b'#define PY_VERSION      \t"3.12.4"\n', "3.12.4"),
        ((), b'#define PY_VERSION "3.12.1"\n', "3.12.1"),
    ],
)
def test_the_full_version(strings: tuple[bytes, ...], header: bytes, version: str, tmp_path: Path) -> None:
    found = read(
        tmp_path,
        *GLIBC,
        file("usr/bin/python3", elf(b"cpython-312", *strings)),
        file("usr/lib/python3.12/os.py"),
        file("usr/include/python3.12/patchlevel.h", header),
    )
    assert found.version == version


OS = file("usr/lib/python3.12/os.py")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((*GLIBC, OS, file("usr/bin/python3", elf(b"pypy", b"3.12.4"))), "not CPython"),
        ((*GLIBC, file("usr/bin/python3", elf(*STANDARD))), "standard library is not there"),
        ((OS, file("usr/bin/python3", elf(*STANDARD))), "its loader /lib64/ld-linux-x86-64.so.2 is not there"),
        ((OS, file("usr/bin/python3", elf(*STANDARD, loader=None))), "linked statically"),
        ((*GLIBC, OS, file("usr/bin/python3", elf(b"cpython-312"))), "full version is not to be told (none is in it)"),
        ((*GLIBC, OS, file("usr/bin/python3", elf(b"cpython-312", b"3.12.4", b"3.12.5"))), "(3.12.4, 3.12.5)"),
        ((*GLIBC[:2], OS, file("usr/bin/python3", elf(*STANDARD))), "version of its C library"),
    ],
)
def test_what_is_refused(members: tuple[Member, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(BaseUnusable) as caught:
        read(tmp_path, *members)
    assert words in (caught.value.details or "")


@pytest.mark.parametrize("length", [0, 4, 20, 64, 100, 119, 125])
def test_a_cut_off_program_is_no_program(length: int) -> None:
    whole = elf(*STANDARD)
    found = read_elf(whole[:length])
    assert found is None or found.loader is None or whole[120 : 120 + 27].startswith(found.loader.encode())
    assert read_elf(b"\x7fELF" + b"\xff" * 500) is None


def _paths(store: Path, site: bytes, sysconfig: bytes, root: str, *more: Member) -> tuple[list[str], dict[str, str]]:
    content = image(
        [
            archive(
                *GLIBC,
                file("usr/bin/python3.12", elf(*STANDARD)),
                link("usr/bin/python3", "python3.12"),
                file(f"{root}/os.py"),
                file(f"{root}/site.py", site),
                file(f"{root}/sysconfig.py", sysconfig),
                *more,
            )
        ],
        Env=["PATH=/usr/bin"],
    )
    with unpacking(content, "the-base", store) as files:
        found = find_python(files, content.config, "the-base")
        assert import_path(files, found, content.config)[0] == f"/{root}"
        return site_directories(files, found), scheme(files, found)


def test_where_packages_are_and_go(tmp_path: Path) -> None:
    plain = _paths(tmp_path, b"", b"", "usr/lib/python3.12")
    assert plain[0] == ["/usr/lib/python3.12/site-packages"]
    assert plain[1]["purelib"] == "/usr/lib/python3.12/site-packages"
    assert plain[1]["headers"] == "/usr/include/python3.12"
    fedora = _paths(tmp_path, b"'RPM_BUILD_ROOT'", b"'RPM_BUILD_ROOT'", "usr/lib64/python3.12")
    assert fedora[0] == [
        *("/usr/local/lib64/python3.12/site-packages", "/usr/local/lib/python3.12/site-packages"),
        *("/usr/lib64/python3.12/site-packages", "/usr/lib/python3.12/site-packages"),
    ]
    assert fedora[1]["platlib"] == "/usr/local/lib64/python3.12/site-packages"
    assert fedora[1]["scripts"] == "/usr/local/bin"


@pytest.mark.parametrize(
    "table", [b"_INSTALL_SCHEMES = {", b"_INSTALL_SCHEMES = f()", b"_INSTALL_SCHEMES = {'posix_prefix': 1}"]
)
def test_a_table_that_cannot_be_read_is_cpythons_own(table: bytes, tmp_path: Path) -> None:
    assert _paths(tmp_path, b"", table, "usr/lib/python3.12") == _paths(tmp_path, b"", b"", "usr/lib/python3.12")
