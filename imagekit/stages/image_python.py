"""The Python of a base that is not run: found and read in its files.

Each fact is read where the interpreter itself has it: its own binary (or libpython) holds the version and
the cache tag, the C library its version, the ELF head the loader. Sources: CPython's ``Modules/getpath.py``
and ``Lib/site.py``, PEP 405 (virtual environments), glibc's ``confstr``, musl's ``ldso/dynlink.c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagekit.errors import BaseUnusable
from imagekit.oci.config import ImageConfig
from imagekit.preflight.elf import read_elf
from imagekit.stages.unpacked import Unpacked

_PYTHON = re.compile(r"python(3\.\d+)t?")
_IMPORT_ROOTS = ("lib", "lib64")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePython:
    """What an interpreter is and where it is at home, without having run it."""

    command: str  # as it would be started: /opt/venv/bin/python3
    executable: str  # links resolved: /usr/bin/python3.11
    version: str  # 3.11.2
    cache_tag: str  # cpython-311
    libc: str  # glibc or musl
    libc_version: str  # 2.36
    machine: str  # x86_64
    loader: str | None  # the program interpreter, links resolved
    prefix: str  # sys.base_prefix
    environment: str  # sys.prefix
    library: str  # the standard library: /usr/lib/python3.11
    system_site: bool  # a virtual environment sees what is beside the interpreter; without one, True

    @property
    def minor(self) -> str:
        """``3.11``"""
        return ".".join(self.version.split(".")[:2])


def find_python(base: Unpacked, config: ImageConfig, reference: str) -> ImagePython:
    """The Python that ``python3``, or else ``python``, starts in the base; ``BaseUnusable`` where there is none."""
    reasons = []
    for name in ("python3", "python"):
        for command in _on_path(base, config, name):
            try:
                return _read(base, command)
            except _NotPython as error:
                reasons.append(f"{command}: {error}")
                break  # as an engine does it: the first on the path is the one
    raise BaseUnusable(
        f"{reference} has no Python that can be read",
        hint="choose a base image with python3 on its PATH: imagekit base build makes one",
        details="\n".join(reasons) or "neither python3 nor python is on its PATH",
    )


def markers(python: ImagePython) -> Mapping[str, str]:
    """The PEP 508 environment, as the interpreter would tell it on Linux."""
    return cpython_markers(python.version, python.machine)


def cpython_markers(version: str, machine: str) -> Mapping[str, str]:
    """The same of CPython ``version`` (3.11.2) on a ``machine`` (x86_64)."""
    return {
        "implementation_name": "cpython",
        "implementation_version": version.removesuffix("+"),
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": "linux",
    }


class _NotPython(Exception):
    """Why a program is no CPython that can be read."""


def _on_path(base: Unpacked, config: ImageConfig, name: str) -> list[str]:
    found = []
    for directory in config.path.split(":"):
        path = f"{directory.rstrip('/')}/{name}"
        there = base.tree.resolve(path) if path.startswith("/") else None
        if there is not None and there[1].kind == "file" and there[1].mode & 0o111:
            found.append(path)
    return found


def _read(base: Unpacked, command: str) -> ImagePython:
    found = base.tree.resolve(command)
    data = base.content(command)
    if found is None or data is None:
        raise _NotPython("its content cannot be read")
    executable = found[0]
    elf = read_elf(data)
    if elf is None:
        raise _NotPython("it is a script, and what that starts is not known without running it")
    venv = _pyvenv(base, command)
    home = _home(base, venv[1]["home"] if venv else executable.rpartition("/")[0], executable)
    if home is None:
        raise _NotPython("its standard library is not there")
    prefix, library = home
    minor = library.rpartition("/python")[2].removesuffix("t")
    programs = [data, *_libpython(base, prefix, minor)]
    tag = "cpython-" + minor.replace(".", "")
    if not any(tag.encode() + b"\0" in program for program in programs):
        raise _NotPython("it is not CPython")
    libc, libc_version, loader = _libc(base, elf.loader)
    return ImagePython(
        command=command,
        executable=executable,
        version=_version(base, programs, prefix, minor),
        cache_tag=tag,
        libc=libc,
        libc_version=libc_version,
        machine=elf.machine,
        loader=loader,
        prefix=prefix,
        environment=venv[0] if venv else prefix,
        library=library,
        system_site=venv is None or venv[1].get("include-system-site-packages", "").lower() == "true",
    )


def _pyvenv(base: Unpacked, command: str) -> tuple[str, dict[str, str]] | None:
    """The virtual environment that ``command`` is of: its directory and its ``pyvenv.cfg``."""
    directory = command.rpartition("/")[0]
    for place in (directory, directory.rpartition("/")[0]):
        text = base.content(f"{place}/pyvenv.cfg")
        if text is None:
            continue
        lines = (line.partition("=") for line in text.decode("utf-8", "replace").splitlines())
        settings = {key.strip().lower(): value.strip() for key, sep, value in lines if sep}
        if settings.get("home"):
            return place, settings
    return None


def _home(base: Unpacked, directory: str, executable: str) -> tuple[str, str] | None:
    """Prefix and standard library, searched for as the interpreter does: from where it lies upwards, by ``os.py``."""
    named = _PYTHON.fullmatch(executable.rpartition("/")[2])
    while True:
        for root in _IMPORT_ROOTS:
            names = [f"python{named[1]}"] if named else base.names(f"{directory}/{root}")
            for name in names:
                library = f"{directory}/{root}/{name}"
                if _PYTHON.fullmatch(name) and base.is_file(f"{library}/os.py"):
                    return directory or "/", library
        if not directory:
            return None
        directory = directory.rpartition("/")[0]


def _libpython(base: Unpacked, prefix: str, minor: str) -> list[bytes]:
    """The shared library that the interpreter may be but a shell of."""
    name = re.compile(rf"libpython{re.escape(minor)}t?\.so\.1\.0")
    found = []
    for directory in _library_directories(base, prefix):
        for entry in base.names(directory):
            if name.fullmatch(entry) and (data := base.content(f"{directory}/{entry}")) is not None:
                found.append(data)
    return found


def _library_directories(base: Unpacked, prefix: str) -> list[str]:
    directories = [f"{prefix.rstrip('/')}/lib", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"]
    triplets = [f"{d}/{name}" for d in ("/usr/lib", "/lib") for name in base.names(d) if name.endswith("-linux-gnu")]
    return list(dict.fromkeys([*directories, *triplets]))


def _version(base: Unpacked, programs: list[bytes], prefix: str, minor: str) -> str:
    """The full version: a string of its own in the interpreter (``PY_VERSION``), and in ``patchlevel.h``."""
    start = f"{minor}.".encode()
    rest = re.compile(re.escape(start) + rb"\d+(?:(?:a|b|rc)\d+)?\+?(?=\0)")
    places = [(program, place) for program in programs for place in _places(program, start)]
    matches = [rest.match(program, place) for program, place in places if program[place - 1] not in b"0123456789."]
    found = {match[0].decode() for match in matches if match}
    if len(found) != 1:
        header = base.content(f"{prefix.rstrip('/')}/include/python{minor}/patchlevel.h") or b""
        told = re.search(rb'^#define PY_VERSION\s+"([^"]+)"', header, re.MULTILINE)
        if told is None or (found and told[1].decode() not in found):
            raise _NotPython(f"its full version is not to be told ({', '.join(sorted(found)) or 'none is in it'})")
        return told[1].decode()
    return found.pop()


def libc_of(base: Unpacked, loader: str) -> tuple[str, str] | None:
    """Name and version of the C library whose programs name ``loader``; ``None`` where it is not there."""
    try:
        return _libc(base, loader)[:2]
    except _NotPython:
        return None


def _libc(base: Unpacked, named: str | None) -> tuple[str, str, str | None]:
    """Name and version of the C library whose loader is ``named``, and that loader with links resolved."""
    if named is None:
        raise _NotPython("it is linked statically, and no wheel with compiled code would load")
    found = base.tree.resolve(named)
    if found is None:
        raise _NotPython(f"its loader {named} is not there")
    loader = found[0]
    if loader.rpartition("/")[2].startswith("ld-musl-") or "musl" in named:
        told = set(re.findall(rb"\0(\d\.\d\.\d+)\0", base.content(loader) or b""))
        if len(told) != 1:
            raise _NotPython("the version of musl is not to be told")
        return "musl", told.pop().decode(), loader
    # The C library lies beside its loader, or where the loader's own path leads without a link of its own.
    beside = [f"{path.rpartition('/')[0]}/libc.so.6" for path in (loader, named)]
    for path in [*beside, *(f"{directory}/libc.so.6" for directory in _library_directories(base, "/usr"))]:
        data = base.content(path) or b""
        for place in _places(data, b"glibc "):
            if version := re.compile(rb"glibc (\d+\.\d+(?:\.\d+)?)\0").match(data, place):
                return "glibc", version[1].decode(), loader
    raise _NotPython("the version of its C library is not to be told")


def _places(data: bytes, words: bytes) -> Iterator[int]:
    """Where ``words`` are in ``data``; much quicker than an expression is in megabytes."""
    place = data.find(words)
    while place >= 0:
        yield place
        place = data.find(words, place + 1)
