"""Reading and writing locks: PEP 751 ``pylock.toml``.

imagekit's own locks hold one file for each package, the one that fits their target, and what
they were made from under ``[tool.imagekit]``. Locks of other programs hold several files and
markers; :func:`select` takes from them what a target needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import tomli_w
from packaging.markers import Environment
from packaging.pylock import Package, Pylock, PylockSelectError, PylockValidationError
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from imagekit.errors import InputError, InvalidProject, NoWheel, StaleLock
from imagekit.lock.locked_places import named_lines
from imagekit.lock.pylock_sources import Source, artifact_of, file_table, source_table, stated_version
from imagekit.lock.target import Target
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest, is_digest
from imagekit.spec.toml import parse_toml
from imagekit.spec.toml_places import place_in, places_of
from imagekit.spec.url import redacted

_ANEW = "make the lock anew with the program that wrote it, or with: imagekit lock"

LOCK_VERSION = "1.0"
ANY = "*"  # among names that may be built from source: all of them


@dataclass(frozen=True, kw_only=True)
class LockFile:
    """A lock file that was read and is valid; nothing of it is chosen yet."""

    pylock: Pylock
    origin: Path  # relative paths in it start at its directory
    text: str = field(default="", repr=False, compare=False)

    @cached_property
    def lines(self) -> Mapping[str, int]:
        """The line of each package, by its name; uv.lock has them under another key."""
        return named_lines(self.text, "packages") or named_lines(self.text, "package")

    @property
    def own(self) -> Mapping[str, Any] | None:
        """``[tool.imagekit]``, or ``None`` for a lock that another program wrote."""
        tool = (self.pylock.tool or {}).get("imagekit")
        return tool if isinstance(tool, dict) else None

    @property
    def inputs(self) -> Digest | None:
        """What an imagekit lock was made from; ``None`` for another program's lock."""
        return None if self.own is None else Digest(_own_text(self.own, "inputs", self.origin))


def dump(lock: Lock, *, relative_to: Path | None = None) -> str:
    """``lock`` as the text of a ``pylock.toml``: the same lock, the same bytes.

    Files below the directory ``relative_to`` (where the lock will lie) are named by ``path``,
    all others by ``url``. No URL keeps its credentials.
    """
    python = ".".join(lock.python.split(".")[:2])
    document: dict[str, Any] = {
        "lock-version": LOCK_VERSION,
        "requires-python": f"=={python}.*",
        "created-by": "imagekit",
        "packages": [_package_table(p, relative_to) for p in sorted(lock.packages, key=lambda p: p.name)],
        "tool": {
            "imagekit": {
                "inputs": lock.inputs,
                "python": lock.python,
                "platform": lock.platform,
                "direct": sorted(p.name for p in lock.packages if p.direct),
                **{k: lock.extra[k] for k in sorted(lock.extra)},
            }
        },
    }
    return tomli_w.dumps(document)


def _package_table(package: LockedPackage, relative_to: Path | None) -> dict[str, Any]:
    artifact = package.artifact
    table: dict[str, Any] = {"name": package.name, "version": package.version}
    if artifact.by_url:
        return table | source_table(artifact, relative_to)
    file = {"name": artifact.filename, **file_table(artifact, relative_to)}
    if artifact.is_wheel:
        table["wheels"] = [file]
    else:
        table["sdist"] = file
    return table


def parse(text: str, origin: Path, *, written: str | None = None) -> LockFile:
    """The lock file in ``text``, read from ``origin``; :class:`InvalidProject` names line and key that are wrong.

    ``written``: what stands in ``origin``, where ``text`` was made of it.
    """
    shown = text if written is None else written
    document = parse_toml(text, str(origin), InvalidProject)
    pylock = _read(document)
    if not isinstance(pylock, Pylock):
        found = [_invalid(shown, origin, *problem) for problem in _problems(document) or [pylock]]
        raise InputError.join(found)
    return LockFile(pylock=pylock, origin=origin, text=shown)


def _read(document: Mapping[str, Any]) -> Pylock | tuple[str, str]:
    """What ``document`` is, or the first thing that is wrong: the key as its reader names it, and the words."""
    try:
        return Pylock.from_dict(document)
    except PylockValidationError as error:
        return error.context or "", _one_line(error.message)
    except (ValueError, TypeError, RecursionError) as error:  # of a URL, a marker: what it does not foresee
        return "", _one_line(str(error)) or type(error).__name__


def _problems(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The first thing that is wrong with each package, and with all around them: the reader stops at one."""
    packages = document.get("packages")
    if not isinstance(packages, list):
        return []
    head = _read({**document, "packages": []})
    found = [] if isinstance(head, Pylock) else [head]
    for index, package in enumerate(packages):
        alone = _read({"lock-version": LOCK_VERSION, "created-by": "imagekit", "packages": [package]})
        if not isinstance(alone, Pylock):
            key, words = alone
            found.append((key.replace("packages[0]", f"packages[{index}]", 1), words))
    return found


def _invalid(text: str, origin: Path, key: str, words: str) -> InvalidProject:
    # As the reader names it: packages[3].wheels[0].hashes
    path = [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", key) if part]
    place = place_in(places_of(text), path)
    where = str(origin) if place is None else f"{origin}:{place.line}"
    return InvalidProject(
        redacted(f"{where}: {f'{key}: ' if key else ''}{words}"),
        hint=_ANEW,
    )


def load(text: str, origin: Path) -> Lock:
    """The lock that :func:`dump` wrote into ``text``; anything else is :class:`InvalidProject`."""
    file = parse(text, origin)
    if file.own is None:
        raise InvalidProject(f"{origin}: tool.imagekit: missing: another program wrote this lock", hint=_ANEW)
    own = file.own
    inputs = _own_text(own, "inputs", origin)
    if not is_digest(inputs):
        raise InvalidProject(f"{origin}: tool.imagekit.inputs: not a sha256 digest", hint=_ANEW)
    direct = own.get("direct")
    if not isinstance(direct, list):
        raise InvalidProject(f"{origin}: tool.imagekit.direct: missing, or not a list of names", hint=_ANEW)
    packages: list[LockedPackage] = []
    for index, package in enumerate(file.pylock.packages):
        files: list[Source] = [*(package.wheels or ())]
        files += [f for f in (package.sdist, package.archive, package.vcs, package.directory) if f is not None]
        if len(files) != 1:
            raise InvalidProject(f"{origin}: packages[{index}]: {package.name} must have exactly one file", hint=_ANEW)
        artifact = artifact_of(package, files[0], origin, line=file.lines.get(package.name))
        packages.append(
            LockedPackage(
                name=package.name,
                version=_version(package, artifact, origin),
                artifact=artifact,
                direct=package.name in direct,
            )
        )
    return Lock(
        packages=tuple(sorted(packages, key=lambda p: p.name)),
        inputs=Digest(inputs),
        python=_own_text(own, "python", origin),
        platform=_own_text(own, "platform", origin),
        extra={k: v for k, v in own.items() if k not in ("inputs", "python", "platform", "direct")},
    )


def _own_text(own: Mapping[str, Any], key: str, origin: Path) -> str:
    value = own.get(key)
    if not isinstance(value, str):
        raise InvalidProject(f"{origin}: tool.imagekit.{key}: missing, or not a string", hint=_ANEW)
    return value


def select(
    file: LockFile,
    target: Target,
    *,
    inputs: Digest,
    direct: Collection[str] = (),
    extras: Iterable[str] = (),
    groups: Iterable[str] | None = None,
    source_builds: Sequence[str] = (),
    only_binary: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Lock:
    """What ``file`` holds for ``target``: one file for each package whose markers hold.

    The best wheel by the target's tags is taken; a source distribution only where no wheel fits
    and ``source_builds`` names the package (or is ``("*",)``, and ``only_binary`` does not name it).
    ``groups`` of ``None`` are the file's default groups. :class:`NoWheel` where no file is left,
    :class:`StaleLock` where the file excludes the target's Python, :class:`InvalidProject` where a source cannot be
    installed.
    """
    environment = {**target.environment, "python_full_version": target.python}
    try:
        chosen = list(
            file.pylock.select(
                environment=cast(Environment, environment),
                tags=target.tags,
                extras=list(extras),
                dependency_groups=None if groups is None else list(groups),
            )
        )
    except PylockSelectError as error:
        raise _unselectable(error, file, target) from None
    packages: list[LockedPackage] = []
    missing: list[str] = []
    problems: list[InvalidProject] = []
    for package, source in chosen:
        # A path out of the project is taken where the project itself asks for it, and not on a file's word.
        is_asked = file.own is not None and package.name in direct
        root = None if is_asked else file.origin.parent.resolve()
        try:
            artifact = artifact_of(package, source, file.origin, root, line=file.lines.get(package.name))
        except InvalidProject as problem:
            problems.append(problem)
            continue
        if not (
            _fits(artifact, target) if artifact.is_wheel else _may_build(package, artifact, source_builds, only_binary)
        ):
            missing.append(package.name)
            continue
        packages.append(
            LockedPackage(
                name=package.name,
                version=_version(package, artifact, file.origin),
                artifact=artifact,
                direct=package.name in direct,
            )
        )
    if problems:
        raise InputError.join(problems)
    if missing:
        raise no_wheel(missing, target)
    return Lock(
        packages=tuple(sorted(packages, key=lambda p: p.name)),
        inputs=inputs,
        python=target.python,
        platform=str(target.platform),
        extra=dict(extra or {}),
    )


def no_wheel(names: Sequence[str], target: Target, *, details: str | None = None) -> NoWheel:
    """The error for packages of which no wheel fits ``target`` and none may be built."""
    listed = ", ".join(sorted(names))
    flags = " ".join(f"--allow-source-build {n}" for n in sorted(names))
    key = ", ".join(f'"{n}"' for n in sorted(names))
    error = NoWheel(
        f"no wheel of {listed} fits Python {target.python} on {target.platform} ({target.libc} {target.libc_version})",
        hint=f"allow building from source: source-builds = [{key}] in imagekit.toml or [tool.imagekit], "
        f"or pass {flags} ('*' allows any)",
        details=details,
    )
    error.packages = tuple(sorted({canonicalize_name(name) for name in names}))
    return error


def _unselectable(error: PylockSelectError, file: LockFile, target: Target) -> InvalidProject | NoWheel | StaleLock:
    words = _one_line(str(error))
    if words.startswith("No wheel found"):
        name = words.split("for package ")[-1].split(" ")[0].strip("'\"")
        return no_wheel([name], target)
    pythons = file.pylock.requires_python
    if pythons is not None and not pythons.contains(target.python, prereleases=True):
        minors = (f"3.{minor}" for minor in range(9, 30))
        fitting = next((minor for minor in minors if pythons.contains(f"{minor}.99")), "X.Y")
        return StaleLock(
            f"{file.origin}: the lock is for Python {pythons}, and the image has {target.python}",
            hint=f"ask for a Python that it is for: --python {fitting}, or make it anew: {_maker(file)}",
        )
    if "python_full_version" in words or "any of the environments" in words:
        return StaleLock(
            f"{file.origin}: the lock is not for Python {target.python} on {target.platform}",
            hint=f"make the lock anew for this target: {_maker(file)}",
            details=words,
        )
    return InvalidProject(f"{file.origin}: packages: {words}", hint=f"make the lock anew: {_maker(file)}")


def _maker(file: LockFile) -> str:
    """The command that makes ``file``, as far as it is known."""
    return "uv lock" if file.origin.name == "uv.lock" else "imagekit lock"


def _version(package: Package, artifact: Artifact, origin: Path) -> str:
    # The field is optional in the format, the version in a file's name is not.
    if package.version is not None:
        return str(package.version)
    if artifact.origin is not None:
        return stated_version(artifact.origin)
    try:
        if artifact.is_wheel:
            return str(parse_wheel_filename(artifact.filename)[1])
        return str(parse_sdist_filename(artifact.filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        raise InvalidProject(
            f"{origin}: packages.version: {package.name}: neither given nor in {artifact.filename!r}",
            hint=_ANEW,
        ) from None


def _fits(artifact: Artifact, target: Target) -> bool:
    try:
        tags = parse_wheel_filename(artifact.filename)[3]
    except InvalidWheelFilename:
        return False
    return not tags.isdisjoint(target.tags)


def _may_build(package: Package, artifact: Artifact, source_builds: Sequence[str], only_binary: Sequence[str]) -> bool:
    # A source that is named by its place is asked for as that; one of an index is what was left over.
    is_allowed = package.name in source_builds or (ANY in source_builds and package.name not in only_binary)
    return artifact.by_url or is_allowed


def _one_line(text: str) -> str:
    return " ".join(text.split())
