"""From what is wanted to a lock: the user's own, a cached one, or one that is resolved now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from imagekit.atomic import write_whole
from imagekit.errors import InvalidProject, NoWheel, ResolveError, StaleLock, Unsatisfiable
from imagekit.lock.base_packages import DIRECTORY, Pins, recorded, resolve_on_base, split, with_reasons
from imagekit.lock.base_packages import check as check_on_base
from imagekit.lock.hashes import allowed_hashes, only_allowed, require_all
from imagekit.lock.inputs import applying, direct_names, inputs_digest
from imagekit.lock.piptools import COMPILED, compile_pins, host_is
from imagekit.lock.pylock import LockFile, dump, load, parse, select
from imagekit.lock.runner import BaseRunner, CompletedInBase
from imagekit.lock.target import Target
from imagekit.lock.uv import (
    CONSTRAINTS,
    PYLOCK,
    REQUIREMENTS,
    HostProcess,
    compile_pylock,
    requirements_text,
)
from imagekit.lock.values import Lock
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.progress import Reporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.image import ImageSpec, Indexes, RequirementLine
from imagekit.spec.installed import Contents

__all__ = ["BaseRunner", "CompletedInBase", "HostProcess", "inputs_digest", "obtain", "resolve"]


def obtain(
    spec: ImageSpec,
    target: Target,
    *,
    cache_dir: Path,
    reporter: Reporter,
    run_in_base: BaseRunner | None = None,
    host: HostProcess | None = None,
    upgrade: bool = False,
    previous: Lock | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] | None = None,
    contents: Callable[[], Contents] | None = None,
) -> Lock:
    """The lock of ``spec`` for ``target``.

    The user's own lock file (``spec.lock_file``) is selected from; one of imagekit's that was made
    from other inputs, and another program's that lacks what is asked for, is :class:`StaleLock`.
    Without one, the lock in ``cache_dir/locks`` of the same inputs is used, else the requirements
    are resolved, the versions of ``previous`` kept where they still fit, and the lock is kept there.
    ``upgrade`` passes over all of these and resolves now.
    ``extras`` and ``groups`` choose among those of the user's lock file. ``contents`` reads what the base has,
    where ``target`` has anything installed: what it has at the same version is left to it (``Lock.kept``).
    """
    inputs = inputs_digest(spec, target)
    _check_python(spec, target)
    if spec.lock_file is not None and not upgrade:
        return _from_file(spec, spec.lock_file, target, inputs, extras, groups, _read(contents))
    cached = cache_dir / "locks" / f"{_cache_key(inputs, target)}.toml"
    if not upgrade and (lock := _from_cache(cached, inputs)) is not None:
        return lock
    lock = resolve(
        spec,
        target,
        reporter=reporter,
        run_in_base=run_in_base,
        host=host,
        upgrade=upgrade,
        previous=previous,
        contents=contents,
    )
    write_whole(cached, dump(lock).encode())
    # What was stored is what is returned, so that the first build and the second see the same.
    return load(dump(lock), cached)


def resolve(
    spec: ImageSpec,
    target: Target,
    *,
    reporter: Reporter,
    run_in_base: BaseRunner | None = None,
    host: HostProcess | None = None,
    upgrade: bool = False,
    previous: Lock | None = None,
    contents: Callable[[], Contents] | None = None,
) -> Lock:
    """Ask the resolver, now. The versions of ``previous`` are kept where they still fit (uv only).

    Wheels are preferred: where source builds are allowed, uv is asked for wheels alone first, and then with
    those packages from source that have none. Then it runs build backends, which must not run on the host:
    :class:`ResolveError` where there is no ``run_in_base`` for it. What the base has installed
    (``contents``) stays as it is where that can be; see ``base_packages``.
    """
    inputs = inputs_digest(spec, target)
    if not spec.requirements:
        return Lock(packages=(), inputs=inputs, python=target.python, platform=str(target.platform))

    def ask(pins: Pins) -> Lock:
        def once(from_source: tuple[str, ...]) -> Lock:
            text = _asked(spec, from_source, target, reporter, run_in_base, host, upgrade, previous, pins)
            return _selected(spec, parse(text, Path(f"(the answer of {spec.resolver})")), target, inputs)

        return _wheels_first(spec, once)

    if not target.installed:
        return ask(Pins())
    return resolve_on_base(ask, spec, target, _read(contents)())


def _wheels_first(spec: ImageSpec, once: Callable[[tuple[str, ...]], Lock]) -> Lock:
    """What ``once`` answers with as few packages taken from source as can be."""
    # pip-compile takes the same options as pip, where a source distribution may be chosen by itself;
    # --no-binary in a requirements file asks for the source and nothing else.
    if spec.resolver != "uv" or spec.no_binary or not spec.source_builds:
        return once(spec.source_builds)
    names: tuple[str, ...] = ()
    while True:
        try:
            return once(names)
        except (NoWheel, Unsatisfiable) as error:
            wider = _wider(spec, names, error)
            if wider is None:
                raise
            names = wider


def _wider(spec: ImageSpec, tried: tuple[str, ...], error: NoWheel | Unsatisfiable) -> tuple[str, ...] | None:
    """The packages to take from source after ``error``; ``None`` where no more are allowed."""
    if tried == spec.source_builds:
        return None
    lacking = error.packages if isinstance(error, NoWheel) else ()
    named = {*tried, *(name for name in lacking if name in spec.source_builds)}
    return tuple(sorted(named)) if named - set(tried) else spec.source_builds


def _asked(
    spec: ImageSpec,
    from_source: tuple[str, ...],
    target: Target,
    reporter: Reporter,
    run_in_base: BaseRunner | None,
    host: HostProcess | None,
    upgrade: bool,
    previous: Lock | None,
    pins: Pins,
) -> str:
    """The resolver's answer as the text of a ``pylock.toml``."""
    runs_backends = bool(from_source)
    needs_base = runs_backends or (spec.resolver == "pip-tools" and not host_is(target))
    if needs_base and run_in_base is None:
        raise ResolveError(
            "resolving must run in the base image here, and no engine is at hand",
            hint="start a Docker Engine, or resolve with uv and without source builds",
        )
    in_base = run_in_base if runs_backends else None
    count = len(spec.requirements)
    title = f"resolving {count} requirement{'s' * (count != 1)} for Python {target.python} on {target.platform}"
    with reporter.task(title) as task:
        files = _files(spec, pins)
        links = DIRECTORY if pins.wheels else None
        if spec.resolver == "pip-tools":
            task.note("pip-compile")
            if pins.preferred:
                files[COMPILED] = "".join(f"{p.name}=={p.version}\n" for p in pins.preferred).encode()
            compiled = compile_pins(
                files,
                target,
                indexes=spec.indexes,
                source_builds=from_source,
                upgrade=upgrade,
                host=host,
                links=links,
                run_in_base=run_in_base if needs_base else None,
            )
            return _pins_to_pylock(spec, compiled, target, pins, host=host, in_base=in_base)
        task.note("uv")
        if (preferred := _preferred(target, pins, None if upgrade else previous)) is not None:
            files[PYLOCK] = dump(preferred).encode()
        return compile_pylock(
            files,
            target,
            indexes=spec.indexes,
            source_builds=from_source,
            upgrade=upgrade,
            host=host,
            links=links,
            run_in_base=in_base,
        )


def _preferred(target: Target, pins: Pins, previous: Lock | None) -> Lock | None:
    """The versions to keep where they fit: those of ``previous``, and before them the base's."""
    if not pins.preferred:
        return previous
    names = {package.name for package in pins.preferred}
    others = [p for p in (previous.packages if previous is not None else ()) if p.name not in names]
    return Lock(
        packages=tuple(sorted([*pins.preferred, *others], key=lambda p: p.name)),
        inputs=Digest(""),
        python=target.python,
        platform=str(target.platform),
    )


def _read(contents: Callable[[], Contents] | None) -> Callable[[], Contents]:
    return contents if contents is not None else lambda: Contents(requires={}, extras={}, files={}, entries={})


def _cache_key(inputs: Digest, target: Target) -> str:
    # What resolves afresh at no cost to the user need not be good for more than one base.
    return digest_of_json([inputs, target.python, target.libc_version]).removeprefix("sha256:")


def _files(spec: ImageSpec, pins: Pins) -> dict[str, bytes]:
    files = {REQUIREMENTS: requirements_text(spec.requirements, spec.indexes).encode()}
    files |= {f"{DIRECTORY}/{name}": data for name, data in pins.wheels.items()}
    if spec.constraints or pins.constraints:
        bare = [replace(line, hashes=()) for line in spec.constraints]
        bare += [RequirementLine(text=text, origin="the base") for text in pins.constraints]
        files[CONSTRAINTS] = requirements_text(bare, Indexes()).encode()
    return files


def _pins_to_pylock(
    spec: ImageSpec, compiled: str, target: Target, pins: Pins, *, host: HostProcess | None, in_base: BaseRunner | None
) -> str:
    # pip-compile named the indexes in its answer: those of pip's configuration too.
    secretless = Indexes(no_index=spec.indexes.no_index)
    if in_base is None:
        secretless = Indexes(no_index=spec.indexes.no_index, find_links=spec.indexes.find_links)
    return compile_pylock(
        {REQUIREMENTS: compiled.encode(), **{f"{DIRECTORY}/{name}": data for name, data in pins.wheels.items()}},
        target,
        indexes=secretless,
        source_builds=spec.source_builds,
        no_deps=True,
        best_match=True,
        host=host,
        links=DIRECTORY if pins.wheels else None,
        run_in_base=in_base,
    )


def _selected(spec: ImageSpec, file: LockFile, target: Target, inputs: Digest) -> Lock:
    allowed = allowed_hashes(spec, target)
    file, kept = split(file, spec, target)
    lock = select(
        only_allowed(file, allowed) if allowed else file,
        target,
        inputs=inputs,
        direct=direct_names(spec, target),
        source_builds=spec.source_builds,
    )
    lock = recorded(lock, kept)
    if spec.requires_hashes:
        require_all(lock, allowed)
    return lock


def _check_python(spec: ImageSpec, target: Target) -> None:
    if spec.requires_python and not SpecifierSet(spec.requires_python).contains(target.python, prereleases=True):
        raise Unsatisfiable(
            f"the project requires Python {spec.requires_python}, and the base image has {target.python}",
            hint="choose another Python with `python` in [tool.imagekit] or --python",
        )


def _from_file(
    spec: ImageSpec,
    path: Path,
    target: Target,
    inputs: Digest,
    extras: Sequence[str],
    groups: Sequence[str] | None,
    contents: Callable[[], Contents],
) -> Lock:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidProject(f"{path}: cannot be read: {error}") from None
    file = parse(text, path)
    if file.inputs is not None and file.inputs != inputs:
        raise StaleLock(
            f"{path} was made from other requirements, or for another target, than those at hand",
            hint="make it anew: imagekit lock",
            details=_difference(file, target),
        )
    own = file.own
    direct = direct_names(spec, target)
    if own is not None and not direct:
        direct = frozenset(own.get("direct") or ())
    allowed = allowed_hashes(spec, target)
    file, kept = split(file, spec, target, extras, groups)
    try:
        lock = select(
            only_allowed(file, allowed) if allowed else file,
            target,
            inputs=inputs,
            direct=direct,
            extras=extras,
            groups=groups,
            # A lock of ours holds a source distribution only where it was allowed.
            source_builds=spec.source_builds,
        )
    except NoWheel as error:
        if own is None:
            raise
        # Ours names the one file that fitted the base it was made for.
        raise StaleLock(
            f"{path} was made for another base: {error.message}", hint="make it anew: imagekit lock"
        ) from error
    if own is not None:
        return replace(lock, extra={"base": own["base"]}) if isinstance(own.get("base"), dict) else lock
    lock = recorded(lock, kept)
    _check_answers(spec, lock, path, target)
    check_on_base(lock, target, contents)
    return with_reasons(lock, spec, target, None)


def _difference(file: LockFile, target: Target) -> str | None:
    own: Mapping[str, object] = file.own or {}
    then = (own.get("python"), own.get("platform"))
    now = (target.python, str(target.platform))
    if then == now:
        return None
    return f"made for Python {then[0]} on {then[1]}; wanted for Python {now[0]} on {now[1]}"


def _check_answers(spec: ImageSpec, lock: Lock, path: Path, target: Target) -> None:
    # Another program's lock does not say what it was made from; that it answers can be seen.
    locked = {**lock.kept, **{p.name: p.version for p in lock.packages}}
    for requirement, line in applying(spec.requirements, target):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None:
            raise StaleLock(
                f"{path} has no {requirement.name}, which {line.origin} asks for",
                hint="make the lock anew with the program that wrote it, or with imagekit lock",
            )
        if not requirement.specifier.contains(version, prereleases=True):
            raise StaleLock(
                f"{path} has {requirement.name} {version}, and {line.origin} asks for {line.text}",
                hint="make the lock anew with the program that wrote it, or with imagekit lock",
            )


def _from_cache(path: Path, inputs: Digest) -> Lock | None:
    # A lock that is used is not forgotten: the next one would have other versions.
    mark_used(path, path.parent.parent)
    try:
        lock = load(path.read_text("utf-8"), path)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, InvalidProject):
        # A cache that cannot be read is a cache that has nothing.
        return None
    return lock if lock.inputs == inputs else None
