"""What is done for one cell, in a process of its own: one interpreter makes layers on one core.

What goes in and out is plain values, so that it can cross from one process to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import ImagekitError, ResolveError

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell, as far as a process needs to know it."""

    label: str
    base: str  # a reference
    requirements: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()
    references: tuple[str, ...] = ()  # the image's names
    push: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the resolver says of a cell. ``packages`` are ``name==version``; ``reason`` is why there are none."""

    label: str
    packages: tuple[str, ...] = ()
    reason: str | None = None
    is_unsatisfiable: bool = False  # no set of versions fits, and no network or index is to blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a cell: ``result`` is a ``BuildResult`` as JSON; ``error`` has message, hint and details."""

    label: str
    result: dict[str, Any] | None = None
    digests: tuple[tuple[str, str], ...] = ()  # of what was pushed, by reference
    error: tuple[str, str | None, str | None] | None = None


def resolve(settings: Settings, job: Job) -> Found:
    """Look whether there is a set of versions; locks are kept, so that a build does not ask again."""
    from imagekit.errors import NoWheel, Unsatisfiable

    try:
        with _pipeline(settings) as pipeline:
            lock = pipeline.lock(_spec(pipeline, job))
    except ResolveError as error:
        return Found(
            label=job.label,
            reason=_reason(error),
            is_unsatisfiable=isinstance(error, (Unsatisfiable, NoWheel)),
        )
    except ImagekitError as error:
        return Found(label=job.label, reason=error.message)
    return Found(label=job.label, packages=tuple(f"{p.name}=={p.version}" for p in lock.packages))


def build(settings: Settings, job: Job) -> Built:
    """Build the cell's image, give it its other names, and push all of them where that is asked for."""
    from imagekit.oci.reference import Reference

    try:
        with _pipeline(settings) as pipeline:
            first, *others = job.references
            result = pipeline.build(_spec(pipeline, job), Reference.parse(first, target=True))
            for other in others:
                if (found := pipeline.engine.image(other)) is None or found.id != result.image_id:
                    pipeline.engine.tag(result.image_id, other)
            pushed = [(each, str(pipeline.push(each).digest)) for each in (job.references if job.push else ())]
    except ImagekitError as error:
        return Built(label=job.label, error=(error.message, error.hint, error.details))
    return Built(label=job.label, result=result.to_json(), digests=tuple(pushed))


def _pipeline(settings: Settings) -> Pipeline:
    from imagekit.pipeline import Pipeline

    return Pipeline(settings)


def _spec(pipeline: Pipeline, job: Job) -> ImageSpec:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="imagekit-cell-") as nothing:
        return pipeline.spec(
            Path(nothing),
            base_image=job.base,
            packages=job.requirements,
            labels=dict(job.labels),
            include_source=False,
        )


def _reason(error: ResolveError) -> str:
    """One line that says what does not fit: the resolver's own last words, where it has some."""
    words = (error.details or "").strip().splitlines()
    because = [line.strip() for line in words if "because" in line.lower()]
    return because[0].removeprefix("cause: ") if because else error.message
