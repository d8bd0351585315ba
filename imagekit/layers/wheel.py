"""A wheel as it would be installed: which member goes where, and what an installer adds.

Sources: the binary distribution format and "recording installed projects" specifications
(PEP 427, PEP 376, PEP 610), entry points specification. Nothing is unpacked to disk.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import lzma
import posixpath
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from imagekit.errors import WheelRefused
from imagekit.layers.archive import is_safe_member, parents
from imagekit.layers.zip_content import unpacked
from imagekit.plan.prefix import Prefix

INSTALLER = "imagekit"
_PIECE = 1 << 20
# What every reader of zip archives may raise on a damaged one.
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, UnicodeError)
# A wheel may unpack to this much whatever its own size, and beyond it to this many times its size.
# Deflate reaches 1032 times; the densest wheels that are published, some twenty.
_ALWAYS_FINE = 1 << 30
_RATIO = 200
# Of an archive's directory each entry becomes an object some ten times as large. The largest that are
# published have some forty thousand entries and 6 MB.
_LARGEST_DIRECTORY = 24 << 20
# What is read whole: sources, scripts with "#!python", metadata.
LARGEST_HELD = 32 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a wheel at its place in the image."""

    path: str  # relative to the image's root, no leading slash
    info: zipfile.ZipInfo
    executable: bool
    rewrite: bool  # a script whose first line may be "#!python"


class Wheel:
    """An opened wheel. Raises ``WheelRefused`` for one that is damaged or not safe to unpack."""

    def __init__(self, path: Path, prefix: Prefix) -> None:
        self.filename = path.name
        self._prefix = prefix
        self._hashes: dict[str, str] = {}  # of the members that were read
        self._rewritten: dict[str, tuple[str, str]] = {}  # hash and size of those that are not installed as they are
        try:
            name, self.version, _, _ = parse_wheel_filename(path.name)
            self.name = canonicalize_name(name)
            if directory_size(path) > _LARGEST_DIRECTORY:
                raise WheelRefused(f"{path.name} has a directory of members of {directory_size(path) >> 20} MiB")
            self._zip = zipfile.ZipFile(path)
            assert self._zip.fp is not None
            self._descriptor = self._zip.fp.fileno()
        except (InvalidWheelFilename, *DAMAGED) as error:
            raise WheelRefused(f"{path.name} is not a wheel ({error})") from error
        try:
            self._refuse_bomb(path.stat().st_size)
            self._refuse_overlap()
            self._dist_info = self._find_dist_info()
            self._recorded = self._read_record()
            self.members = tuple(sorted(self._members(), key=lambda m: m.path))
            self._check()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Wheel:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    @property
    def dist_info(self) -> str:
        """``NAME-VERSION.dist-info``"""
        return self._dist_info

    def is_rewritten(self, member: Member) -> bool:
        """Whether the member's first line is replaced when it is installed."""
        if not member.rewrite:
            return False
        with self._zip.open(member.info) as source:
            return source.read(len(_PLACEHOLDER)) == _PLACEHOLDER

    def read(self, member: Member) -> bytes:
        """The whole content of a member, as it is installed."""
        if member.info.file_size > LARGEST_HELD:
            raise WheelRefused(f"{self.filename}: {member.info.filename} is too large for a script")
        data = b"".join(self._verified(member))
        if member.rewrite:
            data = _with_interpreter(data, self._prefix.python)
            self._rewritten[member.path] = (hash_of(data), str(len(data)))
        return data

    def stream(self, member: Member) -> Iterator[bytes]:
        """The content in pieces; for members that are not rewritten."""
        return self._verified(member)

    def _verified(self, member: Member) -> Iterator[bytes]:
        """The content as it is in the wheel; refused where it is not what the wheel says of it (PEP 427)."""
        content, size = hashlib.sha256(), 0
        for piece in self._pieces(member.info):
            content.update(piece)
            size += len(piece)
            yield piece
        name = member.info.filename
        if size != member.info.file_size:
            raise WheelRefused(f"{self.filename} is damaged ({name} has {size} bytes, not {member.info.file_size})")
        found = _encoded(content.digest())
        recorded = self._recorded.get(name, "")
        if recorded.startswith("sha256=") and recorded.rstrip("=") != found:
            raise WheelRefused(f"{self.filename}: its RECORD has another hash for {name}")
        self._hashes[name] = found

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        whole = unpacked(self._descriptor, info) if info.file_size <= LARGEST_HELD else None
        if whole is not None:
            yield whole
            return
        with self._zip.open(info) as source:
            while piece := source.read(_PIECE):
                yield piece

    def console_scripts(self) -> list[tuple[str, bytes]]:
        """``(path, content)`` of the scripts that the entry points ask for."""
        text = self._text("entry_points.txt")
        scripts: dict[str, bytes] = {}
        for kind in ("console", "gui"):
            for name, value in _entry_points(text, f"{kind}_scripts", self.filename):
                path = self._at(f"{self._prefix.scripts}/{name}")
                self._refuse_own(path)
                try:
                    scripts[path] = script(name, value, kind, self._prefix.python)
                except ValueError as error:
                    raise WheelRefused(f"{self.filename}: {error}") from error
        return list(scripts.items())

    def additions(self, scripts: list[tuple[str, bytes]], replaced: Collection[str] = ()) -> list[tuple[str, bytes]]:
        """``INSTALLER`` and ``RECORD``, the latter with everything that is installed but bytecode.

        Bytecode is left out as uv does it, which spares a list of half a megabyte in a large image; those
        who uninstall by RECORD take the bytecode of its modules along.
        Asked for when every member was read but those that are ``replaced``: what was read is what is recorded.
        """
        site = self._at(self._prefix.site)
        installer = (f"{site}/{self._dist_info}/INSTALLER", f"{INSTALLER}\n".encode())
        path = f"{site}/{self._dist_info}/RECORD"
        own = {*replaced, *(script_path for script_path, _ in scripts)}
        rows = [self._row(member) for member in self.members if member.path not in own]
        return [installer, (path, record([*scripts, installer], path, site, rows))]

    def digest(self, member: Member) -> str:
        """The hash of a member as it is installed, as RECORD has it; asked for when it was read."""
        return self._row(member)[1]

    def _row(self, member: Member) -> tuple[str, str, str]:
        relative = _relative(member.path, self._at(self._prefix.site))
        if member.path in self._rewritten:
            return (relative, *self._rewritten[member.path])
        return relative, self._hashes[member.info.filename], str(member.info.file_size)

    def _at(self, relative: str) -> str:
        path = f"{self._prefix.root}/{relative}"
        # Of a scheme alone: no member's name has it.
        return (posixpath.normpath(path) if relative.startswith("../") else path).lstrip("/")

    def _refuse_bomb(self, size: int) -> None:
        unpacked = sum(info.file_size for info in self._zip.infolist())
        if unpacked > max(_ALWAYS_FINE, _RATIO * size):
            raise WheelRefused(
                f"{self.filename} would unpack to {unpacked >> 20} MiB, {unpacked // size} times its own size"
            )

    def _refuse_overlap(self) -> None:
        """Members that share bytes (CVE-2024-0450), which only later releases of ``zipfile`` refuse."""
        end = 0
        for info in sorted(self._zip.infolist(), key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise WheelRefused(f"{self.filename} holds {info.filename!r} inside another member")
            end = info.header_offset + _LOCAL_HEADER + info.compress_size

    def _find_dist_info(self) -> str:
        found = {n.split("/", 1)[0] for n in self._zip.namelist() if n.split("/", 1)[0].endswith(".dist-info")}
        if len(found) != 1:
            raise WheelRefused(f"{self.filename} has {len(found)} .dist-info directories, not one")
        (name,) = found
        if self._project(name, ".dist-info") != self.name:
            raise WheelRefused(f"{self.filename} holds {name}, which is another project's")
        return name

    def _project(self, directory: str, suffix: str) -> str:
        """The normalized name in ``NAME-VERSION.dist-info``; before PEP 491 names were not escaped."""
        return canonicalize_name(directory.removesuffix(suffix).rpartition("-")[0])

    def _text(self, name: str) -> str:
        try:
            info = self._zip.getinfo(f"{self._dist_info}/{name}")
            if info.file_size > LARGEST_HELD:
                raise WheelRefused(f"{self.filename}: its {name} has {info.file_size >> 20} MiB")
            return self._zip.read(info).decode("utf-8")
        except KeyError:
            return ""
        except UnicodeDecodeError as error:
            raise WheelRefused(f"{self.filename}: {name} is not UTF-8") from error

    def _read_record(self) -> dict[str, str]:
        try:
            return {row[0]: row[1] for row in csv.reader(self._text("RECORD").splitlines()) if len(row) >= 2}
        except csv.Error as error:
            raise WheelRefused(f"{self.filename}: RECORD cannot be read ({error})") from error

    def _members(self) -> Iterator[Member]:
        # purelib and platlib are one directory on the systems that images are for.
        schemes = {
            "purelib": self._prefix.site,
            "platlib": self._prefix.site,
            "scripts": self._prefix.scripts,
            "headers": f"{self._prefix.headers}/{self.name}",
            "data": "",
        }
        # Signatures and the wheel's own RECORD are not installed (PEP 427); RECORD is written anew.
        left_out = {f"{self._dist_info}/{n}" for n in ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED")}
        for info in self._zip.infolist():
            name = info.filename
            if info.is_dir() or name in left_out:
                continue
            if not is_safe_member(name) or "\\" in name:
                raise WheelRefused(f"{self.filename} holds {name!r}, which would leave its place or hide another file")
            if info.flag_bits & 0x1:
                raise WheelRefused(f"{self.filename} holds {name!r}, which is encrypted")
            mode = info.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise WheelRefused(f"{self.filename} holds {name!r}, which is no regular file")
            executable = bool(mode & 0o111)
            top, _, below = name.partition("/")
            if not (top.endswith(".data") and below and self._project(top, ".data") == self.name):
                yield Member(self._at(f"{self._prefix.site}/{name}"), info, executable, False)
                continue
            scheme, _, rest = below.partition("/")
            if scheme not in schemes or not rest:
                raise WheelRefused(f"{self.filename} holds {name!r}, whose scheme is unknown")
            is_script = scheme == "scripts"
            target = f"{schemes[scheme]}/{rest}".lstrip("/")
            if target.startswith("lib64/"):
                # A link to lib in every virtual environment: a directory would take its place.
                target = f"lib/{target.removeprefix('lib64/')}"
            yield Member(self._at(target), info, executable or is_script, is_script)

    def _check(self) -> None:
        paths: set[str] = set()
        for member in self.members:
            if member.path in paths:
                raise WheelRefused(f"{self.filename} holds {member.path} twice")
            self._refuse_own(member.path)
            paths.add(member.path)
        for directory in parents(paths):
            if directory in paths:
                raise WheelRefused(f"{self.filename} holds {directory} as a file and as a directory")

    def _refuse_own(self, path: str) -> None:
        """What makes the environment one is no wheel's to replace."""
        scripts = self._at(self._prefix.scripts)
        if path in (self._at("pyvenv.cfg"), self._at("lib64")) or _PYTHON.fullmatch(path.removeprefix(f"{scripts}/")):
            raise WheelRefused(f"{self.filename} would replace the environment's own /{path}")


_PLACEHOLDER = b"#!python"
_LOCAL_HEADER = 30  # bytes at least (APPNOTE 4.3.7)
_END_RECORD = struct.Struct("<12xI6x")
_END_RECORD_64 = struct.Struct("<40xQ8x")
_LOCATOR = 20
_PYTHON = re.compile(r"python[0-9.]*")
_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_OBJECT = re.compile(rf"(?P<module>{_NAME})\s*:\s*(?P<attribute>{_NAME})\s*(?:\[[^\[\]]*\])?")


def script(name: str, value: str, kind: str, python: str) -> bytes:
    """The executable of an entry point ``name = value``; ``ValueError`` where that is no script."""
    from installer.scripts import Script

    found = _OBJECT.fullmatch(value.strip())
    if found is None or "/" in name or not is_safe_member(name):
        raise ValueError(f"entry point {name!r} = {value!r} is not a script")
    _, data = Script(name, found["module"], found["attribute"], kind).generate(python, "posix")  # type: ignore[arg-type]
    return data


def record(
    files: Iterable[tuple[str, bytes]], path: str, site: str, rows: Iterable[tuple[str, str, str]] = ()
) -> bytes:
    """A ``RECORD`` at ``path`` with ``rows`` and ``files``, relative to ``site``."""
    every = [*rows, *((_relative(p, site), hash_of(data), str(len(data))) for p, data in files)]
    every.append((_relative(path, site), "", ""))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted(every))
    return out.getvalue().encode()


def directory_size(path: Path) -> int:
    """Bytes of the archive's central directory as its end says it (APPNOTE 4.3.14 and 4.3.16); 0 for no archive."""
    with path.open("rb") as archive:
        start = max(0, archive.seek(0, io.SEEK_END) - _END_RECORD.size - 0xFFFF - _LOCATOR - _END_RECORD_64.size)
        archive.seek(start)
        tail = archive.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        return 0
    (size,) = _END_RECORD.unpack_from(tail, at)
    at -= _LOCATOR + _END_RECORD_64.size
    if at >= 0 and tail[at : at + 4] == b"PK\6\6":
        size = max(_END_RECORD_64.unpack_from(tail, at)[0], 0 if size == 0xFFFFFFFF else size)
    return int(size)


def _with_interpreter(data: bytes, python: str) -> bytes:
    line, end, rest = data.partition(b"\n")
    if not line.startswith(_PLACEHOLDER):
        return data
    arguments = line.rstrip(b"\r").removeprefix(b"#!pythonw").removeprefix(b"#!python")
    return b"#!" + python.encode() + arguments + end + rest


def _entry_points(text: str, section: str, filename: str) -> list[tuple[str, str]]:
    parser = ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except ConfigError as error:
        raise WheelRefused(f"{filename}: entry_points.txt cannot be read ({error.message})") from error
    return list(parser.items(section)) if parser.has_section(section) else []


def hash_of(data: bytes) -> str:
    """The hash of a file with ``data``, as RECORD has it."""
    return _encoded(hashlib.sha256(data).digest())


def _encoded(digest: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _relative(path: str, site: str) -> str:
    if path.startswith(f"{site}/"):
        return path[len(site) + 1 :]
    return posixpath.relpath(path, site)
