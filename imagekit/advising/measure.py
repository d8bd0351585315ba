"""What starts and builds cost on this engine: a few containers of each kind, in turn, and everything removed again.

No line of the project runs but what a build's own check imports: the containers that are timed say ``pass``.
"""

from __future__ import annotations

import io
import secrets
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import ImagekitError, InputError

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.lock.values import Artifact
    from imagekit.pipeline import Pipeline
    from imagekit.settings import Settings
    from imagekit.spec.base import BaseImage
    from imagekit.spec.image import ImageSpec

ROUNDS = 5
_INSTALLS = 3  # at most: each takes as long as all the rest
# A container is sent each wheel whole.
_LARGEST, _ALL = 256_000_000, 1_000_000_000
_PLACE = "imagekit-advise"  # a directory of its own, in the root of a container


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Medians in seconds; ``None`` for what was not asked for, or cannot be measured here (``notes`` say why)."""

    rounds: int
    default: float  # a start of the default image
    baked: float  # a start of the project's image
    extras: float | None = None  # a start with extra packages that were added before, with finding their image
    install: float | None = None  # installing all wheels in a container of the default image, by ``installer``
    installer: str = ""  # the image's own pip, else this machine's uv
    fetch: float | None = None  # what a start asks of the project's repository, on this disk
    build: float = 0.0  # of the project's image, every layer made anew; wheels that are here were not fetched
    notes: tuple[str, ...] = ()


def refuse_other_platform(pipeline: Pipeline, spec: ImageSpec) -> None:
    """``InputError`` where containers of ``spec`` do not run on the engine's own processor."""
    here = pipeline.engine.info.platform
    if spec.platform.architecture != here.architecture:
        raise InputError(
            f"{spec.platform} cannot be measured on an engine of {here}", hint="leave --measure out, or --platform"
        )


def measure(
    pipeline: Pipeline, spec: ImageSpec, *, extras: str | None, elsewhere: bool, fetches: bool, rounds: int = ROUNDS
) -> Measured:
    """Build the image of ``spec`` under a name of its own and time starts of it and of its base, ``rounds`` of each.

    ``extras`` is the text of ``EXTRA_PIP_PACKAGES`` that would do the same; ``None``: there is none. ``elsewhere``:
    nothing is kept from one start to the next. Raises what a build raises.
    """
    token = secrets.token_hex(8)
    reference = f"imagekit/advise:{token}"
    # Another label makes another image, so that what is removed is nobody's.
    marked = replace(spec, labels=(*spec.labels, ("imagekit.advise", token)))
    base = pipeline.base_image(spec)
    engine, notes = pipeline.engine, list[str]()
    derived: list[str] = []
    try:
        seconds, baked = _timed(lambda: _build(pipeline, marked, reference))
        sides: dict[str, Callable[[], object]] = {
            "default": lambda: _start(engine, base, base.image_id),
            "baked": lambda: _start(engine, base, baked),
        }
        if extras is not None:
            try:
                find = _deriving(pipeline, spec, base, extras)
                derived += find(first=True)
                sides["extras"] = lambda: _start(engine, base, find(first=False)[0])
            except ImagekitError as error:
                notes.append(f"extra packages could not be added: {error.message}")
        artifacts = (
            [package.artifact for package in pipeline.resolved(marked).lock.packages] if elsewhere and extras else []
        )
        installer = _installer(pipeline, spec, base, artifacts, notes) if artifacts else None
        with tempfile.TemporaryDirectory(prefix="imagekit-advise-") as kept:
            if fetches:
                sides["fetch"] = _fetching(spec.context, pipeline.settings, Path(kept), elsewhere=elsewhere)
            found = _in_turn(sides, rounds)
        installed = [installer.seconds() for _ in range(min(rounds, _INSTALLS))] if installer is not None else []
    finally:
        for name in [reference, *derived[1:]]:
            with suppress(ImagekitError):
                engine.remove_image(name, force=True)
    known = [each for each in installed if each is not None]
    if len(known) < len(installed):
        notes.append(f"nothing could be installed in a container of {base.reference}")
    return Measured(
        rounds=rounds,
        default=found["default"],
        baked=found["baked"],
        extras=found.get("extras"),
        install=statistics.median(known) if known else None,
        installer=installer.name if installer is not None else "",
        fetch=found.get("fetch"),
        build=seconds,
        notes=tuple(notes),
    )


def _in_turn(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each side; each round has all of them, after one that does not count."""
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            seconds, _ = _timed(side)
            if number:
                samples[name].append(seconds)
    return {name: statistics.median(found) for name, found in samples.items()}


def _timed(do: Callable[[], object]) -> tuple[float, str]:
    began = time.perf_counter()
    value = do()
    return time.perf_counter() - began, str(value)


def _build(pipeline: Pipeline, spec: ImageSpec, reference: str) -> str:
    from imagekit.oci.reference import Reference

    return str(pipeline.build(spec, Reference.parse(reference), no_cache=True).image_id)


def _start(engine: Engine, base: BaseImage, image_id: str) -> None:
    spec = ContainerSpec(
        image=image_id,
        command=[base.python.executable, "-c", "pass"],
        kind="measure",
        called=base.reference,
        entrypoint=(),
        network="none",
    )
    with Container.create(engine, spec) as container:
        container.start()
        container.wait()


def _deriving(pipeline: Pipeline, spec: ImageSpec, base: BaseImage, text: str) -> Callable[..., list[str]]:
    """Finds the image with the packages: its ID and, the first time, its name where it was not there before."""
    from imagekit.extras.derive import check_extras, derive

    wanted = check_extras(pipeline.settings, text, like=spec)

    def find(*, first: bool) -> list[str]:
        image = pipeline.engine.image(base.image_id)
        assert image is not None
        found = derive(pipeline.engine, lambda: pipeline, base.reference, image, wanted)
        return [found.image_id, *([found.reference] if first and not found.up_to_date else [])]

    return find


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installer:
    """Installs ``paths`` in containers of ``base``, as a start with ``EXTRA_PIP_PACKAGES`` does elsewhere."""

    engine: Engine
    base: BaseImage
    paths: Sequence[Path]

    @property
    def name(self) -> str:
        return "pip" if any(found.name == "pip" for found in self.base.python.distributions) else "uv"

    def seconds(self) -> float | None:
        """From the container's start to its end; ``None`` where nothing could be installed."""
        python, target = self.base.python.executable, f"/{_PLACE}/packages"
        quiet = ["install", "--quiet", "--no-index", "--no-deps", "--target", target]
        if self.name == "pip":
            command, sent = [python, "-m", "pip", "--disable-pip-version-check", *quiet, "--no-cache-dir"], []
        else:
            from imagekit.lock.uv import find_uv

            command, sent = (
                [f"/{_PLACE}/uv", "pip", *quiet, "--no-cache", "--no-config", "--python", python],
                [find_uv()],
            )
        spec = ContainerSpec(
            image=self.base.image_id,
            command=[*command, "--", *(f"/{_PLACE}/{path.name}" for path in self.paths)],
            kind="measure",
            called=self.base.reference,
            entrypoint=(),
            user="0",
            network="none",
        )
        with Container.create(self.engine, spec) as container:
            for path in (*sent, *self.paths):
                container.put("/", _archive(path))
            began = time.perf_counter()
            container.start()
            code = container.wait()
            return time.perf_counter() - began if code == 0 else None


def _installer(
    pipeline: Pipeline, spec: ImageSpec, base: BaseImage, artifacts: Sequence[Artifact], notes: list[str]
) -> _Installer | None:
    store = pipeline.wheels(spec)
    paths = [store.get(artifact) for artifact in artifacts]
    sizes = [path.stat().st_size for path in paths]
    if not sizes or max(sizes) > _LARGEST or sum(sizes) > _ALL:
        notes.append("the wheels are too large to be installed for a measurement")
        return None
    return _Installer(engine=pipeline.engine, base=base, paths=paths)


def _archive(path: Path) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.add(path, arcname=f"{_PLACE}/{path.name}")
    return written.getvalue()


def _fetching(project: Path, settings: Settings, kept: Path, *, elsewhere: bool) -> Callable[[], object]:
    """What a start asks of a repository: which commit its default branch is now and, where none is kept, its files."""
    from imagekit.checkouts.find import find_source
    from imagekit.checkouts.values import GitSource
    from imagekit.git.remote import Git
    from imagekit.git.working_tree import ask_git

    top = (ask_git(project, "rev-parse", "--show-toplevel") or b"").decode().strip()
    url = Path(top or project).resolve().as_uri()
    git, access = Git(environment=settings.variables), replace(settings.source_access(), cache=kept)

    def fetch() -> None:
        with tempfile.TemporaryDirectory(dir=kept) as directory:
            git.checkout(url, git.commit(url, None), Path(directory, "source"))

    return fetch if elsewhere else lambda: find_source(GitSource(url=url), access)
