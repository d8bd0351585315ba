"""A conda channel in a directory: packages written here, and a Python taken out of a base image."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backports import zstd

# As long as those that conda-build has: a binary's place for the prefix must hold any.
PLACEHOLDER = "/home/builder/work/_h_env" + "_placehold" * 20
MTIME = 1700000000
_SITE = """import site
import sys

PLACES = [sys.prefix + "/lib/python3.11/site-packages"]
site.getsitepackages = lambda prefixes=None: PLACES
site.addsitedir(PLACES[0])
"""


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Hard:
    """A hard link to another file of the package."""

    target: str


@dataclass
class Package:
    """A package as it is written: ``files`` are contents by path."""

    name: str
    version: str = "1.0"
    build: str = "0"
    subdir: str = "linux-64"
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str = ""
    files: Mapping[str, bytes | str | Link | Hard] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    prefixed: Mapping[str, str] = field(default_factory=dict)  # path → text or binary
    entry_points: tuple[str, ...] = ()
    info: Mapping[str, bytes] = field(default_factory=dict)  # in place of what is written
    legacy: bool = False  # .tar.bz2, with files and has_prefix in place of paths.json
    packed: bytes = b""  # its file, where that is made already

    @property
    def dist(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def place(self) -> str:
        return "noarch" if self.noarch else self.subdir

    def index(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": 0,
            "depends": list(self.depends),
            "constrains": list(self.constrains),
            "subdir": self.place,
            "timestamp": MTIME * 1000,
            "license": "MIT",
        }
        return {**document, **({"noarch": self.noarch} if self.noarch else {})}


def write_package(directory: Path, package: Package) -> Path:
    """The package's file in the channel at ``directory``."""
    place = directory / package.place
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{package.dist}.{'tar.bz2' if package.legacy else 'conda'}"
    if package.packed:
        path.write_bytes(package.packed)
        return path
    info = _info(package)
    if package.legacy:
        path.write_bytes(bz2.compress(_tar({**package.files, **info}, package.executable), 1))
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{package.dist}.tar.zst", zstd.compress(_tar(package.files, package.executable), 1))
        archive.writestr(f"info-{package.dist}.tar.zst", zstd.compress(_tar(info, frozenset()), 1))
    return path


def write_channel(directory: Path, packages: Iterable[Package]) -> str:
    """A channel of ``packages``; its URL."""
    entries: dict[str, dict[str, Any]] = {"linux-64": {}, "linux-aarch64": {}, "noarch": {}}
    for package in packages:
        path = write_package(directory, package)
        data = path.read_bytes()
        entries[package.place][path.name] = {
            **package.index(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "md5": hashlib.md5(data).hexdigest(),
            "size": len(data),
        }
    for subdir, known in entries.items():
        (directory / subdir).mkdir(parents=True, exist_ok=True)
        document = {
            "info": {"subdir": subdir},
            "packages": {name: entry for name, entry in known.items() if name.endswith(".bz2")},
            "packages.conda": {name: entry for name, entry in known.items() if name.endswith(".conda")},
            "repodata_version": 1,
        }
        (directory / subdir / "repodata.json").write_text(json.dumps(document))
    return directory.as_uri()


def python_package(image: str) -> Package:
    """``python`` of conda's kind, out of Debian's in ``image``: it finds its prefix by where it lies.

    It is packed here, once: a whole Python takes seconds.
    """
    program = (
        "cd /usr && tar -c -h --exclude=__pycache__ --exclude=lib2to3 --exclude=pydoc_data --exclude='config-3*' "
        "bin/python3.11 lib/python3.11"
    )
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", image, "-c", program],
        capture_output=True,
        check=True,
    )
    files: dict[str, bytes | str | Link | Hard] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() or member.islnk() else None
            if content is not None:
                files[member.name] = content.read()
    # Debian's own places for packages are for its Python in /usr, and its site.py is frozen into the program.
    sysconfig = "lib/python3.11/sysconfig.py"
    files[sysconfig] = _text(files[sysconfig]).replace("= 'posix_local'", "= 'posix_prefix'")
    files["lib/python3.11/sitecustomize.py"] = _SITE
    files["bin/python3"] = files["bin/python"] = Link("python3.11")
    files["lib/python3.11/site-packages/README.txt"] = "packages go here\n"
    package = Package(
        name="python",
        version="3.11.2",
        build="0_cpython",
        depends=("__glibc >=2.17",),
        files=files,
        executable=frozenset({"bin/python3.11"}),
    )
    with tempfile.TemporaryDirectory() as directory:
        return replace(package, packed=write_package(Path(directory), package).read_bytes())


def module_package(name: str, version: str = "1.0", **more: Any) -> Package:
    """A noarch package of Python's with one module, its metadata and a command."""
    site = "site-packages"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{site}/{name}.py": f"VERSION = {version!r}\n\n\ndef main():\n    print({name!r}, VERSION)\n",
        f"{site}/{name}-{version}.dist-info/METADATA": metadata,
        f"{site}/{name}-{version}.dist-info/INSTALLER": "conda",
        f"{site}/{name}-{version}.dist-info/RECORD": f"{name}.py,,\n{name}-{version}.dist-info/METADATA,,\n",
        **more.pop("files", {}),
    }
    return Package(
        name=name,
        version=version,
        build="py_0",
        noarch="python",
        depends=("python >=3.8", *more.pop("depends", ())),
        files=files,
        entry_points=more.pop("entry_points", (f"{name} = {name}:main",)),
        **more,
    )


def _info(package: Package) -> dict[str, bytes | str | Link | Hard]:
    info: dict[str, bytes | str | Link | Hard] = {"info/index.json": json.dumps(package.index())}
    if package.legacy:
        info["info/files"] = "".join(f"{name}\n" for name in package.files)
        info["info/has_prefix"] = "".join(f'"{PLACEHOLDER}" {mode} {p}\n' for p, mode in package.prefixed.items())
    else:
        rows = [_row(package, path, content) for path, content in package.files.items()]
        info["info/paths.json"] = json.dumps({"paths": rows, "paths_version": 1})
    if package.noarch == "python":
        noarch = {"type": "python", "entry_points": list(package.entry_points)}
        info["info/link.json"] = json.dumps({"noarch": noarch, "package_metadata_version": 1})
    return {**info, **{f"info/{name}": data for name, data in package.info.items()}}


def _row(package: Package, path: str, content: bytes | str | Link | Hard) -> dict[str, Any]:
    row: dict[str, Any] = {"_path": path, "path_type": "softlink" if isinstance(content, Link) else "hardlink"}
    if isinstance(content, (bytes, str)):
        data = content.encode() if isinstance(content, str) else content
        row |= {"sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
    if path in package.prefixed:
        row |= {"prefix_placeholder": PLACEHOLDER, "file_mode": package.prefixed[path]}
    return row


def _tar(files: Mapping[str, bytes | str | Link | Hard], executable: frozenset[str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mtime, member.mode = MTIME, 0o755 if name in executable else 0o644
            if isinstance(content, (Link, Hard)):
                member.type = tarfile.SYMTYPE if isinstance(content, Link) else tarfile.LNKTYPE
                member.linkname = content.target
                archive.addfile(member)
                continue
            data = content.encode() if isinstance(content, str) else content
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def _text(content: bytes | str | Link | Hard) -> str:
    return content.decode() if isinstance(content, bytes) else str(content)
