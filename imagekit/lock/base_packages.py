"""What a base's Python has installed, to a resolver: it stays where it can, and is replaced where it must.

A base's packages need not be on any index (a private build, an index without a network), and their
requirements are those that are installed. So the resolver is given a directory of wheels that have
metadata and nothing else, one for each distribution; none of them is ever installed.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.pylock import Package
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from imagekit.errors import BaseConflict, NoWheel, Unsatisfiable
from imagekit.lock.complaints import NOTHING_FITS
from imagekit.lock.inputs import applying
from imagekit.lock.pylock import LockFile
from imagekit.lock.target import Target
from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.spec.image import ImageSpec
from imagekit.spec.installed import Contents, Distribution

DIRECTORY = "base-packages"  # of those wheels, beside the requirements
_TAG = "py3-none-any"
# Each round holds one more of the base's packages, or one more of their requirements; two are common.
_ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What a resolver is told of a base: versions to hold to, and versions to prefer."""

    constraints: tuple[str, ...] = ()  # PEP 508
    preferred: tuple[LockedPackage, ...] = ()
    wheels: Mapping[str, bytes] = field(default_factory=dict)  # by file name


Ask = Callable[[Pins], Lock]


def installed_by_name(target: Target) -> dict[str, Distribution]:
    """The base's distributions that count: of two of a name the first on the import path."""
    found: dict[str, Distribution] = {}
    for distribution in target.installed:
        if _version(distribution.version) is not None:
            found.setdefault(distribution.name, distribution)
    return found


def split(
    file: LockFile,
    spec: ImageSpec,
    target: Target,
    extras: Iterable[str] = (),
    groups: Iterable[str] | None = None,
) -> tuple[LockFile, dict[str, str]]:
    """``file`` without the packages that the base has at the same version, and those that apply to ``target``."""
    installed = installed_by_name(target)
    if not installed:
        return file, {}
    own = _asked_by_url(spec, target)
    kept = [p for p in file.pylock.packages if p.name not in own and _same(p, installed.get(p.name))]
    environment: dict[str, str | frozenset[str]] = {
        **target.environment,
        "python_full_version": target.python,
        "extras": frozenset(extras),
        "dependency_groups": frozenset((file.pylock.default_groups or ()) if groups is None else groups),
    }
    applied = {
        str(p.name): installed[p.name].version
        for p in kept
        if p.marker is None or p.marker.evaluate(environment, context="lock_file")
    }
    names = {p.name for p in kept}
    rest = replace(file.pylock, packages=[p for p in file.pylock.packages if p.name not in names])
    return replace(file, pylock=rest), applied


def resolve_on_base(ask: Ask, spec: ImageSpec, target: Target, contents: Contents) -> Lock:
    """Resolve with all of the base's packages as they are, and else with those replaced that must be.

    :class:`BaseConflict` where one that must be cannot be, or another one of the base would break; and where
    ``target`` holds to all of them, where any would be.
    """
    own = _asked_by_url(spec, target)
    installed = {name: found for name, found in installed_by_name(target).items() if name not in own}
    stubs = {found.name: _stub(found, contents) for found in installed.values()}
    wheels = dict(stubs.values())
    try:
        lock = ask(Pins(constraints=tuple(sorted(found.pin for found in installed.values())), wheels=wheels))
    except (Unsatisfiable, NoWheel) as error:
        reason = error
    else:
        # A file that is asked for by its URL takes the place of what the base has, whatever its version.
        stands = obstacles(lock, target, contents)
        if stands and not target.held:
            raise _conflict(list(stands.values()), None)
        return _settled(lock, spec, target, None, stands)
    preferred = tuple(
        LockedPackage(name=name, version=installed[name].version, artifact=_artifact(*stub))
        for name, stub in sorted(stubs.items())
    )
    held: dict[str, str] = {}
    for _ in range(_ROUNDS):
        try:
            lock = ask(Pins(constraints=tuple(sorted(held)), preferred=preferred, wheels=wheels))
        except (Unsatisfiable, NoWheel) as error:
            if held:
                raise _conflict(list(held.values()), error) from error
            raise
        stands = obstacles(lock, target, contents)
        if not stands or target.held:
            return _settled(lock, spec, target, reason, stands)
        if held.keys() >= stands.keys():
            break
        held |= stands
    raise _conflict(list(held.values()), reason)


def obstacles(lock: Lock, target: Target, contents: Contents) -> dict[str, str]:
    """Why ``lock`` cannot go on the base: constraint that would mend it → sentence."""
    installed = installed_by_name(target)
    moved = {p.name: p.version for p in lock.packages if p.name in installed}
    found: dict[str, str] = {}
    for name, version in moved.items():
        old = installed[name]
        if old.obstacle is not None:
            found[old.pin] = f"{old.pin} of the base cannot be replaced by {version}: {old.obstacle}"
    for name, distribution in installed.items():
        for requirement in () if name in moved else _requirements(contents.requires.get(name, ()), target):
            other = canonicalize_name(requirement.name)
            if other in moved and not requirement.specifier.contains(moved[other], prereleases=True):
                constraint = f"{other}{requirement.specifier}"
                needs = f"{distribution.pin} of the base needs {constraint}"
                found[constraint] = f"{needs}, and {moved[other]} would take the place of {installed[other].version}"
    return found


def check(lock: Lock, target: Target, contents: Callable[[], Contents]) -> None:
    """:class:`BaseConflict` where ``lock``, made by another program, cannot go on the base."""
    names = {found.name for found in target.installed}
    if any(package.name in names for package in lock.packages) and (stands := obstacles(lock, target, contents())):
        raise _conflict(list(stands.values()), None)


def with_reasons(lock: Lock, spec: ImageSpec, target: Target, reason: Unsatisfiable | NoWheel | None) -> Lock:
    """``lock`` with the reason for each of the base's packages that it replaces."""
    installed = installed_by_name(target)
    lines = applying((*spec.requirements, *spec.constraints), target)
    moved = [package for package in lock.packages if package.name in installed]
    reasons: dict[str, str] = {}
    for package in moved:
        for requirement, line in lines:
            fits = requirement.specifier.contains(installed[package.name].version, prereleases=True)
            if canonicalize_name(requirement.name) == package.name and (requirement.url or not fits):
                reasons.setdefault(package.name, f"{line.origin} asks for {line.text}")
    asked = ", ".join(f"{package.name}=={package.version}" for package in moved if package.name in reasons)
    for package in moved:
        words = "the lock has another version"
        if reason is not None:
            words = reason.message.removeprefix(NOTHING_FITS)
            # A resolver tells of one contradiction, and not of all.
            if asked and not re.search(rf"\b{re.escape(package.name)}(?![\w-])", words):
                words = f"needed with {asked}"
        reasons.setdefault(package.name, words)
    return recorded(lock, lock.kept, reasons)


def _settled(
    lock: Lock,
    spec: ImageSpec,
    target: Target,
    reason: Unsatisfiable | NoWheel | None,
    stands: Mapping[str, str],
) -> Lock:
    """``lock`` with its reasons; where nothing is to be replaced these are the error's, and ``stands`` as well."""
    lock = with_reasons(lock, spec, target, reason)
    if not target.held or not lock.reasons:
        return lock
    installed, new = installed_by_name(target), {package.name: package.version for package in lock.packages}
    lines = [f"{installed[name].pin} would be replaced by {new[name]}: {why}" for name, why in lock.reasons.items()]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    words = [*stands.values(), *([reason.message, reason.details] if reason is not None else [])]
    raise BaseConflict(
        f"what the image holds stays as it is: {lines[0]}{more}",
        hint="loosen the requirement, or build an image with it: imagekit build",
        details="\n".join(line for line in (*(lines if more else ()), *words) if line) or None,
    )


def recorded(lock: Lock, kept: Mapping[str, str], reasons: Mapping[str, str] | None = None) -> Lock:
    """``lock`` with what the base has to do with it; unchanged where that is nothing."""
    known = {"kept": dict(kept), "replaced": dict(reasons or {})}
    base = {name: value for name, value in known.items() if value}
    return replace(lock, extra={**lock.extra, "base": base}) if base else lock


def _conflict(sentences: Sequence[str], words: Unsatisfiable | NoWheel | None) -> BaseConflict:
    lines = list(sentences) if len(sentences) > 1 else []
    if words is not None:
        lines += [words.message, words.details or ""]
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return BaseConflict(
        f"the base's packages stand in the way: {sentences[0]}{more}",
        hint="loosen the requirement, ask for those packages of the base too so that they may be replaced, "
        "or choose another base image",
        details="\n".join(line for line in lines if line) or None,
    )


def _requirements(texts: Iterable[str], target: Target) -> list[Requirement]:
    """Those that apply without extras; what is no requirement is passed over, as pip does."""
    found = []
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({**target.environment, "extra": ""}):
            found.append(requirement)
    return found


def _asked_by_url(spec: ImageSpec, target: Target) -> Collection[str]:
    """Names of packages of which one certain file is asked for."""
    return {canonicalize_name(r.name) for r, _ in applying(spec.requirements, target) if r.url}


def _same(package: Package, found: Distribution | None) -> bool:
    if found is None or package.version is None or not (package.wheels or package.sdist):
        return False
    return package.version == _version(found.version)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _stub(distribution: Distribution, contents: Contents) -> tuple[str, bytes]:
    """Name and bytes of a wheel that has the distribution's metadata, the same every time."""
    stem = f"{distribution.name.replace('-', '_')}-{Version(distribution.version)}"
    lines = ["Metadata-Version: 2.1", f"Name: {distribution.name}", f"Version: {distribution.version}"]
    lines += [f"Provides-Extra: {extra}" for extra in contents.extras.get(distribution.name, ())]
    lines += [f"Requires-Dist: {text}" for text in contents.requires.get(distribution.name, ()) if _is_valid(text)]
    members = {
        "METADATA": "".join(f"{line}\n" for line in lines),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: imagekit\nRoot-Is-Purelib: true\nTag: {_TAG}\n",
        "RECORD": "",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{name}"), text)
    return f"{stem}-{_TAG}.whl", stream.getvalue()


def _is_valid(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _artifact(filename: str, data: bytes) -> Artifact:
    return Artifact(filename=filename, url=f"file:///{filename}", sha256=hashlib.sha256(data).hexdigest())
