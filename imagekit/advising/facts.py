"""What is known of a project: of its plan and lock, its git history and the record of its runs. Nothing is built."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from imagekit.advising import history
from imagekit.advising.values import ASSUMED_STARTS, Facts, Starts
from imagekit.git.working_tree import ask_git
from imagekit.plan.values import ProjectLayer, WheelsLayer
from imagekit.spec.environment_yml import NAMES as ENVIRONMENTS
from imagekit.spec.wanted import FOREIGN_LOCKS

if TYPE_CHECKING:
    from imagekit.building.inputs import Inputs
    from imagekit.lock.values import Lock
    from imagekit.pipeline import Pipeline
    from imagekit.plan.strategy import Strategy as PlanStrategy
    from imagekit.spec.image import ImageSpec
    from imagekit.store.store import Store
    from imagekit.store.values import StoredRun

_MOST_RUNS = 10_000  # the last of them tell how often it is now
_LEAST_RUNS = 3  # fewer have no median worth the name
_DECLARING = {"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", *ENVIRONMENTS, *FOREIGN_LOCKS}
_NAMED = re.compile(r"pylock(\.[^.]+)?\.toml|[\w.-]*requirements[\w.-]*\.(txt|in)")


def facts_of(pipeline: Pipeline, spec: ImageSpec, starts: Starts, *, elsewhere: bool) -> Facts:
    """The facts of ``spec``, which is resolved where it has no lock. Raises what a plan raises."""
    inputs = pipeline.inputs(spec)
    lock, planned = pipeline.lock(spec), pipeline.strategy(spec)
    plan = planned.plan
    wheels = [wheel for layer in plan.layers if isinstance(layer, WheelsLayer) for wheel in layer.wheels]
    of_wheels = [note.cost for note in planned.notes if isinstance(note.layer, WheelsLayer)]
    return Facts(
        base=plan.base.reference,
        packages=len(wheels),
        download=sum(wheel.size for wheel in wheels),
        layers=sum(note.cost.size for note in planned.notes),
        is_layers_known=all(cost.is_cached for cost in of_wheels),
        source_builds=_source_builds(spec, lock),
        replaced=tuple(replaced.name for replaced in plan.replaced),
        only_in_images=tuple(_only_in_images(spec, planned, elsewhere=elsewhere)),
        extras=_extras(spec, lock),
        lock=spec.lock_file.name if spec.lock_file is not None else None,
        history=_history(spec, inputs),
        starts=starts,
        elsewhere=elsewhere,
    )


def starts_of(store: Store, chosen: Callable[[StoredRun], bool], per_day: float | None) -> Starts:
    """How often it is started: ``per_day`` where that is given, else as the record of runs has those ``chosen``."""
    now = datetime.now(timezone.utc)
    since = now - timedelta(days=history.PERIOD)
    recent = store.runs(since=since.isoformat(timespec="milliseconds"), limit=_MOST_RUNS)
    runs = [run for run in recent if chosen(run)]
    waits = [_wait(run) for run in runs]
    known = [wait for wait in waits if wait is not None]
    seconds = statistics.median(known) if len(known) >= _LEAST_RUNS else None
    if per_day is not None:
        return Starts(per_day=per_day, origin="given", count=len(runs), seconds=seconds)
    if not runs:
        return Starts(per_day=ASSUMED_STARTS, origin="assumed")
    first = min(datetime.fromisoformat(run.record.created) for run in runs)
    days = max((now - first).total_seconds() / 86400, 1.0)
    return Starts(per_day=len(runs) / days, origin="recorded", count=len(runs), seconds=seconds)


def _wait(run: StoredRun) -> float | None:
    if run.started is None:
        return None
    return (datetime.fromisoformat(run.started) - datetime.fromisoformat(run.record.created)).total_seconds()


def _extras(spec: ImageSpec, lock: Lock) -> str:
    """What is asked for, as it is written; of a lock alone the pins of what it asks for itself."""
    texts = [line.text for line in spec.requirements]
    direct = [package for package in lock.packages if package.direct] or lock.packages
    return " ".join(texts or (f"{package.name}=={package.version}" for package in direct))


def _source_builds(spec: ImageSpec, lock: Lock) -> tuple[str, ...]:
    names = [package.name for package in lock.packages if not package.artifact.is_wheel]
    if spec.project is not None and spec.builds_project:
        names.append(spec.project.name)
    return tuple(sorted(names))


def _only_in_images(spec: ImageSpec, planned: PlanStrategy, *, elsewhere: bool) -> Sequence[str]:
    found = []
    if spec.extra_dockerfile_commands:
        found.append("extra_dockerfile_commands are run when an image is built")
    if spec.files:
        found.append(f"files are put into the image: {spec.files[0].target}")
    if local := next((line.text for line in spec.requirements if line.local is not None), None):
        found.append(f"{local.partition(' ')[0]} comes from this machine, and from no index")
    flat = spec.project is None or spec.project.import_root in (None, ".")
    # Where we start it, a source that is mounted brings its import paths along (checkouts.import_paths).
    if elsewhere and not flat and any(isinstance(layer, ProjectLayer) for layer in planned.plan.layers):
        assert spec.project is not None
        found.append(f"the project is installed, so that what is in {spec.project.import_root}/ is importable")
    return found


def _lock_in_git(spec: ImageSpec) -> str | None:
    """The project's own lock file, relative to it, where git knows its history."""
    if spec.lock_file is None or not spec.lock_file.resolve().is_relative_to(spec.context.resolve()):
        return None
    path = spec.lock_file.resolve().relative_to(spec.context.resolve()).as_posix()
    return path if ask_git(spec.context, "ls-files", "-z", "--", f":(literal){path}") else None


def _history(spec: ImageSpec, inputs: Inputs) -> history.History:
    paths = {file.path for file in inputs.tree.files} if inputs.tree is not None else set()
    lock = _lock_in_git(spec)
    declared = {line.origin.rpartition(":")[0] for line in spec.requirements}

    def names_dependencies(path: str) -> bool:
        # With a lock it decides, whatever else is edited in the files that declare.
        if lock is not None:
            return path == lock
        name = PurePosixPath(path).name
        return path in declared or name in _DECLARING or _NAMED.fullmatch(name) is not None

    return history.read(spec.context, names_dependencies=names_dependencies, is_source=paths.__contains__)
