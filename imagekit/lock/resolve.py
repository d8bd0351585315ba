"""From what is wanted to a lock: the user's own, a cached one, or one that is resolved now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from packaging.specifiers import SpecifierSet

from imagekit.atomic import write_whole
from imagekit.errors import InvalidProject, NoWheel, ResolveError, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.lock.base_packages import DIRECTORY, Pins, recorded, resolve_on_base, split
from imagekit.lock.direct import Sources, overrides, with_sources, with_wheels
from imagekit.lock.from_file import lock_from_file
from imagekit.lock.hashes import allowed_hashes, only_allowed, require_all
from imagekit.lock.inputs import direct_names, inputs_digest
from imagekit.lock.named_wheels import OVERRIDES
from imagekit.lock.pins import PROJECT, ask_with_pins, pinned, project_text, refuse_pins, split_lines
from imagekit.lock.piptools import COMPILED, compile_pins, host_is
from imagekit.lock.prereleases import refuse_unasked
from imagekit.lock.pylock import LockFile, dump, load, parse, select
from imagekit.lock.runner import BaseRunner, CompletedInBase
from imagekit.lock.target import Target
from imagekit.lock.uv import (
    CONSTRAINTS,
    PYLOCK,
    REQUIREMENTS,
    compile_pylock,
    requirements_text,
)
from imagekit.lock.values import Lock
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.progress import Reporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.image import ImageSpec, RequirementLine
from imagekit.spec.installed import Contents

__all__ = ["BaseRunner", "CompletedInBase", "inputs_digest", "obtain", "resolve"]


def obtain(
    spec: ImageSpec,
    target: Target,
    *,
    cache_dir: Path,
    reporter: Reporter,
    run_in_base: BaseRunner | None = None,
    access: IndexAccess | None = None,
    upgrade: bool = False,
    previous: Lock | None = None,
    contents: Callable[[], Contents] | None = None,
    complete: bool = False,
    sources: Sources | None = None,
) -> Lock:
    """The lock of ``spec`` for ``target``.

    The user's own lock file (``spec.lock_file``) is selected from; one of imagekit's that was made
    from other inputs, and another program's that lacks what is asked for, is :class:`StaleLock`.
    Without one, the lock in ``cache_dir/locks`` of the same inputs is used, else the requirements
    are resolved, the versions of ``previous`` kept where they still fit, and the lock is kept there.
    ``upgrade`` passes over all of these and resolves now.
    ``contents`` reads what the base has, where ``target`` has anything installed: what it has at the same
    version is left to it (``Lock.kept``). ``complete``: the requirements are pinned and all there is, so that
    nothing is added, and a file may come from any of the indexes: it is held to its hash.
    """
    inputs = inputs_digest(spec, target)
    _check_python(spec, target)
    if spec.lock_file is not None and not upgrade:

        def pin(pinned: ImageSpec) -> Lock:
            return obtain(
                pinned,
                target,
                cache_dir=cache_dir,
                reporter=reporter,
                run_in_base=run_in_base,
                access=access,
                contents=contents,
                complete=True,
                sources=sources,
            )

        return lock_from_file(spec, spec.lock_file, target, contents=_read(contents), pin=pin)
    cached = cache_dir / "locks" / f"{_cache_key(inputs, target, access)}{'-complete' if complete else ''}.toml"
    if not upgrade and (lock := _from_cache(cached, inputs)) is not None:
        return lock
    lock = resolve(
        spec,
        target,
        reporter=reporter,
        run_in_base=run_in_base,
        access=access,
        upgrade=upgrade,
        previous=previous,
        contents=contents,
        complete=complete,
        sources=sources,
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
    access: IndexAccess | None = None,
    upgrade: bool = False,
    previous: Lock | None = None,
    contents: Callable[[], Contents] | None = None,
    complete: bool = False,
    sources: Sources | None = None,
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

    refuse_pins(spec.indexes, spec.resolver)
    asked, direct = with_wheels(spec, target, sources, previous=None if upgrade else previous, complete=complete)

    reached = (access or IndexAccess()).of(asked)
    if reached.indexes.no_index:
        # No index is asked: everything is in the places of files, and none of it comes from one index alone.
        asked = replace(asked, indexes=replace(asked.indexes, pins=()))
        reached = replace(reached, indexes=replace(reached.indexes, pins=()))
    from_one_index, names = pinned(asked.indexes, target), direct_names(asked, target)

    def ask(pins: Pins) -> Lock:
        def once(from_source: tuple[str, ...]) -> Lock:
            def with_needed(needed: tuple[str, ...]) -> Lock:
                text = _asked(
                    asked,
                    from_source,
                    target,
                    reporter,
                    run_in_base,
                    reached,
                    upgrade,
                    previous,
                    pins,
                    complete,
                    overrides(direct) + "".join(f"{line.text}\n" for line in spec.overrides),
                    needed,
                )
                answer = parse(text, Path(f"(the answer of {spec.resolver})"))
                return with_sources(_selected(asked, answer, target, inputs), direct)

            return ask_with_pins(from_one_index, names, with_needed)

        return _wheels_first(spec, once)

    lock = resolve_on_base(ask, spec, target, _read(contents)()) if target.installed else ask(Pins())
    for line in () if reached.prereleases else refuse_unasked(lock, asked, target):
        reporter.line(line)
    return lock


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
    access: IndexAccess,
    upgrade: bool,
    previous: Lock | None,
    pins: Pins,
    complete: bool,
    overridden: str,
    needed: tuple[str, ...],
) -> str:
    """The resolver's answer as the text of a ``pylock.toml``; ``needed`` are pinned packages that others need."""
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
        files = _files(spec, pins, target, needed, access)
        if overridden and spec.resolver == "uv":
            files[OVERRIDES] = overridden.encode()
        links = DIRECTORY if pins.wheels else None
        if spec.resolver == "pip-tools":
            task.note("pip-compile")
            if pins.preferred:
                files[COMPILED] = "".join(f"{p.name}=={p.version}\n" for p in pins.preferred).encode()
            compiled = compile_pins(
                files,
                target,
                source_builds=from_source,
                only_binary=spec.only_binary,
                no_binary=spec.no_binary,
                upgrade=upgrade,
                access=access,
                links=links,
                run_in_base=run_in_base if needs_base else None,
            )
            return _pins_to_pylock(spec, compiled, target, pins, access, in_base, reporter)
        task.note("uv")
        if (preferred := _preferred(target, pins, None if upgrade else previous)) is not None:
            files[PYLOCK] = dump(preferred).encode()
        return compile_pylock(
            files,
            target,
            source_builds=from_source,
            only_binary=spec.only_binary,
            no_binary=spec.no_binary,
            no_deps=complete,
            best_match=complete,
            upgrade=upgrade,
            access=access,
            links=links,
            run_in_base=in_base,
            say=reporter.line,
        )


def _preferred(target: Target, pins: Pins, previous: Lock | None) -> Lock | None:
    """The versions to keep where they fit: those of ``previous``, and before them the base's."""
    if previous is not None:
        # What is asked for by its place has no version to prefer.
        previous = replace(previous, packages=tuple(p for p in previous.packages if not p.artifact.by_url))
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


def _cache_key(inputs: Digest, target: Target, access: IndexAccess | None) -> str:
    # What resolves afresh at no cost to the user need not be good for more than one base, or set of indexes.
    own = access.deciding if access is not None else {}
    return digest_of_json([inputs, target.python, target.libc_version, *([own] if own else [])]).removeprefix("sha256:")


def _files(
    spec: ImageSpec, pins: Pins, target: Target, needed: tuple[str, ...], access: IndexAccess
) -> dict[str, bytes]:
    from_one_index = pinned(spec.indexes, target)
    ordinary, own = split_lines(spec.requirements, from_one_index, needed)
    files = {REQUIREMENTS: requirements_text(ordinary).encode()}
    if own:
        files[PROJECT] = project_text(own, access.indexes, from_one_index).encode()
    files |= {f"{DIRECTORY}/{name}": data for name, data in pins.wheels.items()}
    if spec.constraints or pins.constraints:
        bare = [replace(line, hashes=()) for line in spec.constraints]
        bare += [RequirementLine(text=text, origin="the base") for text in pins.constraints]
        files[CONSTRAINTS] = requirements_text(bare).encode()
    return files


def _pins_to_pylock(
    spec: ImageSpec,
    compiled: str,
    target: Target,
    pins: Pins,
    access: IndexAccess,
    in_base: BaseRunner | None,
    reporter: Reporter,
) -> str:
    try:
        return compile_pylock(
            {REQUIREMENTS: compiled.encode(), **{f"{DIRECTORY}/{name}": data for name, data in pins.wheels.items()}},
            target,
            access=access,
            source_builds=spec.source_builds,
            only_binary=spec.only_binary,
            no_binary=spec.no_binary,
            no_deps=True,
            links=DIRECTORY if pins.wheels else None,
            run_in_base=in_base,
            say=reporter.line,
        )
    except Unsatisfiable as error:
        if not access.indexes.extra or access.any_index:
            raise
        raise ResolveError(
            f"pip-tools took a version from another index than the first that knows the package: {error.message}",
            hint="pin the version that is meant, resolve with uv, or trust all indexes alike: "
            'index-strategy = "unsafe-best-match"',
            details=error.details,
        ) from error


def _selected(spec: ImageSpec, file: LockFile, target: Target, inputs: Digest) -> Lock:
    allowed = allowed_hashes(spec, target)
    file, kept = split(file, spec, target)
    lock = select(
        only_allowed(file, allowed) if allowed else file,
        target,
        inputs=inputs,
        direct=direct_names(spec, target),
        source_builds=spec.source_builds,
        only_binary=spec.only_binary,
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
