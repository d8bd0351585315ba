"""``imagekit lock``"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagekit.cli import options
from imagekit.cli.option_sets import given, with_options
from imagekit.cli.options import examples

if TYPE_CHECKING:
    from imagekit.lock.values import Lock

EPILOG = examples(
    "imagekit lock",
    "imagekit lock --upgrade",
    "imagekit lock --check                 # exit code 4 where the lock is stale",
    "imagekit lock -r requirements.in --output pylock.prod.toml",
)
_NAME = "pylock.toml"


@with_options
def lock(
    path: options.PathArgument = Path(),
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Take the newest versions that fit.")] = False,
    upgrade_base: Annotated[
        bool, typer.Option("--upgrade-base", help="Take what the base image's tag names in its registry now.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say whether the lock is up to date.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it (PATH/pylock.toml; '-': stdout)."),
    ] = None,
    *,
    project: options.ProjectOptions,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Resolve the dependencies into a hashed lock (PEP 751).

    They are resolved for the image's Python and platform, not for this machine's.
    """
    from imagekit.cli.output import put, put_json
    from imagekit.cli.session import load_settings, open_pipeline, reporting
    from imagekit.errors import InputError, StaleLock
    from imagekit.lock.foreign import foreign_lock
    from imagekit.lock.locked_base import moved, with_base

    to_stdout = output == Path("-")
    if check and (upgrade or upgrade_base):
        raise InputError("--check writes nothing, and does not go with --upgrade", hint="leave one of the two out")
    if to_stdout and (check or as_json):
        raise InputError("--output - does not go with --check or --json", hint="name a file")
    target = output if output is not None else path / _NAME
    settings = load_settings()
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        spec = pipeline.spec(path, **given(project))
        if (theirs := foreign_lock(spec)) is not None:
            target = _refuse_or_check(theirs, target if output is not None else theirs, check=check)
        # What is wanted, and not the lock that was made of it before.
        spec = replace(spec, lock_file=None)
        if not spec.source_builds:
            # Versions of wheels are the same without them, and no engine is needed.
            spec = replace(spec, recipes=())
        if spec.conda is not None:
            previous_conda = None if upgrade or check else target
            spec = replace(spec, conda=replace(spec.conda, newest=upgrade, previous=previous_conda))
        if check:
            if not target.is_file():
                raise StaleLock(f"{target} is not there", hint=f"make it: imagekit lock {path}")
            found = pipeline.lock(replace(spec, lock_file=target.resolve()))
        else:
            base = pipeline.base_image(spec, newest=upgrade_base)
            previous = _previous(target)
            found = with_base(pipeline.lock(spec, upgrade=upgrade, previous=previous), base)
            if previous is not None and (line := moved(previous, base)) is not None:
                reporter.line(line.partition("; ")[0])
    if to_stdout:
        put(_text(found, Path.cwd()).rstrip("\n"))
        return
    before, conda_before = _versions(target), _shown(_conda(_own_table(target)))
    changed = False if check else _write(target, _text(found, target.parent.resolve()))
    after = {p.name: p.version for p in found.packages}
    conda = _conda(found.extra)
    document = {
        "lock": str(target),
        "digest": found.digest,
        "python": found.python,
        "platform": found.platform,
        "packages": [{"name": p.name, "version": p.version} for p in found.packages],
        "conda": list(conda.values()),
        "kept": [{"name": name, "version": version} for name, version in sorted(found.kept.items())],
        "replaced": dict(sorted(found.reasons.items())),
        "written": changed,
    }
    if as_json:
        put_json(document)
        return
    if quiet:
        return
    for line in [] if check else [*differences(conda_before, _shown(conda)), *differences(before, after)]:
        put(line)
    count = f"{len(found.packages)} package{'' if len(found.packages) == 1 else 's'}"
    state = "is up to date" if not changed else "written"
    if conda:
        count = f"{len(conda)} conda package{'' if len(conda) == 1 else 's'} and {count}"
    put(f"{target} {state}: {count} for Python {found.python} on {found.platform}")
    if found.kept:
        put(f"left to the base, which has them: {', '.join(f'{n} {v}' for n, v in sorted(found.kept.items()))}")
    for name, why in sorted(found.reasons.items()):
        put(f"{name} of the base is replaced: {why}")


def _refuse_or_check(theirs: Path, target: Path, *, check: bool) -> Path:
    """The lock that is to be checked; two locks of one project would drift apart."""
    from imagekit.errors import InvalidProject
    from imagekit.lock.foreign import UPGRADES

    if check and target == theirs:
        return target
    raise InvalidProject(
        f"{theirs.name} is the project's lock, and is used as it is",
        hint=f"for newer versions: {UPGRADES[theirs.name]}; see whether it is up to date: imagekit lock --check",
    )


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """One line for each package that came, went or moved; none for a first lock."""
    if not before:
        return []
    lines = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None:
            lines.append(f"+ {name} {new}")
        elif new is None:
            lines.append(f"- {name} {old}")
        elif old != new:
            lines.append(f"  {name} {old} -> {new}")
    return lines


def _previous(target: Path) -> Lock | None:
    """The lock that is written over, if it is one of ours that can be read."""
    from imagekit.errors import InputError
    from imagekit.lock.pylock import load

    try:
        return load(target.read_text("utf-8"), target)
    except (OSError, UnicodeDecodeError, InputError):
        return None


def _text(lock: Lock, relative_to: Path) -> str:
    from imagekit.lock.locked_urls import refuse_urls_of
    from imagekit.lock.pylock import dump

    refuse_urls_of(lock)
    return dump(lock, relative_to=relative_to)


def _versions(path: Path) -> dict[str, str]:
    """Names and versions of the lock that is there, if one is."""
    from imagekit.errors import InvalidProject
    from imagekit.spec.toml import read_toml

    try:
        packages = read_toml(path, InvalidProject).get("packages") or []
        return {str(p["name"]): str(p.get("version", "")) for p in packages}
    except (InvalidProject, KeyError, TypeError, AttributeError):
        return {}


def _own_table(path: Path) -> Mapping[str, Any]:
    """``[tool.imagekit]`` of the lock that is there, if one is."""
    from imagekit.errors import InvalidProject
    from imagekit.spec.toml import read_toml

    try:
        found = (read_toml(path, InvalidProject).get("tool") or {}).get("imagekit")
    except (InvalidProject, AttributeError):
        found = None
    return found if isinstance(found, dict) else {}


def _conda(own: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """conda's packages in a lock's own table, by name: what ``--json`` prints of each."""
    table = own.get("conda")
    packages = table.get("packages") or () if isinstance(table, dict) else ()
    fields = ("name", "version", "build", "channel")
    return {str(p.get("name")): {field: str(p.get(field, "")) for field in fields} for p in packages}


def _shown(conda: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {name: f"{package['version']} {package['build']}" for name, package in conda.items()}


def _write(path: Path, text: str) -> bool:
    """Put ``text`` in place whole; ``False`` where it is there already."""
    from imagekit.atomic import rewrite
    from imagekit.errors import InvalidProject

    data = text.encode()
    with contextlib.suppress(OSError):
        if path.is_file() and path.read_bytes() == data:
            return False
    rewrite(path, data, InvalidProject, hint="--output names another place")
    return True
