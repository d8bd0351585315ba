"""How large a lock's wheels are, where the index did not say so: the order of an image's layers goes by it.

A file's size is a property of its hash, so it is asked for once and kept; every machine comes to
the same order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from imagekit.atomic import write_whole
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Lock, LockedPackage
from imagekit.progress import Reporter

_THREADS = 12
_FEW = 2


def with_sizes(lock: Lock, store: WheelStore, cache_dir: Path, reporter: Reporter) -> Lock:
    """``lock`` with the size of every wheel; raises what ``WheelStore.get`` raises."""
    lacking = [p for p in lock.packages if p.artifact.is_wheel and p.artifact.size is None]
    if not lacking:
        return lock
    note = cache_dir / "locks" / f"{lock.digest.removeprefix('sha256:')}.sizes"
    known = _read(note)
    unknown = [p for p in lacking if p.artifact.sha256 not in known]
    if unknown:
        # After a pin moved, all files but its own are here.
        here = {p.artifact.sha256: store.size_here(p.artifact) for p in unknown}
        known = {**known, **{sha256: size for sha256, size in here.items() if size}}
        known = {**known, **_asked([p for p in unknown if p.artifact.sha256 not in known], store, reporter)}
        write_whole(note, json.dumps(known, sort_keys=True).encode())
    return replace(lock, packages=tuple(_sized(package, known) for package in lock.packages))


def _asked(packages: Sequence[LockedPackage], store: WheelStore, reporter: Reporter) -> dict[str, int]:
    """The sizes of files that are elsewhere, by their hashes."""
    if not packages:
        return {}
    store.refuse_missing(packages)
    title = f"asking for the size of {len(packages)} file{'s' * (len(packages) != 1)}"
    with (
        reporter.task(title, len(packages)) as task,
        ThreadPoolExecutor(max_workers=_THREADS) as pool,
    ):

        def ask(package: LockedPackage) -> int:
            # A few are fetched at once, as a build does it next: that spares a question before.
            if len(packages) <= _FEW:
                size = store.get(package.artifact, package=package.name).stat().st_size
            else:
                size = store.size(package.artifact, package=package.name)
            task.advance()
            return size

        return dict(zip([p.artifact.sha256 for p in packages], pool.map(ask, packages), strict=True))


def _sized(package: LockedPackage, known: Mapping[str, int]) -> LockedPackage:
    size = known.get(package.artifact.sha256)
    if package.artifact.size is not None or size is None:
        return package
    return replace(package, artifact=replace(package.artifact, size=size))


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes())
        return {str(name): int(size) for name, size in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
