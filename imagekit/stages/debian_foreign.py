"""A root filesystem for another processor, without running anything of it.

What a package's scripts leave behind (accounts, alternatives, certificates, bytecode, dpkg's own records) does
not depend on the processor. So the system is made for this machine first, from the same packages, and then each
file of a package that is compiled gives way to that package's own file for the other processor.
The same packages for the same processor give the very same archive, which is how this is tested.
"""

from __future__ import annotations

import copy
import fnmatch
import os
import posixpath
import re
import struct
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from imagekit.atomic import UNFINISHED
from imagekit.errors import BaseBuildFailed
from imagekit.progress import Reporter
from imagekit.stages.debian_dpkg import OneDeb, info_files, open_deb, status_of
from imagekit.stages.debian_fetch import fetch_debs, newest_change
from imagekit.stages.debian_lock import LOCK_ANEW, DebianLock, DebPackage
from imagekit.stages.debian_rootfs import RootfsTar, require_locked, write_rootfs
from imagekit.stages.declared import BaseDeclaration

# Directories of libraries, as Debian calls the processors (dpkg-architecture(1), DEB_HOST_MULTIARCH).
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
_MERGED = re.compile(r"^(bin|sbin|lib|lib64)(/|$)")
_INFO = "var/lib/dpkg/info/"
# Of this processor alone; the loader finds libraries without it (ld.so(8)).
_NATIVE_ONLY = frozenset({"etc/ld.so.cache", "lib64", "usr/lib64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The .deb files of a lock, by package name."""

    lock: DebianLock
    files: Mapping[str, Path]


def build_foreign_rootfs(
    native_tar: Path,
    native: DebianLock,
    foreign: DebianLock,
    declaration: BaseDeclaration,
    out: Path,
    *,
    store: Path,
    reporter: Reporter,
) -> RootfsTar:
    """Write the root filesystem of ``foreign`` to ``out``; ``native_tar`` is that of the same packages here.

    ``store`` is where .deb files are kept. Raises ``BaseBuildFailed``, ``HashMismatch``.
    """
    require_same(native, foreign)
    here, there = (Packages(lock=lock, files=fetch_debs(lock, store, reporter)) for lock in (native, foreign))
    epoch = newest_change(list(there.files.values()))
    with (
        tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=store) as directory,
        reporter.task(f"Unpacking Debian packages for {foreign.architecture}"),
    ):
        members = transplant(native_tar, here, there, declaration, epoch=epoch, directory=Path(directory))
        partial = Path(directory) / "rootfs.tar"
        rootfs = write_rootfs(members, partial)
        require_locked(rootfs, foreign)
        os.replace(partial, out)
    return RootfsTar(path=out, diff_id=rootfs.diff_id, size=rootfs.size, installed=rootfs.installed)


@dataclass(slots=True)
class Entry:
    """A member of the archive that is made: its head, and where its content is."""

    member: tarfile.TarInfo
    archive: tarfile.TarFile | None = None
    data: bytes | None = None

    def content(self) -> bytes:
        if self.data is not None:
            return self.data
        stream = self.archive.extractfile(self.member) if self.archive is not None and self.member.isreg() else None
        return stream.read() if stream is not None else b""


@dataclass(slots=True)
class _Native:
    """The root filesystem of this machine's processor, and what in it is of compiled packages."""

    members: dict[str, Entry]
    names: set[str]  # of the compiled packages
    owned: set[str] = field(default_factory=set)  # their files


def transplant(
    native_tar: Path, native: Packages, foreign: Packages, declaration: BaseDeclaration, *, epoch: int, directory: Path
) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The members of the root filesystem of ``foreign``, sorted by name, each with its content.

    ``native_tar`` is that of ``native``, the same packages in the same versions for this machine.
    ``directory`` is for what is unpacked on the way; no member is younger than ``epoch``.
    """
    hashes = {package.name: package.sha256 for package in native.lock.packages}
    compiled = [package.name for package in foreign.lock.packages if hashes[package.name] != package.sha256]
    if native.lock.architecture == foreign.lock.architecture:
        compiled = [package.name for package in foreign.lock.packages if package.architecture != "all"]
    with ExitStack() as stack:
        archive = stack.enter_context(tarfile.open(native_tar))
        base = _Native(members={member.name: Entry(member, archive) for member in archive}, names=set(compiled))
        for path, entry in base.members.items():
            if path.endswith(".list") and _package_of(path) in base.names:
                lines = entry.content().decode("utf-8", "surrogateescape").splitlines()
                base.owned.update(map(_place, lines))
        debs = [stack.enter_context(open_deb(foreign.files[name], directory)) for name in compiled]
        made = dict(_foreign_files(base, debs, native.lock, foreign.lock, declaration, epoch))
        kept = dict(_generated(base, made, native.lock, foreign.lock))
        made = {**kept, **made}
        made.update(_records(base, debs, native.lock, foreign.lock, epoch))
        stale = [path for path in made if _is_stale(path, made)]
        for path in stale:
            del made[path]
        for path in sorted(made):
            yield made[path].member, made[path].content()


def require_same(native: DebianLock, foreign: DebianLock) -> None:
    """``BaseBuildFailed`` unless both are of the same packages in the same versions of their sources."""
    there = {(package.name, _source_version(package)) for package in foreign.packages}
    odd = sorted(
        {name for name, _ in there ^ {(package.name, _source_version(package)) for package in native.packages}}
    )
    if odd:
        raise BaseBuildFailed(
            f"{', '.join(odd)}: not of the same version for {native.architecture} and {foreign.architecture}",
            hint=f"make the base on a machine of {foreign.architecture}; or later, when mirrors have both: {LOCK_ANEW}",
        )


def _source_version(package: DebPackage) -> str:
    """Its version without the count of rebuilds for one processor (Debian's developers' reference, 5.10.2.1)."""
    return re.sub(r"\+b[0-9]+$", "", package.version)


def _package_of(path: str) -> str | None:
    """The package whose record ``path`` is: ``libc6`` of ``var/lib/dpkg/info/libc6:amd64.list``."""
    return re.split(r":|\.[a-z0-9]+$", path[len(_INFO) :])[0] if path.startswith(_INFO) else None


def _paths(deb: OneDeb) -> dict[str, tarfile.TarInfo]:
    """The members of ``deb`` by their place in a system whose ``/bin``, ``/lib`` and ``/sbin`` are links."""
    return {place: member for member in deb.members if (place := _place(member.name))}


def _place(name: str) -> str:
    return _MERGED.sub(r"usr/\1\2", name.removeprefix("./").strip("/"), count=1) if name.strip("./") else ""


def _foreign_files(
    base: _Native, debs: list[OneDeb], native: DebianLock, foreign: DebianLock, declaration: BaseDeclaration, epoch: int
) -> Iterator[tuple[str, Entry]]:
    ours, theirs = TRIPLETS[native.architecture], TRIPLETS[foreign.architecture]
    for deb in debs:
        for path, member in _paths(deb).items():
            twin = path.replace(theirs, ours)
            final = base.members.get(twin)
            if final is None and (twin in base.owned or _excluded(path, declaration)):
                continue  # left out here, so there as well
            if final is not None and final.member.issym() and not member.issym():
                # A script has put a link in the place of what the package brought (/var/run).
                yield path, final
                continue
            member = copy.copy(member)
            member.name = path
            if member.islnk():
                member.linkname = _place(member.linkname)
            if final is not None and final.member.type == member.type:
                # As the scripts of packages left them.
                member.mode, member.uid, member.gid = final.member.mode, final.member.uid, final.member.gid
                if member.isdir():
                    member.mtime = final.member.mtime
            member.uname = member.gname = ""
            member.mtime = min(int(member.mtime), epoch)
            member.pax_headers = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            yield path, Entry(member, deb.archive)


def _excluded(path: str, declaration: BaseDeclaration) -> bool:
    """As dpkg's ``path-exclude`` and ``path-include`` have it (dpkg(1)): the last that fits decides."""
    name = f"/{path}"
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in declaration.include):
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in declaration.exclude)


def _generated(
    base: _Native, made: Mapping[str, Entry], native: DebianLock, foreign: DebianLock
) -> Iterator[tuple[str, Entry]]:
    """What is of no compiled package: other packages' files, and what scripts and tools made."""
    triplet, another = TRIPLETS[native.architecture], native.architecture != foreign.architecture
    needed = {above for path in made for above in _above(path)}
    for path, entry in base.members.items():
        if another and path in _NATIVE_ONLY and path not in needed:
            continue
        if _package_of(path) in base.names:
            continue
        if path in base.owned and not (entry.member.isdir() and path in needed):
            continue
        if another and triplet in path:
            continue
        yield path, entry


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _records(
    base: _Native, debs: list[OneDeb], native: DebianLock, foreign: DebianLock, epoch: int
) -> Iterator[tuple[str, Entry]]:
    """dpkg's and debconf's own records, with the other processor's packages in them."""
    for deb in debs:
        for name, mode, time, data in info_files(deb):
            member = tarfile.TarInfo(f"{_INFO}{name}")
            member.size, member.mode, member.mtime = len(data), mode, epoch if time is None else min(time, epoch)
            yield member.name, Entry(member, data=data)
    ours, theirs = native.architecture, foreign.architecture
    for path, change in (
        ("var/lib/dpkg/status", lambda text: status_of(text, debs, theirs)),
        ("var/lib/dpkg/arch", lambda text: text.replace(ours, theirs)),
        ("var/cache/debconf/config.dat", lambda text: text.replace(f":{ours}", f":{theirs}")),
        ("var/cache/debconf/templates.dat", lambda text: text.replace(f":{ours}", f":{theirs}")),
    ):
        if path in base.members:
            entry = base.members[path]
            data = change(entry.content().decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            entry.member.size = len(data)
            yield path, Entry(entry.member, data=data)


def _is_stale(path: str, made: Mapping[str, Entry]) -> bool:
    """Whether ``path`` is bytecode of a source that is not the one it was compiled from (PEP 3147, PEP 552)."""
    directory, _, name = path.rpartition("/__pycache__/")
    if not name.endswith(".pyc") or not directory:
        return False
    source = made.get(f"{directory}/{name.split('.')[0]}.py")
    if source is None:
        return True
    head = made[path].content()[:16]
    flags, time, size = struct.unpack_from("<III", head.ljust(16, b"\0"), 4)
    return flags == 0 and (time, size) != (int(source.member.mtime), source.member.size)
