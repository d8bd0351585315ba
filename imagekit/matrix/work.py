"""What is done for one cell, in a process of its own: one interpreter makes layers on one core.

What goes in and out is plain values, so that it can cross from one process to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import BuildError, ImagekitError, ResolveError
from imagekit.progress import Reporter
from imagekit.spec.image import SharedWheels

if TYPE_CHECKING:
    from imagekit.oci.reference import Reference
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec

ENGINE = "engine"
# What the Dockerfiles of a bake file call the image that has uv, where none is named.
UV_TARGET = "imagekit-uv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell, as far as a process needs to know it."""

    label: str
    base: str  # a reference, or oci:DIRECTORY[:NAME]
    python: str
    requirements: tuple[str, ...]
    source_builds: tuple[str, ...] = ()
    beneath: tuple[SharedWheels, ...] = ()  # what other cells have as well
    conda: tuple[str, ...] = ()  # match specs, Python among them, beneath the requirements
    channels: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    is_planned: bool = False  # and not built next: what it lies on is not made for it
    references: tuple[str, ...] = ()  # the image's names
    push: bool = False
    platforms: tuple[str, ...] = ()
    output: str = ENGINE  # or registry, oci:DIRECTORY
    program: str = ""  # that must end well in the image
    context: str | None = None  # a directory, for ``write_context``
    uv_image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWheel:
    """One package of a cell: ``digest`` is the same in two cells where the files are; ``size`` is in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the resolver says of a cell. ``packages`` are ``name==version``; ``reason`` is why there are none."""

    label: str
    packages: tuple[str, ...] = ()
    wheels: tuple[FoundWheel, ...] = ()
    reason: str | None = None
    is_unsatisfiable: bool = False  # no set of versions fits, and no network or index is to blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What became of a cell: ``result`` is a build's as JSON; ``error`` has message, hint and details."""

    label: str
    result: dict[str, Any] | None = None
    digests: tuple[tuple[str, str], ...] = ()  # of what registries and layouts have, by reference
    error: tuple[str, str | None, str | None] | None = None


def resolve(settings: Settings, job: Job, reporter: Reporter) -> Found:
    """Look whether there is a set of versions; locks are kept, so that a build does not ask again."""
    from imagekit.errors import NoWheel, Unsatisfiable

    packages: dict[str, None] = {}
    wheels: dict[str, FoundWheel] = {}
    with _pipeline(settings, job, reporter) as pipeline:
        for platform in job.platforms:
            where = f"{platform}: " if len(job.platforms) > 1 else ""
            try:
                spec = _spec(pipeline, job, platform)
                lock = pipeline.foreseen_lock(spec) if job.is_planned else pipeline.lock(spec)
            except ResolveError as error:
                is_final = isinstance(error, (Unsatisfiable, NoWheel))
                return Found(label=job.label, reason=where + _reason(error), is_unsatisfiable=is_final)
            except ImagekitError as error:
                return Found(label=job.label, reason=where + error.message)
            packages.update({f"{p.name}=={p.version}": None for p in lock.packages})
            for each in lock.packages:
                of_others = wheels.get(each.name)
                digest = f"{of_others.digest if of_others else ''} {each.artifact.sha256}".strip()
                wheels[each.name] = FoundWheel(name=each.name, digest=digest, size=each.artifact.size or 0)
    return Found(label=job.label, packages=tuple(packages), wheels=tuple(wheels.values()))


def build(settings: Settings, job: Job, reporter: Reporter) -> Built:
    """Build the cell's image, give it its other names, and push all of them where that is asked for."""
    from imagekit.oci.reference import Reference

    names = [Reference.parse(each, target=True) for each in job.references]
    try:
        with _pipeline(settings, job, reporter) as pipeline:
            if job.output == ENGINE:
                return _in_engine(pipeline, job, names)
            return _elsewhere(pipeline, job, names)
    except ImagekitError as error:
        return Built(label=job.label, error=(error.message, error.hint, error.details))


def write_context(settings: Settings, job: Job, reporter: Reporter) -> Built:
    """Write the Dockerfile of the cell's image and what it is built with into ``job.context``."""
    from imagekit.stages.reference_context import write_context

    assert job.context is not None
    try:
        with _pipeline(settings, job, reporter) as pipeline:
            planned = pipeline.planned(_spec(pipeline, job, job.platforms[0]))
            if job.uv_image is None and planned.plan.base.python.libc != "glibc":
                raise BuildError(
                    f"this machine's uv does not run in {job.base}", hint="--uv-image names an image that has it"
                )
            uv_image = job.uv_image or UV_TARGET
            write_context(Path(job.context), planned.plan, planned.lock, planned.tree, uv_image=uv_image)
    except ImagekitError as error:
        return Built(label=job.label, error=(error.message, error.hint, error.details))
    return Built(label=job.label, result={"context": job.context})


def _in_engine(pipeline: Pipeline, job: Job, names: Sequence[Reference]) -> Built:
    from imagekit.export.replaced import let_go
    from imagekit.matrix.health import check_cell

    def accept(image_id: str) -> None:
        check_cell(pipeline.engine, image_id, job.program, pipeline.cache_directory, pipeline.reporter)

    result = pipeline.build(_spec(pipeline, job, job.platforms[0]), names[0], accept=accept)
    made = pipeline.engine.image(result.image_id)
    for name in map(str, names[1:]):
        previous = pipeline.engine.image(name)
        if previous is None or previous.id != result.image_id:
            pipeline.engine.tag(result.image_id, name)
            if previous is not None:
                let_go(pipeline.engine, previous.id, made.diff_ids if made is not None else ())
    pushed = [(name, str(pipeline.push(name).digest)) for name in (job.references if job.push else ())]
    return Built(label=job.label, result=result.to_json(), digests=tuple(pushed))


def _elsewhere(pipeline: Pipeline, job: Job, names: Sequence[Reference]) -> Built:
    import time

    from imagekit.building.outputs import parse_outputs
    from imagekit.explaining.results import WrittenResult

    began = time.monotonic()
    specs = [_spec(pipeline, job, platform) for platform in job.platforms]
    made, written = pipeline.write(specs, names[0], parse_outputs([job.output]), also=names[1:])
    result = WrittenResult(
        reference=str(names[0]),
        images=tuple(image.facts for image in made),
        written=tuple(each.to_json() for each in written),
        seconds=time.monotonic() - began,
    )
    digests = [(str(name), str(each.digest)) for name, each in zip(names, written, strict=True)]
    return Built(label=job.label, result=result.to_json(), digests=tuple(digests))


def _pipeline(settings: Settings, job: Job, reporter: Reporter) -> Pipeline:
    from imagekit.pipeline import Pipeline

    return Pipeline(settings, reporter, needs_engine=job.output == ENGINE and job.context is None)


def _spec(pipeline: Pipeline, job: Job, platform: str) -> ImageSpec:
    import tempfile

    more: dict[str, Any] = {"conda": job.conda, "conda_channels": job.channels} if job.conda else {}
    if job.source_builds:
        more["source_builds"] = job.source_builds
    with tempfile.TemporaryDirectory(prefix="imagekit-cell-") as nothing:
        spec = pipeline.spec(
            Path(nothing),
            base_image=job.base,
            python=job.python,
            packages=job.requirements,
            labels=dict(job.labels),
            include_source=False,
            platform=platform,
            **more,
        )
    return replace(spec, beneath=job.beneath)


def _reason(error: ResolveError) -> str:
    """One line that says what does not fit: the resolver's own last words, where it has some."""
    words = (error.details or "").strip().splitlines()
    because = [line.strip() for line in words if "because" in line.lower()]
    return because[0].removeprefix("cause: ") if because else error.message
