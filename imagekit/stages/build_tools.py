"""What a source needs to be built: locked, fetched and checked on this machine, before its build begins.

A source names its tools with ranges (PEP 518), and its build backend may ask for more (PEP 517,
``get_requires_for_build_wheel``). Both are resolved for the base like any other requirements, and the build gets their
files, held to their hashes, and no index. Who asks for the same tools gets the same ones, as long as that lock is kept.
"""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement as NoRequirement
from packaging.requirements import Requirement

from imagekit.errors import InputError, InvalidProject, ResolveError, SourceBuildFailed
from imagekit.lock.fetch import WheelStore
from imagekit.lock.resolve import obtain
from imagekit.lock.target import Target
from imagekit.lock.values import BuildTool, LockedPackage
from imagekit.spec.image import ImageSpec
from imagekit.spec.requirement import parse_requirements
from imagekit.spec.toml import parse_toml

if TYPE_CHECKING:
    from imagekit.stages.built_wheels import LocalWheel
    from imagekit.stages.in_base import InBase

# What uv takes where a source names none (crates/uv-build-frontend, DEFAULT_BACKEND).
DEFAULT = ("setuptools >= 40.8.0",)
_LIMIT = 4 << 20  # bytes of a pyproject.toml
_ASKED = re.compile(r"No solution found when resolving: (?P<all>`[^`]+`(?:, `[^`]+`)*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """All that a build has at hand: a directory of wheels, and what of it may be installed."""

    packages: tuple[BuildTool, ...]
    directory: Path

    @property
    def constraints(self) -> str:
        """A requirements file: each in its version, with its hash."""
        return "".join(f"{tool.name}=={tool.version} --hash=sha256:{tool.sha256}\n" for tool in self.packages)


def declared_tools(source: Path) -> tuple[str, ...]:
    """The ``build-system.requires`` of ``source``, a directory or an archive of one.

    What cannot be read names none: the build says what is wrong with it in its own words.
    """
    text = _pyproject(source)
    if text is None:
        return DEFAULT
    try:
        table = parse_toml(text, "pyproject.toml", InvalidProject).get("build-system")
    except InputError:
        return ()
    if table is None:
        return DEFAULT
    requires = table.get("requires") if isinstance(table, dict) else None
    return tuple(text for text in requires if isinstance(text, str)) if isinstance(requires, list) else ()


def asked_beside(words: str, known: Sequence[str]) -> tuple[str, ...]:
    """The requirements that uv, by its ``words``, could not answer with the tools at hand, without those ``known``."""
    before = {_spelled(text) for text in known}
    found = (text for match in _ASKED.finditer(words) for text in re.findall("`([^`]+)`", match["all"]))
    return tuple(dict.fromkeys(text for text in found if _spelled(text) not in before))


def lock_tools(
    name: str,
    requires: Sequence[str],
    stage: InBase,
    *,
    store: WheelStore,
    cache_dir: Path,
    into: Path,
    build: Callable[[LockedPackage], LocalWheel],
) -> Tools:
    """The tools that ``name`` asks for by ``requires``, as wheels in the directory ``into``, which is made.

    ``build`` makes a wheel of one that has none. :class:`SourceBuildFailed` names ``name`` where they are not to be
    had.
    """
    into.mkdir(exist_ok=True)
    target = replace(Target.of(stage.base), installed=())  # a build sees nothing of the base's own
    found: list[BuildTool] = []
    try:
        lines = parse_requirements(requires, f"build-system.requires of {name}")
        if located := next((line for line in lines if Requirement(line.text).url is not None), None):
            raise SourceBuildFailed(
                f"{name}: its build asks for {located.text}, and tools come from an index",
                hint=f"build a wheel of {name} yourself, and name that",
            )
        wanted = ImageSpec(
            context=into, requirements=lines, indexes=stage.access.indexes, source_builds=("*",), include_source=False
        )
        lock = obtain(
            wanted, target, cache_dir=cache_dir, reporter=stage.reporter, run_in_base=stage, access=stage.access
        )
        for package in lock.packages:
            if package.artifact.is_wheel:
                path, sha256 = store.get(package.artifact, package=package.name), package.artifact.sha256
            else:
                wheel = build(package)
                path, sha256 = wheel.path, wheel.sha256
            shutil.copyfile(path, into / path.name)
            found.append(BuildTool(name=package.name, version=package.version, filename=path.name, sha256=sha256))
    except (ResolveError, InputError) as problem:
        raise SourceBuildFailed(
            f"{name}: what its build needs is not to be had: {problem.message}",
            hint=problem.hint,
            details=problem.details,
        ) from problem
    return Tools(packages=tuple(found), directory=into)


def _pyproject(source: Path) -> str | None:
    """The text of the ``pyproject.toml`` of ``source``; ``None`` where it has none."""
    try:
        if source.is_dir():
            file = source / "pyproject.toml"
            data = file.read_bytes() if file.is_file() and not file.is_symlink() else None
        elif source.name.endswith(".zip"):
            data = _zipped(source)
        else:
            data = _tarred(source)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError):
        return None  # the build says so
    return None if data is None else data.decode("utf-8-sig", "replace")


def _tarred(source: Path) -> bytes | None:
    with tarfile.open(source, "r:*") as archive:
        for member in archive:
            if _is_pyproject(member.name) and member.isreg() and member.size <= _LIMIT:
                stream = archive.extractfile(member)
                return None if stream is None else stream.read()
    return None


def _zipped(source: Path) -> bytes | None:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            if _is_pyproject(member.filename) and member.file_size <= _LIMIT:
                return archive.read(member)
    return None


def _is_pyproject(name: str) -> bool:
    parts = name.removeprefix("./").split("/")
    return len(parts) == 2 and parts[1] == "pyproject.toml"


def _spelled(text: str) -> str:
    """A requirement in one spelling: uv writes it without spaces, and a source as it likes."""
    try:
        return str(Requirement(text))
    except NoRequirement:
        return text
