"""The lock that lies in the project: imagekit's own, another program's ``pylock.toml``, or a foreign format.

What a foreign lock has for the target is found without an index (``uv_lock``, ``poetry_lock``, ``pdm_lock``,
``pipfile_lock``). Where it names versions and hashes alone, or a path or a commit, the resolver is asked for
exactly these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from imagekit.errors import InvalidProject, NoWheel, StaleLock
from imagekit.lock.base_packages import check as check_on_base
from imagekit.lock.base_packages import recorded, split, with_reasons
from imagekit.lock.foreign import REMEDIES, foreign_set, uv_export
from imagekit.lock.hashes import allowed_hashes, only_allowed
from imagekit.lock.inputs import applying, direct_names, inputs_digest
from imagekit.lock.locked_indexes import with_locked_indexes
from imagekit.lock.locked_set import LockedSet
from imagekit.lock.pylock import LockFile, parse, select
from imagekit.lock.target import Target
from imagekit.lock.values import Lock
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.installed import Contents
from imagekit.spec.toml import toml_text

# The lock of a set of requirements that is complete: nothing they need is added.
Pin = Callable[[ImageSpec], Lock]


def lock_from_file(spec: ImageSpec, path: Path, target: Target, *, contents: Callable[[], Contents], pin: Pin) -> Lock:
    """What the lock ``path`` has for ``spec`` on ``target``, with the extras and groups that ``spec`` asks for.

    :class:`StaleLock` where it was made from other inputs, or does not answer what is asked for;
    :class:`InvalidProject` where it cannot be read.
    """
    if path.name == "uv.lock":
        exported = uv_export(spec, path, target)
        lock = _selected(spec, exported.file, target, contents)
        if exported.direct:
            lock = _joined(lock, pin(_pinned(spec, LockedSet(lines=exported.direct))))
    elif path.name in REMEDIES:
        lock = pin(_pinned(spec, foreign_set(spec, path, target)))
    else:
        return _from_pylock(spec, path, target, contents)
    direct = direct_names(spec, target)
    packages = tuple(replace(p, direct=p.name in direct) for p in lock.packages)
    lock = replace(lock, packages=packages, inputs=inputs_digest(spec, target))
    _check_answers(spec, lock, path, target)
    return lock


def _pinned(spec: ImageSpec, found: LockedSet) -> ImageSpec:
    """``spec`` as one that asks for ``found`` and nothing else."""
    return replace(
        spec,
        requirements=found.lines,
        constraints=(),
        requires_hashes=False,  # those that have one are held to it; a commit or a directory has none
        lock_file=None,
        resolver="uv",
        indexes=with_locked_indexes(spec.indexes, found),
    )


def _joined(lock: Lock, other: Lock) -> Lock:
    packages = sorted((*lock.packages, *other.packages), key=lambda p: p.name)
    return recorded(
        replace(lock, packages=tuple(packages)), {**lock.kept, **other.kept}, {**lock.reasons, **other.reasons}
    )


def _from_pylock(spec: ImageSpec, path: Path, target: Target, contents: Callable[[], Contents]) -> Lock:
    file = parse(toml_text(path, InvalidProject), path)
    inputs = inputs_digest(spec, target)
    if file.inputs is not None and file.inputs != inputs:
        raise StaleLock(
            f"{path} was made from other requirements, or for another target, than those at hand",
            hint=_remedy(file, path, target),
            details=_difference(file, target),
        )
    lock = _selected(spec, file, target, contents)
    if file.own is None:
        _check_answers(spec, lock, path, target)
    return lock


def _selected(spec: ImageSpec, file: LockFile, target: Target, contents: Callable[[], Contents]) -> Lock:
    own = file.own
    direct = direct_names(spec, target)
    if own is not None and not direct:
        direct = frozenset(own.get("direct") or ())
    allowed = allowed_hashes(spec, target)
    # Without a word about them, a lock's own default groups are what it installs.
    groups = spec.groups or None
    file, kept = split(file, spec, target, spec.extras, groups)
    try:
        lock = select(
            only_allowed(file, allowed) if allowed else file,
            target,
            inputs=inputs_digest(spec, target),
            direct=direct,
            extras=_provided(spec.extras, file.pylock.extras),
            groups=None if groups is None else _provided(groups, file.pylock.dependency_groups),
            # A lock of ours holds a source distribution only where it was allowed.
            source_builds=spec.source_builds,
            only_binary=spec.only_binary,
        )
    except NoWheel as error:
        if own is None:
            raise
        # Ours names the one file that fitted the base it was made for.
        raise StaleLock(
            f"{file.origin} was made for another base: {error.message}", hint="make it anew: imagekit lock"
        ) from error
    if own is not None:
        return replace(lock, extra={"base": own["base"]}) if isinstance(own.get("base"), dict) else lock
    lock = recorded(lock, kept)
    check_on_base(lock, target, contents)
    return with_reasons(lock, spec, target, None)


def _provided(names: tuple[str, ...], known: object) -> tuple[str, ...]:
    """Those of ``names`` that a lock tells apart; one made for certain extras and groups names none."""
    return tuple(name for name in names if isinstance(known, (list, tuple)) and name in known)


def _remedy(file: LockFile, path: Path, target: Target) -> str:
    platform = str(target.platform)
    if (file.own or {}).get("platform") in (None, platform):
        return "make it anew: imagekit lock"
    return (
        f"make it anew for this one: imagekit lock --platform {platform}; "
        f"without {path.name} each platform is resolved for itself"
    )


def _difference(file: LockFile, target: Target) -> str | None:
    own: Mapping[str, object] = file.own or {}
    then = (own.get("python"), own.get("platform"))
    now = (target.python, str(target.platform))
    if then == now:
        return None
    return f"made for Python {then[0]} on {then[1]}; wanted for Python {now[0]} on {now[1]}"


def _check_answers(spec: ImageSpec, lock: Lock, path: Path, target: Target) -> None:
    # Another program's lock does not always say what it was made from; that it answers can be seen.
    locked = {**lock.kept, **{p.name: p.version for p in lock.packages}}
    hint = REMEDIES.get(path.name, "make the lock anew with the program that wrote it, or with imagekit lock")
    problems: list[StaleLock] = []
    for requirement, line in applying(spec.requirements, target):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None:
            words = f"{path} has no {requirement.name}, which {line.origin} asks for"
        elif not requirement.specifier.contains(version, prereleases=True):
            words = f"{path} has {requirement.name} {version}, and {line.origin} asks for {line.text}"
        else:
            continue
        problems.append(StaleLock(words, hint=_hint(line, hint)))
    if problems:
        first, lines = problems[0], "\n".join(p.message for p in problems)
        raise first if len(problems) == 1 else StaleLock(first.message, hint=first.hint, details=lines)


def _hint(line: RequirementLine, remedy: str) -> str:
    if line.origin.startswith("pyproject.toml"):
        return remedy
    return f"add it to what is locked and {remedy}, or name the one file that is meant: -r FILE"
