"""The health check of an image that was built, made once for what it looks at."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit import __version__
from imagekit.atomic import write_whole
from imagekit.errors import DamagedLayer, DiskFull
from imagekit.layers.cache import Entry, LayerCache
from imagekit.oci.digest import Digest, digest_of, digest_of_json
from imagekit.plan.values import PlannedWheel, SourceLayer, WheelsLayer
from imagekit.progress import Reporter

if TYPE_CHECKING:
    from imagekit.building.planned import Planned
    from imagekit.check.moved import Moved
    from imagekit.engine.client import Engine
    from imagekit.plan.values import Plan
    from imagekit.spec.image import ImageSpec


def check_built(
    engine: Engine, spec: ImageSpec, planned: Planned, image_id: str, cache: Path, reporter: Reporter
) -> None:
    """Look at ``image_id`` from inside, unless what it is made of passed before. Raises ``CheckFailed``.

    Where the image differs from one that passed in versions of packages alone, their metadata is looked at.
    """
    if not spec.health_check:
        return
    wanted = {package.name: package.version for package in planned.lock.packages}
    if spec.project is not None and spec.project.version is not None:
        wanted[spec.project.name] = spec.project.version
    note = cache / "checked" / _looked_at(spec, planned, image_id, wanted).removeprefix("sha256:")
    if note.exists():
        return
    plan = planned.plan
    expected: dict[str, Any] = {
        "expected_python": plan.base.python.version,
        "distributions": wanted,
        "base": {found.name: found.version for found in plan.base.python.kept},
    }
    told = not spec.entrypoints and not plan.commands
    like = cache / "checked" / f"{_alike(planned, expected)}.json"
    passed = _foretold(plan, like, cache, expected) if told else None
    if passed is None:
        from imagekit.check.health import check_image

        with reporter.task("checking the image"):
            report = check_image(engine, image_id, entrypoints=spec.entrypoints, workdir=spec.workdir, **expected)
        passed = Passed(answer=report.answer, wheels=_reaches(plan, cache))
    with suppress(OSError, DiskFull):
        if told:
            write_whole(like, json.dumps(passed.to_json()).encode())
        write_whole(note, b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """An image that passed: the probe's answer, and of each wheel its layer's key and where its files can be met."""

    answer: Mapping[str, Any]
    wheels: Mapping[str, tuple[str, frozenset[str]]]

    def to_json(self) -> dict[str, Any]:
        return {
            "answer": self.answer,
            "wheels": {name: [key, sorted(reach)] for name, (key, reach) in self.wheels.items()},
        }

    @classmethod
    def read(cls, path: Path) -> Passed | None:
        try:
            found = json.loads(path.read_bytes())
            wheels = {name: (key, frozenset(reach)) for name, (key, reach) in found["wheels"].items()}
            return cls(answer=found["answer"], wheels=wheels)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def _foretold(plan: Plan, like: Path, cache: Path, expected: Mapping[str, Any]) -> Passed | None:
    """That the image passes, told from one like it; ``None`` where it must be looked at from inside."""
    before, wheels = Passed.read(like), _wheels(plan)
    if before is None or before.wheels.keys() != wheels.keys():
        return None
    from imagekit.check.judgement import findings
    from imagekit.check.moved import concerning, foretold

    moved, reaches = {}, dict(before.wheels)
    for name, wheel in wheels.items():
        key, reached = before.wheels[name]
        if wheel.key == key:
            continue
        entry = LayerCache(cache / "layers").look(wheel.key)
        looked = _looked_into(name, entry, plan, reached) if entry is not None else None
        if looked is None:
            return None
        moved[name], reaches[name] = looked[0], (wheel.key, looked[1])
    try:
        answer = foretold(before.answer, moved)
        # What is wrong is told by the image itself.
        if answer is None or findings(concerning(answer, moved), **expected):
            return None
    except (KeyError, TypeError, AttributeError):  # what is remembered is damaged
        return None
    return Passed(answer=answer, wheels=reaches)


def _looked_into(name: str, entry: Entry, plan: Plan, reached: frozenset[str]) -> tuple[Moved, frozenset[str]] | None:
    """A moved wheel and its reach; ``None`` where it may change what others meet, or brings scripts of its own."""
    from imagekit.check.moved import Moved, may_touch_others, reach
    from imagekit.layers.metadata import read_metadata

    site, scripts = plan.prefix.site_path.lstrip("/"), f"/{plan.prefix.scripts_path.lstrip('/')}/"
    try:
        reaches, texts = reach(entry.paths(), site), read_metadata(entry, site)
        moved = Moved.of(name, texts["METADATA"], texts.get("entry_points.txt", ""))
    except (DamagedLayer, KeyError, ValueError):
        return None
    own = {path.removeprefix(scripts) for path in reaches if path.startswith(scripts)}
    alone = reaches <= reached and not may_touch_others({*reaches, *reached})
    return (moved, reaches) if alone and own <= set(moved.scripts) else None


def _reaches(plan: Plan, cache: Path) -> dict[str, tuple[str, frozenset[str]]]:
    from imagekit.check.moved import reach

    layers, site = LayerCache(cache / "layers"), plan.prefix.site_path.lstrip("/")
    found = {name: (wheel, layers.look(wheel.key)) for name, wheel in _wheels(plan).items()}
    with suppress(DamagedLayer):
        return {name: (wheel.key, reach(entry.paths(), site)) for name, (wheel, entry) in found.items() if entry}
    return {}


def _wheels(plan: Plan) -> dict[str, PlannedWheel]:
    return {wheel.name: wheel for layer in plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels}


# The modules of check/ that the answer comes from; lint, comparisons and the rest lie beside them.
CHECK_ITSELF = ("distribution_names", "health", "judgement", "moved", "probe_program", "values")


@functools.cache
def _check_itself() -> Digest:
    room = Path(__file__).parents[1] / "check"
    return digest_of(b"".join((room / f"{name}.py").read_bytes() for name in CHECK_ITSELF))


def _alike(planned: Planned, expected: Mapping[str, Any]) -> str:
    """What images have in common in which versions alone differ: all that the check looks at but the wheels."""
    plan = planned.plan
    others = [layer.key for layer in plan.layers if not isinstance(layer, SourceLayer | WheelsLayer)]
    # Whose requirements are judged.
    names = [sorted(expected["distributions"]), sorted(expected["base"])]
    return digest_of_json([*_seen_by_all(planned), others, names]).removeprefix("sha256:")


def _looked_at(spec: ImageSpec, planned: Planned, image_id: str, distributions: dict[str, str]) -> Digest:
    """What the check's answer depends on: what passed once passes again.

    An entrypoint is the source's, and commands may do anything: with these the whole image counts. Without, no
    line of the source is run; but its names count, since a module of the source can stand before an installed one.
    """
    wanted = sorted(distributions.items())
    if spec.entrypoints or planned.plan.commands:
        by = [__version__, _check_itself(), image_id]
        return digest_of_json([*by, sorted(spec.entrypoints), wanted, spec.workdir])
    keys = [layer.key for layer in planned.plan.layers if not isinstance(layer, SourceLayer)]
    return digest_of_json([*_seen_by_all(planned), keys, wanted])


def _seen_by_all(planned: Planned) -> list[Any]:
    plan = planned.plan
    files = [file.path for file in planned.tree.files] if planned.tree is not None else []
    by = [__version__, _check_itself()]  # another check may find more
    return [*by, plan.base.image_id, sorted(plan.env.items()), plan.user.name, plan.workdir, files]
