"""Preflight: what the compiled files of the planned wheels ask of the base, told before an image of them is used."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit import __version__
from imagekit.atomic import write_whole
from imagekit.building.remedies import remedies_for
from imagekit.errors import DiskFull, PreflightFailed
from imagekit.layers.cache import LayerCache
from imagekit.oci.digest import Digest, digest_of_json
from imagekit.plan.values import FilesLayer, PlannedWheel, WheelsLayer
from imagekit.progress import Reporter
from imagekit.spec.image import PREFLIGHTS

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.lock.fetch import WheelStore
    from imagekit.lock.values import Lock
    from imagekit.plan.values import Plan
    from imagekit.preflight.report import Report
    from imagekit.preflight.values import CompiledFile, Finding, Offer, WheelFiles
    from imagekit.spec.base import BaseImage

_STRICT, _OFF = PREFLIGHTS[1:]
# Part of a note's name: raised when other things are found in the same files.
_FORMAT = 1
_DIRECTORY = "preflight"


def check_libraries(planned: Planned, cache: Path, reporter: Reporter) -> None:
    """Tell what the planned image's packages miss of its base, its layers being made.

    ``PreflightFailed`` where what is imported cannot load on any base like it; with ``strict``, where a library of
    what is imported is missing. What was found is kept for the same wheels on the same base. Nothing is said of an
    image whose own instructions may bring what is missing.
    """
    plan = planned.plan
    if planned.preflight == _OFF or plan.commands:
        return
    note = cache / _DIRECTORY / f"{_name(plan).removeprefix('sha256:')}.json"
    found = _kept(note)
    if found is None:
        from imagekit.preflight.judge import findings

        looked, offer = _look(plan, cache), _offer(plan, cache)
        if looked.unknown:  # layers without bytecode have keys of their own
            looked = _look(plan, cache, _fetched(plan, cache))
        found = _in_words(findings(looked.wheels, offer), offer, plan)
        if not looked.unknown:
            # What is only remembered must not end a build.
            with suppress(OSError, DiskFull):
                write_whole(note, json.dumps({"findings": found}).encode())
    if found:
        _tell(found, reporter, strict=planned.preflight == _STRICT)


def _tell(found: Sequence[Mapping[str, Any]], reporter: Reporter, *, strict: bool) -> None:
    from imagekit.preflight.values import ERROR, WARNING

    refused = [each for each in found if each["severity"] in ((ERROR, WARNING) if strict else (ERROR,))]
    if refused:
        first, more = refused[0], len(refused) - 1
        raise PreflightFailed(
            first["message"] + (f" (and {more} more)" if more else ""),
            hint=f'{first["hint"]}; preflight = "off" (--preflight off) builds nevertheless',
            details="\n".join(_line(each) for each in refused) if more else None,
        )
    for each in found:
        if each["severity"] == WARNING:
            reporter.line(f"warning: {_line(each)}")


def _in_words(found: Sequence[Finding], offer: Offer, plan: Plan) -> list[Mapping[str, Any]]:
    if not found:
        return []
    from imagekit.preflight.report import told

    return [each.to_json() for each in told(found, offer, remedies_for(plan.base))]


def _line(found: Mapping[str, Any]) -> str:
    return f"{found['message']}: {found['hint']}" if found["hint"] else str(found["message"])


def report_of(plan: Plan, lock: Lock, cache: Path, store: WheelStore | None, reporter: Reporter) -> Report:
    """What the wheels of ``plan``, which are those of ``lock``, ask of its base.

    Those that are not here are fetched into ``store``; without one, and where they are still to be built, they are
    named as unknown.
    """
    looked = _look(plan, cache)
    if store is None or not looked.unknown:
        return _report(plan, cache, looked)
    from imagekit.lock.fetch import fetch_all

    wanted = [package for package in lock.packages if package.artifact.is_wheel and package.name in looked.unknown]
    fetched: dict[str, Path] = {}
    with closing(fetch_all(wanted, store, reporter=reporter)) as arriving:
        fetched.update((package.name, path) for package, path in arriving)
    return _report(plan, cache, _look(plan, cache, fetched) if fetched else looked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    wheels: tuple[WheelFiles, ...]
    unknown: Mapping[str, str]  # name → pin


def _look(plan: Plan, cache: Path, fetched: Mapping[str, Path] | None = None) -> _Looked:
    """The compiled files of the planned wheels: as they were kept, else from their layers, else from ``fetched``."""
    from imagekit.preflight.kept import KeptNeeds
    from imagekit.preflight.values import WheelFiles

    kept, layers = KeptNeeds(cache), LayerCache(cache / "layers")
    wheels, unknown = [], {}
    for wheel in _compiled(plan):
        files = None if wheel.from_source else kept.get(wheel.sha256)
        if files is None and not wheel.from_source:
            files = _read(wheel, plan, layers, (fetched or {}).get(wheel.name))
            if files is not None:
                kept.keep(wheel.sha256, files)
        if files is None:
            unknown[wheel.name] = wheel.pin
        elif files:
            wheels.append(WheelFiles(name=wheel.name, version=wheel.version, files=files))
    return _Looked(wheels=tuple(wheels), unknown=unknown)


def _fetched(plan: Plan, cache: Path) -> dict[str, Path]:
    """The files of planned wheels that are here, by name."""
    places = ((wheel.name, cache / "wheels" / wheel.sha256 / wheel.filename) for wheel in _compiled(plan))
    return {name: path for name, path in places if path.is_file()}


def _read(wheel: PlannedWheel, plan: Plan, layers: LayerCache, fetched: Path | None) -> tuple[CompiledFile, ...] | None:
    from imagekit.preflight.compiled import compiled_in_layer, compiled_in_wheel

    entry = layers.look(wheel.key)
    if entry is not None:
        return compiled_in_layer(entry, plan.prefix.site_path)
    return compiled_in_wheel(fetched, plan.prefix) if fetched is not None else None


def _report(plan: Plan, cache: Path, looked: _Looked) -> Report:
    from imagekit.preflight.judge import findings
    from imagekit.preflight.report import Report, served_by, told

    offer, remedies = _offer(plan, cache), remedies_for(plan.base)
    names = [wheel.name for layer in plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels]
    return Report(
        base=offer.base,
        libc=f"{offer.libc} {offer.libc_version}",
        told=told(findings(looked.wheels, offer), offer, remedies),
        wheels=len(looked.wheels),
        unknown=tuple(looked.unknown.values()),
        served=served_by(names, remedies),
    )


def offer_of(base: BaseImage, more: Sequence[str] = ()) -> Offer:
    """What ``base`` has that compiled files ask for; ``more``: libraries that the image has besides."""
    from imagekit.preflight.names import system_of
    from imagekit.preflight.values import Offer

    python = base.python
    return Offer(
        base=base.named.reference,
        machine=python.machine,
        libc=python.libc,
        libc_version=python.libc_version,
        cache_tag=python.cache_tag,
        libraries=frozenset((*base.libraries, *more)) if base.libraries else frozenset(),
        system=system_of(base.release),
    )


def _offer(plan: Plan, cache: Path) -> Offer:
    """The base's libraries, and those that the user's own files are, where their layer is made."""
    layers = LayerCache(cache / "layers")
    entries = (layers.look(layer.key) for layer in plan.layers if isinstance(layer, FilesLayer))
    names = (path.rpartition("/")[2] for entry in entries if entry is not None for path in entry.paths())
    return offer_of(plan.base, [name for name in names if ".so" in name])


def _compiled(plan: Plan) -> Iterator[PlannedWheel]:
    for layer in plan.layers:
        for wheel in layer.wheels if isinstance(layer, WheelsLayer) else ():
            # The platform tag says whether there may be compiled files (PEP 425).
            if wheel.from_source or not wheel.filename.endswith("-any.whl"):
                yield wheel


def _name(plan: Plan) -> Digest:
    """Of all that is looked at: wheels without compiled files are not, so moving one asks nothing anew."""
    files = [layer.key for layer in plan.layers if isinstance(layer, FilesLayer)]
    wheels = [wheel.key for wheel in _compiled(plan)]
    return digest_of_json([__version__, _FORMAT, plan.base.image_id, files, wheels])


def _kept(note: Path) -> list[Mapping[str, Any]] | None:
    try:
        found = json.loads(note.read_bytes())["findings"]
        return [{name: each[name] for name in ("severity", "message", "hint")} for each in found]
    except (OSError, ValueError, KeyError, TypeError):
        return None
