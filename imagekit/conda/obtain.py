"""From what is wanted of conda to its lock: the project's own, one that was kept, or one that is solved now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from imagekit.atomic import write_whole
from imagekit.conda.lock_table import KEY, inputs_digest, lock_of, table_of
from imagekit.conda.values import CondaLock
from imagekit.conda.virtual_packages import subdir_of, virtual_packages
from imagekit.errors import InvalidProject, StaleLock, Unsatisfiable
from imagekit.lock.access import IndexAccess
from imagekit.oci.digest import digest_of_json
from imagekit.progress import Reporter
from imagekit.sharing.leases import mark_used
from imagekit.spec.base import BaseImage
from imagekit.spec.conda import CondaWanted
from imagekit.spec.toml import read_toml

if TYPE_CHECKING:
    from types import ModuleType

    from imagekit.conda.channels import ChannelPlace

# Lists of packages, as py-rattler keeps them; those of the same channels in one directory.
REPODATA = "repodata"
_MARK = "used"


def obtain(
    wanted: CondaWanted,
    base: BaseImage,
    *,
    lock_file: Path | None,
    cache_dir: Path,
    access: IndexAccess,
    reporter: Reporter,
) -> CondaLock:
    """The lock of ``wanted`` on ``base``.

    What the project's ``lock_file`` has is taken; ``StaleLock`` where it was made from something else. Without one
    the lock in ``cache_dir/locks`` of the same inputs is used, else the environment is solved, the versions of
    ``wanted.previous`` kept where they fit, and the lock is kept there.
    """
    subdir, virtual = subdir_of(base.config.platform), virtual_packages(base)
    inputs = inputs_digest(wanted, subdir, virtual)
    known = None if wanted.newest else _of_project(lock_file, inputs)
    if known is not None:
        return known
    cached = cache_dir / "locks" / f"{inputs.removeprefix('sha256:')}.toml"
    previous = None if wanted.newest else _read(wanted.previous)
    if previous is not None and previous.inputs == inputs:
        return previous
    if not wanted.newest and (lock := _kept(cached, cache_dir)) is not None and lock.inputs == inputs:
        return lock
    lock = CondaLock(
        packages=_solved(wanted, subdir, virtual, previous, cache_dir=cache_dir, access=access, reporter=reporter),
        inputs=inputs,
        subdir=subdir,
    )
    write_whole(cached, tomli_w.dumps({KEY: table_of(lock)}).encode())
    return lock


def _solved(
    wanted: CondaWanted,
    subdir: str,
    virtual: tuple[tuple[str, str, str], ...],
    previous: CondaLock | None,
    *,
    cache_dir: Path,
    access: IndexAccess,
    reporter: Reporter,
) -> Any:
    from imagekit.conda.channels import places, unmet
    from imagekit.conda.rattler import load_rattler
    from imagekit.conda.solve import check_lines, solve

    rattler: ModuleType = load_rattler()
    check_lines(wanted, rattler)
    secrets = dict(wanted.secrets)
    asked = places(wanted.channels, rattler, secrets=secrets, secret=access.secret, logins=access.logins)
    for line in unmet(asked, access):
        reporter.line(line)
    keep = [f"{p.name}=={p.version}={p.build}" for p in previous.packages] if previous is not None else []
    title = f"solving {len(wanted.packages)} conda package{'s' * (len(wanted.packages) != 1)} for {subdir}"
    with reporter.task(title) as task:
        task.note(", ".join(place.name for place in asked))
        for held in (keep, []) if keep else ([],):
            try:
                return solve(
                    wanted,
                    subdir=subdir,
                    virtual=virtual,
                    places=asked,
                    repodata=_repodata(cache_dir, asked),
                    offline=access.offline,
                    environment=access.environment(access.for_conda()),
                    keep=held,
                )
            except Unsatisfiable:
                if not held:
                    raise
    raise AssertionError("the last attempt returns or raises")


def _repodata(cache_dir: Path, places: Sequence[ChannelPlace]) -> Path:
    """Where the lists of ``places`` are kept, noted to be in use."""
    key = digest_of_json(["repodata", sorted(place.url for place in places)]).removeprefix("sha256:")
    directory = cache_dir / REPODATA / key
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (mark := directory / _MARK).touch(exist_ok=True)
    mark_used(mark, cache_dir)
    return directory


def attached(extra: Mapping[str, Any], lock: CondaLock) -> dict[str, Any]:
    """The table of a Python lock that was made on ``lock``, with that in it."""
    return {**extra, KEY: table_of(lock)}


def _of_project(lock_file: Path | None, inputs: str) -> CondaLock | None:
    """What imagekit's own lock of the project has; another program's has nothing of conda."""
    if lock_file is None or not lock_file.name.startswith("pylock"):
        return None
    own = (read_toml(lock_file, InvalidProject).get("tool") or {}).get("imagekit")
    if not isinstance(own, dict):
        return None
    if KEY in own:
        lock = lock_of(own[KEY], str(lock_file))
        if lock.inputs == inputs:
            return lock
        words = "has conda packages of another environment"
    else:
        words = "has no conda packages, and some are asked for"
    raise StaleLock(f"{lock_file} {words}", hint="make it anew: imagekit lock")


def _read(path: Path | None) -> CondaLock | None:
    """The conda packages of the lock at ``path``, if it can be read and has some."""
    try:
        tool = read_toml(path, InvalidProject).get("tool") or {} if path is not None and path.is_file() else {}
        table = (tool.get("imagekit") or {}).get(KEY)
        return None if table is None else lock_of(table, str(path))
    except (InvalidProject, AttributeError):
        return None


def _kept(path: Path, cache_dir: Path) -> CondaLock | None:
    # A lock that is used is not forgotten: the next one would have other versions.
    mark_used(path, cache_dir)
    try:
        return lock_of(read_toml(path, InvalidProject).get(KEY), str(path)) if path.is_file() else None
    except InvalidProject:
        return None
