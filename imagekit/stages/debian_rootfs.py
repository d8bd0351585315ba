"""A root filesystem from exactly the locked Debian packages, the same bytes every time.

mmdebstrap unpacks and configures them in a directory; its tar is then written anew,
without what differs from machine to machine or is of no use in an image.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote

from imagekit.atomic import UNFINISHED
from imagekit.errors import BaseBuildFailed
from imagekit.oci.digest import Digest
from imagekit.progress import Reporter
from imagekit.stages.debian_fetch import fetch_debs, newest_change, write_repository
from imagekit.stages.debian_lock import KEYRING, LOCK_ANEW, DebianLock
from imagekit.stages.declared import BaseDeclaration
from imagekit.stanzas import stanzas

MMDEBSTRAP = "mmdebstrap"
MERGED_USR = "/usr/share/mmdebstrap/hooks/merged-usr"
USER = "app"
HOME = f"/home/{USER}"
UID = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RootfsTar:
    """An uncompressed layer with a whole system in it."""

    path: Path
    diff_id: Digest
    size: int  # bytes
    installed: tuple[tuple[str, str], ...]  # (package, version), as dpkg in it says


def build_rootfs(
    lock: DebianLock, declaration: BaseDeclaration, out: Path, *, store: Path, reporter: Reporter
) -> RootfsTar:
    """Write the tar of ``lock``'s packages, installed, to ``out``.

    ``store`` is where .deb files are kept. Needs root and mmdebstrap (see ``debian``).
    Raises ``BaseBuildFailed`` with mmdebstrap's own words, ``HashMismatch``.
    """
    files = fetch_debs(lock, store, reporter)
    epoch = newest_change(list(files.values()))
    with (
        tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=store) as directory,
        reporter.task("Installing Debian packages", total=None),
    ):
        repository = Path(directory) / "repository"
        repository.mkdir()
        write_repository(lock, files, repository)
        raw = Path(directory) / "raw.tar"
        _mmdebstrap(lock, declaration, repository, raw, epoch)
        partial = Path(directory) / "rootfs.tar"
        rootfs = _rewrite(raw, partial, lock, epoch)
        require_locked(rootfs, lock)
        os.replace(partial, out)
    return RootfsTar(path=out, diff_id=rootfs.diff_id, size=rootfs.size, installed=rootfs.installed)


def _mmdebstrap(lock: DebianLock, declaration: BaseDeclaration, repository: Path, out: Path, epoch: int) -> None:
    argv = [
        *("env", "LC_ALL=C.UTF-8", f"SOURCE_DATE_EPOCH={epoch}", f"TMPDIR={repository.parent}"),
        *(MMDEBSTRAP, "--mode=root", "--variant=apt", "--format=tar", "--verbose"),
        f"--architectures={lock.architecture}",
        *_links_to_usr(lock),
        f"--include={','.join(p.name for p in lock.packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in declaration.exclude),
        *(f"--dpkgopt=path-include={pattern}" for pattern in declaration.include),
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        "",  # no suite: a flat repository has none
        str(out),
        f"deb [trusted=yes] copy://{quote(str(repository))} ./",
    ]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise BaseBuildFailed(
            f"mmdebstrap could not install the packages of {lock.suite}",
            hint=f"what stands above is its own words; where a package is no longer there, {LOCK_ANEW}",
            details=done.stderr.decode(errors="replace").strip()[-4000:],
        )


def _links_to_usr(lock: DebianLock) -> list[str]:
    """Options by which ``/bin`` and the like are links from the start, as all Debian systems have it by now."""
    if any(package.name == "usr-is-merged" for package in lock.packages):
        return [f"--hook-dir={MERGED_USR}"]
    # A release that does not know the package that says so: the hook would want it.
    places = ["bin", "sbin", "lib", *({"amd64": ["lib64"]}.get(lock.architecture, []))]
    steps = [f'ln -s usr/{place} "$1/{place}" && mkdir -p "$1/usr/{place}"' for place in places]
    return [f"--setup-hook={' && '.join(steps)}"]


class _Hashing:
    """A file that digests what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

    @property
    def digest(self) -> Digest:
        return Digest("sha256:" + self._hash.hexdigest())


def require_locked(rootfs: RootfsTar, lock: DebianLock) -> None:
    """``BaseBuildFailed`` unless what dpkg says is installed in ``rootfs`` is what ``lock`` names."""
    locked = tuple((p.name, p.version) for p in lock.packages)
    if rootfs.installed != locked:
        odd = sorted({name for name, _ in set(rootfs.installed) ^ set(locked)})
        raise BaseBuildFailed(
            f"what was installed is not what was locked: {', '.join(odd)}",
            hint=LOCK_ANEW,
        )


def write_rootfs(members: Iterable[tuple[tarfile.TarInfo, bytes]], out: Path) -> RootfsTar:
    """Write ``members`` in the order they come in, each with its content."""
    installed: tuple[tuple[str, str], ...] = ()
    with out.open("wb") as stream:
        hashing = _Hashing(stream)
        # "w|" writes straight on: it asks for nothing but write().
        with tarfile.open(fileobj=cast(IO[bytes], hashing), mode="w|", format=tarfile.PAX_FORMAT) as target:
            for member, content in members:
                if member.name == "var/lib/dpkg/status":
                    installed = _installed(content)
                target.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return RootfsTar(path=out, diff_id=hashing.digest, size=hashing.size, installed=installed)


def _rewrite(raw: Path, out: Path, lock: DebianLock, epoch: int) -> RootfsTar:
    return write_rootfs(_rewritten(raw, lock, epoch), out)


def _rewritten(raw: Path, lock: DebianLock, epoch: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(raw) as source:
        members = {name: member for member in source if (name := _kept(member)) is not None}
        added = {entry.name: (entry, data) for entry, data in _added(lock, epoch)}
        for name in sorted(members.keys() | added.keys()):
            if name in added:
                yield added[name]
                continue
            member = members[name]
            extracted = source.extractfile(member) if member.isreg() else None
            content = _with_user(name, extracted.read() if extracted is not None else b"", epoch)
            member.name = name
            if member.islnk():
                member.linkname = member.linkname.removeprefix("./")
            member.size = len(content)
            member.uname = member.gname = ""
            member.mtime = min(int(member.mtime), epoch)
            # Times are whole seconds; what is left are extended attributes.
            member.pax_headers = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            yield member, content


# Made by the tools on the way, or of this machine; the directories themselves stay.
_EMPTIED = (
    *("dev", "proc", "sys", "run", "tmp", "var/log", "var/cache", "var/lib/apt/lists", "var/tmp"),
    # Written as a side effect whenever dpkg runs py3compile: it differs from machine to machine.
    "usr/share/python3/debpython/__pycache__",
)
_DROPPED = frozenset(
    {
        "etc/machine-id",
        "etc/.pwd.lock",
        "etc/apt/sources.list",
        "etc/passwd-",
        "etc/group-",
        "etc/shadow-",
        "etc/gshadow-",
        "var/lib/dpkg/status-old",
        "var/lib/dpkg/available",
        "var/lib/dpkg/available-old",
        "var/lib/dpkg/diversions-old",
        "var/lib/dpkg/statoverride-old",
    }
)
# apt and debconf expect these to be there.
_KEPT_DIRECTORIES = frozenset(
    {"var/cache/apt", "var/cache/apt/archives", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial"}
    | {"var/log/apt", "run/lock", "var/cache/debconf"}
)
_KEPT_FILES = frozenset(
    {"var/cache/debconf/config.dat", "var/cache/debconf/passwords.dat", "var/cache/debconf/templates.dat"}
)


def _kept(member: tarfile.TarInfo) -> str | None:
    """The member's name in the layer, or ``None`` for one that is left out."""
    name = member.name.removeprefix("./").strip("/")
    if name in ("", ".") or name in _DROPPED or name.startswith("etc/apt/sources.list.d/"):
        return None
    if (member.isdir() and name in _KEPT_DIRECTORIES) or name in _KEPT_FILES:
        return name
    if any(name.startswith(f"{directory}/") for directory in _EMPTIED):
        return None
    return name


def _added(lock: DebianLock, epoch: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    sources = "\n".join(
        f"Types: deb\nURIs: {r.uri}\nSuites: {r.suite}\nComponents: {r.component}\nSigned-By: {KEYRING}\n"
        for r in lock.repositories
    )
    # An engine lays its own over these two; other tools expect them to be there.
    yield _file("etc/hostname", b"localhost\n", epoch)
    yield _file("etc/resolv.conf", b"", epoch)
    yield _file("etc/apt/sources.list.d/debian.sources", sources.encode(), epoch)
    home = tarfile.TarInfo(HOME.lstrip("/"))
    home.type, home.mode, home.uid, home.gid, home.mtime = tarfile.DIRTYPE, 0o755, UID, UID, epoch
    yield home, b""


def _file(name: str, data: bytes, epoch: int) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), 0o644, epoch
    return entry, data


def _with_user(name: str, content: bytes, epoch: int) -> bytes:
    """``content`` of an account file (passwd(5), shadow(5)) with the user added; other files as they are."""
    lines = {
        "etc/passwd": f"{USER}:x:{UID}:{UID}::{HOME}:/bin/bash\n",
        "etc/group": f"{USER}:x:{UID}:\n",
        "etc/shadow": f"{USER}:!:{epoch // 86400}:0:99999:7:::\n",
        "etc/gshadow": f"{USER}:!::\n",
    }
    return content + lines[name].encode() if name in lines else content


def _installed(status: bytes) -> tuple[tuple[str, str], ...]:
    found = (known for known in stanzas(status.decode()) if known.get("Status") == "install ok installed")
    return tuple(sorted((known["Package"], known["Version"]) for known in found))
