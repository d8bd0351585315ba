"""What is different between two sides. Pure.

Values of environment variables are compared and never told: they may be secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from imagekit.comparing.values import Difference, ImageSide, Side
from imagekit.plan.changes import InputChange
from imagekit.store.values import StoredRun


def difference(before: Side, after: Side) -> Difference:
    """All that is different, the image first, then what the runs were asked, then how they ended."""
    changes: list[InputChange] = []
    unknown: list[str] = []
    if before.image is not None and after.image is not None:
        changes += _images(before.image, after.image)
        unknown += _unknown(before.image, after.image)
    else:
        unknown += [f"the image of {side.name}: {side.why}" for side in (before, after) if side.image is None]
    resources: dict[str, tuple[float | None, float | None]] = {}
    if before.run is not None and after.run is not None:
        changes += _runs(before.run, after.run)
        resources = _resources(before.run, after.run)
    return Difference(before=before, after=after, changes=tuple(changes), resources=resources, unknown=tuple(unknown))


def _images(before: ImageSide, after: ImageSide) -> Iterator[InputChange]:
    if before.image_id == after.image_id:
        return
    yield from _one("python", "python", before.python, after.python)
    yield from _base(before, after)
    if before.packages is not None and after.packages is not None:
        yield from _mapping("package", before.packages, after.packages)
    if before.system is not None and after.system is not None:
        yield from _mapping("system", before.system, after.system)
    if before.conda is not None and after.conda is not None:
        yield from _mapping("conda", before.conda, after.conda)
    yield from _one("lock", "lock", before.lock, after.lock)
    yield from _one("commit", "commit", before.commit, after.commit)
    yield from _source(before, after)
    yield from _silent("variable", before.env, after.env)
    yield from _mapping("setting", before.settings, after.settings)


def _base(before: ImageSide, after: ImageSide) -> Iterator[InputChange]:
    # A name says nothing beside a distribution.
    is_named = bool(before.base and after.base)
    one, other = (before.base, after.base) if is_named else (before.distro, after.distro)
    if one and other and one != other:
        yield from _one("base", "base", one, other)
    elif (
        before.base == after.base
        and before.base_digest != after.base_digest
        and before.base_digest
        and after.base_digest
    ):
        yield InputChange(
            input="base",
            name=before.base or "base",
            change="changed",
            before=before.base_digest,
            after=after.base_digest,
        )


def _source(before: ImageSide, after: ImageSide) -> Iterator[InputChange]:
    if before.source == after.source:
        return
    if before.files is not None and after.files is not None:
        yield from _silent("file", before.files, after.files)
    else:
        yield from _one("source", "source", before.source, after.source)


def _unknown(before: ImageSide, after: ImageSide) -> Iterator[str]:
    if before.image_id == after.image_id:
        return
    for side in (before, after):
        if side.packages is None:
            yield f"the packages of {side.reference}"
    if before.source != after.source and (before.files is None or after.files is None):
        yield "which files of the source changed: a source layer is no longer in the cache, or none of ours"


def _runs(before: StoredRun, after: StoredRun) -> Iterator[InputChange]:
    one, other = before.record, after.record
    yield from _one("flow", "flow", one.entrypoint, other.entrypoint)
    yield from _one("image", "image", one.reference, other.reference)
    yield from _mapping("parameter", _texts(one.parameters), _texts(other.parameters))
    yield from _mapping("run setting", _texts(one.settings, but=_TOLD), _texts(other.settings, but=_TOLD))
    names = (dict.fromkeys(record.env_names, "") for record in (one, other))
    yield from _silent("environment", *names)
    yield from _mapping("run source", _texts(one.source), _texts(other.source))
    yield from _mapping("extra", _texts(one.extras or {}), _texts(other.extras or {}))
    yield from _one("state", "state", before.state, after.state)
    if before.end is not None and after.end is not None:
        yield from _one("cause", "cause", before.end.cause or "", after.end.cause or "")
        yield from _one("error", "error", _error(before), _error(after))


def _error(run: StoredRun) -> str:
    error = (run.end.error if run.end else None) or {}
    return ": ".join(str(error[name]) for name in ("type", "message") if error.get(name)).partition("\n")[0]


def _resources(before: StoredRun, after: StoredRun) -> dict[str, tuple[float | None, float | None]]:
    def of(run: StoredRun) -> dict[str, float | None]:
        end = run.end
        return {
            "seconds": run.seconds,
            "cpu_seconds": end.cpu_seconds if end else None,
            "peak_memory": end.peak_memory if end else None,
        }

    one, other = of(before), of(after)
    return {name: (one[name], other[name]) for name in one}


# Told by themselves, or another in every run.
_TOLD = ("image", "name", "env")


def _texts(values: Mapping[str, Any], but: tuple[str, ...] = ()) -> dict[str, str]:
    told = {name: value for name, value in values.items() if value is not None and name not in but}
    return {name: json.dumps(value, sort_keys=True) for name, value in told.items()}


def _one(kind: str, name: str, before: str, after: str) -> Iterator[InputChange]:
    if before != after:
        yield _change(kind, name, before or None, after or None, told=True)


def _mapping(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[InputChange]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield _change(kind, name, before.get(name), after.get(name), told=True)


def _silent(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[InputChange]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield _change(kind, name, before.get(name), after.get(name), told=False)


def _change(kind: str, name: str, before: str | None, after: str | None, *, told: bool) -> InputChange:
    change = "added" if before is None else "removed" if after is None else "changed"
    if not told:
        before = after = None
    return InputChange(input=kind, name=name, change=change, before=before, after=after)
