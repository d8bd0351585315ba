"""Wheels written by hand, honest ones and others; layers unpacked."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.layers.bytecode import Compiler
from imagekit.layers.values import WrittenLayer
from imagekit.layers.wheel_layer import write_wheel_layer
from imagekit.plan.prefix import Prefix

VERSION = sysconfig.get_python_version()
TAG = sys.implementation.cache_tag


@dataclass(frozen=True)
class In:
    """A member of a wheel that needs more than its content said."""

    data: bytes
    mode: int = 0o100644
    compress: int = zipfile.ZIP_DEFLATED


Members = Mapping[str, "bytes | In"]


def record_hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def metadata(name: str, version: str) -> dict[str, bytes]:
    info = f"{name}-{version}.dist-info"
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def record_of(members: Members, path: str) -> bytes:
    rows = []
    for name, member in members.items():
        data = member.data if isinstance(member, In) else member
        quoted = f'"{name}"' if "," in name else name
        rows.append(f"{quoted},{record_hash(data)},{len(data)}\n")
    return "".join([*rows, f"{path},,\n"]).encode()


def write_wheel(
    directory: Path,
    members: Members,
    name: str = "tricky",
    version: str = "1.0",
    *,
    record: bytes | None = None,
    with_metadata: bool = True,
) -> Path:
    """``NAME-VERSION-py3-none-any.whl`` with ``members``, metadata and (unless one is given) a true RECORD."""
    every: dict[str, bytes | In] = {**members, **(metadata(name, version) if with_metadata else {})}
    path = f"{name}-{version}.dist-info/RECORD"
    if with_metadata and path not in every:
        every[path] = record_of(every, path) if record is None else record
    return write_zip(directory / f"{name}-{version}-py3-none-any.whl", list(every.items()))


def write_zip(path: Path, members: list[tuple[str, bytes | In]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            member = content if isinstance(content, In) else In(content)
            info = zipfile.ZipInfo(name, (2020, 2, 2, 2, 2, 2))
            info.external_attr = member.mode << 16
            info.compress_type = member.compress
            archive.writestr(info, member.data)
    return path


def prefix_at(root: str) -> Prefix:
    return Prefix(
        root=root,
        python=f"{root}/bin/python",
        site=f"lib/python{VERSION}/site-packages",
        scripts="bin",
        headers=f"include/site/python{VERSION}",
    )


def layer(wheel: Path, prefix: Prefix | None = None, compiler: Compiler | None = None) -> tuple[bytes, WrittenLayer]:
    out = io.BytesIO()
    written = write_wheel_layer(wheel, prefix or prefix_at("/opt/venv"), TAG or "", compiler, out)
    return out.getvalue(), written


def files_of(data: bytes, below: str = "") -> dict[str, tuple[bool, bytes]]:
    """``path below → (executable, content)`` of an archive's files."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isreg():
                stream = tar.extractfile(member)
                assert stream is not None
                assert member.name.startswith(below)
                assert member.name not in found
                found[member.name[len(below) :]] = (bool(member.mode & 0o111), stream.read())
    return found


def installed_by_uv(venv: Path, *wheels: Path) -> dict[str, tuple[bool, bytes]]:
    """The files that uv adds to a new virtual environment at ``venv``."""
    uv = [sys.executable, "-m", "uv", "--no-config", "--offline"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    before = _tree(venv)
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", venv / "bin/python", "--no-deps", "--no-index", *wheels],
        check=True,
        env={**os.environ, "UV_LINK_MODE": "copy", "UV_COMPILE_BYTECODE": "0"},
    )
    return {path: found for path, found in _tree(venv).items() if before.get(path) != found}


def _tree(root: Path) -> dict[str, tuple[bool, bytes]]:
    return {
        path.relative_to(root).as_posix(): (bool(path.stat().st_mode & 0o111), path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and path != root / ".lock"  # uv's own, while it installs
    }
