"""``imagekit recipe check``: an image with the recipe, and with all that its check asks for, in which that runs."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import CheckFailed, ImagekitError
from imagekit.oci.reference import Reference
from imagekit.spec.toml import toml_value

if TYPE_CHECKING:
    from imagekit.pipeline import Pipeline
    from imagekit.recipes.declared import Recipe
    from imagekit.recipes.fitted_check import FittedCheck
    from imagekit.spec.base import BaseImage
    from imagekit.stages.beneath import Beneath

# What a check's program may take.
PATIENCE = 600.0
_TAIL = 1 << 14  # bytes of what it printed


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeCheck:
    """A recipe that was built and tried."""

    name: str
    base: str
    distribution: str
    program: bool  # whether there was one, and it worked
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "base": self.base,
            "distribution": self.distribution,
            "program": self.program,
            "seconds": round(self.seconds, 3),
        }


def check_recipe(
    pipeline: Pipeline,
    recipe: Recipe,
    *,
    project: Path | None = None,
    base_image: str | None = None,
    python: str | None = None,
) -> RecipeCheck:
    """Build an image with ``recipe`` on the base, run the check's program in it, and take the image away again.

    What it requires is looked for among the recipes of ``project``, too. Raises what a build raises, and
    ``CheckFailed`` with the program's last words.
    """
    from imagekit.export.engine_load import loading_name
    from imagekit.recipes.distribution import Distribution
    from imagekit.recipes.fitted_check import fitted_check

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="imagekit-recipe-") as temporary:
        context = _context(Path(temporary), project)
        plain = pipeline.spec(context, base_image=base_image, python=python, include_source=False)
        base = pipeline.base_image(replace(plain, recipes=()))
        distribution = Distribution.of(base.release, base.config.platform)
        check = fitted_check(recipe, distribution)
        recipes = [str(recipe.source.path.resolve())]
        if check is not None and check.packages:
            recipes.append(_further(recipe, check, Path(temporary)))
        spec = pipeline.spec(
            context,
            base_image=base_image,
            python=python,
            include_source=False,
            health_check=False,
            packages=check.requirements if check is not None else (),
            source_builds=["*"],
            recipes=recipes,
        )
        if check is not None and check.from_source:
            spec = replace(spec, no_binary=check.from_source)
        # What a killed check leaves under it is swept by the next build or check.
        reference = Reference.parse(loading_name())
        try:
            result = pipeline.build(spec, reference)
            if check is not None:
                _run(pipeline, recipe.name, check.program, result.image_id)
        finally:
            with contextlib.suppress(ImagekitError):
                pipeline.engine.remove_image(str(reference))
    return RecipeCheck(
        name=recipe.name,
        base=base.reference,
        distribution=str(distribution),
        program=check is not None,
        seconds=time.monotonic() - began,
    )


def recipe_stage(
    pipeline: Pipeline,
    recipe: Recipe,
    *,
    project: Path | None = None,
    base_image: str | None = None,
    python: str | None = None,
) -> tuple[BaseImage, Beneath]:
    """The base, and what ``recipe`` and all that it requires become on it; nothing of them is run."""
    with tempfile.TemporaryDirectory(prefix="imagekit-recipe-") as temporary:
        context, path = _context(Path(temporary), project), str(recipe.source.path.resolve())
        spec = pipeline.spec(context, base_image=base_image, python=python, include_source=False, recipes=[path])
        base = pipeline.base_image(replace(spec, recipes=()))
        return base, pipeline.bases.steps(spec, base)


def _context(directory: Path, project: Path | None) -> Path:
    """An empty project in ``directory``, with the recipes of ``project``."""
    from imagekit.recipes.find import DIRECTORY

    context = directory / "project"
    context.mkdir()
    if project is not None and (project / DIRECTORY).is_dir():
        (context / DIRECTORY).symlink_to((project / DIRECTORY).resolve())
    return context


def _further(recipe: Recipe, check: FittedCheck, directory: Path) -> str:
    """A recipe, above the one that is looked at, of what the check alone needs."""
    path = directory / f"{recipe.name}-check.toml"
    lines = [f"summary = {toml_value(f'what the check of {recipe.name} needs')}", "[apt]"]
    path.write_text("\n".join([*lines, f"packages = {toml_value(check.packages)}"]) + "\n", "utf-8")
    return str(path)


def _run(pipeline: Pipeline, name: str, program: str, image_id: str) -> None:
    from imagekit.engine.containers import Container, ContainerSpec
    from imagekit.runs.start import SAFE_DEFAULTS

    spec = ContainerSpec(
        image=image_id,
        called=f"the image of {name}",
        command=["python3", "-c", program],
        entrypoint=(),
        kind="check",
        # There is the loopback interface, and no other.
        network="none",
        host_config=SAFE_DEFAULTS,
    )
    with Container.create(pipeline.engine, spec) as container, _ended_in_time(container) as late:
        words = b""
        with contextlib.closing(container.attach()) as streams:
            container.start()
            for _, data in streams.frames():
                words = (words + data)[-_TAIL:]
        code = container.wait()
    if code != 0 or late.is_set():
        how = f"took longer than {PATIENCE:.0f} s" if late.is_set() else f"ended with exit code {code}"
        raise CheckFailed(
            f"the check of the recipe {name} {how}",
            hint="the details are its last words",
            details=words.decode("utf-8", "replace").strip() or None,
        )


@contextlib.contextmanager
def _ended_in_time(container: Any) -> Iterator[threading.Event]:
    """The event is set where the container was stopped for being late."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        with contextlib.suppress(ImagekitError):
            container.stop(0)

    timer = threading.Timer(PATIENCE, stop)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
