"""A directory of tiny wheels, and targets to resolve for."""

from __future__ import annotations

import base64
import hashlib
import io
import platform
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from imagekit.lock.target import Target
from imagekit.oci.platform import Platform
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine


def wheel_bytes(name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any") -> bytes:
    """A wheel with one module, the same bytes every time."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {r}\n" for r in requires),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for path, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    members[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, text in members.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


class WheelDirectory:
    """A directory that serves as ``--find-links``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any") -> Path:
        path = self.path / f"{name}-{version}-{tag}.whl"
        path.write_bytes(wheel_bytes(name, version, requires, tag))
        return path

    @property
    def indexes(self) -> Indexes:
        return Indexes(find_links=(str(self.path),), no_index=True)


@pytest.fixture
def wheels(tmp_path: Path) -> WheelDirectory:
    directory = tmp_path / "wheels"
    directory.mkdir()
    return WheelDirectory(directory)


def make_target(
    python: str = "3.11.2", architecture: str = "amd64", libc: str = "glibc", libc_version: str = "2.36"
) -> Target:
    wanted = Platform("linux", architecture)
    markers = {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": wanted.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
    }
    return Target(
        python=python,
        platform=wanted,
        libc=libc,
        libc_version=libc_version,
        markers=tuple(sorted(markers.items())),
    )


@pytest.fixture
def target() -> Target:
    return make_target()


@pytest.fixture
def host() -> Target:
    """A target as this machine is."""
    return make_target(platform.python_version(), libc_version=platform.libc_ver()[1] or "2.17")


@pytest.fixture
def other_target() -> Callable[..., Target]:
    return make_target


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[..., ImageSpec]:
    """``wanted("six>=1", "rich", indexes=…)``: a spec of these requirements."""

    def make(*requirements: str, **others: object) -> ImageSpec:
        lines = tuple(RequirementLine(text=text, origin="packages") for text in requirements)
        return ImageSpec(context=tmp_path, requirements=lines, **others)  # type: ignore[arg-type]

    return make
