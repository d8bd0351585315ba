"""``imagekit verify``: is the image the same when it is made again, and the one that an installer would make?

Its layers are made twice, each time in a process of its own and under other circumstances, with nothing
taken from the layer cache; digests must be equal, and equal to what a build gives. Then BuildKit builds
the equivalent Dockerfile, in which uv installs the same lock, and both images are compared file by file.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit import errors
from imagekit.building.reference_build import Buildkit
from imagekit.check.comparison import Comparison, Difference, compare_images, setting_differences
from imagekit.engine.client import Engine
from imagekit.errors import BuildError, EngineNotFound, EnginePermission, ImagekitError, NotAnEngine
from imagekit.export.engine_load import loading_name
from imagekit.oci.digest import Digest, short
from imagekit.oci.reference import Reference
from imagekit.settings import Settings
from imagekit.spec.image import ImageSpec
from imagekit.verifying.rebuild import Remade, Request

if TYPE_CHECKING:
    from imagekit.explaining.results import BuildResult
    from imagekit.pipeline import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What must make no difference to an image."""

    umask: int
    variables: Mapping[str, str]  # of the process; HOME is a directory of its own besides
    mtime: int  # of the source's files, in seconds
    user: int | None = None  # who the process is, by its own sight and that of its files (user_namespaces(7))


CIRCUMSTANCES = (
    Circumstances(umask=0o022, variables={"TZ": "UTC", "PYTHONHASHSEED": "0", "LC_ALL": "C"}, mtime=86_400),
    Circumstances(
        umask=0o077,
        # Far from the first one in time, order and language; a zone that needs no data base of zones.
        variables={"TZ": "XXX-13:45", "PYTHONHASHSEED": "4711", "LC_ALL": "C.UTF-8", "PYTHONOPTIMIZE": "1"},
        mtime=4_000_000_000,
        user=4711,
    ),
)
# What else may reach a process and so a layer.
_TAKEN_AWAY = ("PYTHONHASHSEED", "PYTHONOPTIMIZE", "TZ", "LANG", "LANGUAGE", "LC_ALL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was looked at, and every difference that was found."""

    digest: Digest  # of the image's configuration, as it was made first
    layers: int
    differences: tuple[Difference, ...]
    comparison: Comparison | None  # with BuildKit's image
    not_done: tuple[str, ...]  # what could not be looked at, and why
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "digest": self.digest,
            "layers": self.layers,
            "differences": [difference.to_json() for difference in self.differences],
            "buildkit": None if self.comparison is None else self.comparison.to_json(),
            "not_done": list(self.not_done),
            "seconds": round(self.seconds, 3),
        }


def verify(pipeline: Pipeline, spec: ImageSpec, settings: Settings) -> Verification:
    """Make the image of ``spec`` again and again, and compare. Raises what a build raises."""
    began = time.monotonic()
    # What is compared is the image, and not whether it works: a build looks at that.
    not_done = ["the extra_dockerfile_commands: a command need not do the same twice"] * bool(
        spec.extra_dockerfile_commands
    )
    spec = replace(spec, health_check=False, extra_dockerfile_commands=())
    made = []
    for number, circumstances in enumerate(CIRCUMSTANCES, 1):
        with pipeline.reporter.task(f"making every layer anew ({number} of {len(CIRCUMSTANCES)})"):
            try:
                made.append(_elsewhere(spec, settings, circumstances))
            except ImagekitError as error:
                if circumstances.user is None:
                    raise
                # Not everywhere may a process be somebody else, or read there what it needs.
                made.append(_elsewhere(spec, settings, replace(circumstances, user=None)))
                not_done.append(f"making them as another user: {error.details or error.message}")
    differences = remade_differences(made[0], made[1])
    comparison, obstacle = None, _obstacle(pipeline, spec)
    if obstacle is None:
        prefix = pipeline.planned(spec).plan.prefix
        with _names(pipeline.engine) as (first, second):
            differences += cached_differences(made[0], pipeline.build(spec, first))
            pipeline.build_by_buildkit(spec, second, Buildkit())
            with pipeline.reporter.task("comparing file by file"):
                comparison = compare_images(pipeline.engine, str(first), str(second), prefix)
        differences += comparison.differences
    return Verification(
        digest=made[0].config,
        layers=len(made[0].layers),
        differences=tuple(differences),
        comparison=comparison,
        not_done=(*not_done, *([] if obstacle is None else [f"the comparison with BuildKit's image: {obstacle}"])),
        seconds=time.monotonic() - began,
    )


def _obstacle(pipeline: Pipeline, spec: ImageSpec) -> str | None:
    """Why BuildKit cannot build the image here, if it cannot."""
    try:
        architecture = pipeline.engine.info.platform.architecture
    except (EngineNotFound, EnginePermission, NotAnEngine) as error:
        return error.message
    if spec.platform.architecture != architecture:
        return f"the engine is of {architecture}, and the image of {spec.platform.architecture}"
    return None


def remade_differences(first: Remade, second: Remade) -> list[Difference]:
    """What two makings of one image have different: layers, their order, or the configuration alone."""
    found = [
        Difference(path=title, message=f"layer {short(ours)} made first, {short(theirs)} made again")
        for (title, ours), (other, theirs) in zip(first.layers, second.layers, strict=False)
        if (title, ours) != (other, theirs)
    ]
    if len(first.layers) != len(second.layers):
        found.append(Difference(path="layers", message=f"{len(first.layers)} first, then {len(second.layers)}"))
    found += setting_differences(first.settings, second.settings, ("made first", "made again"))
    if not found and first.config != second.config:
        message = f"{short(first.config)} made first, {short(second.config)} made again, of the same layers"
        found.append(Difference(path="configuration", message=message))
    return found


def cached_differences(made: Remade, built: BuildResult) -> list[Difference]:
    """What a build, which takes layers from the cache, has otherwise than one that makes them."""
    found = [
        Difference(path=title, message=f"layer {short(fresh)} made anew, {short(layer.digest)} in the build")
        for (title, fresh), layer in zip(made.layers, built.layers, strict=False)
        if fresh != layer.digest
    ]
    if not found and made.config != built.digest:
        message = f"{short(made.config)} made anew, {short(built.digest)} in the build"
        found.append(Difference(path="configuration", message=message))
    return found


@contextmanager
def _names(engine: Engine) -> Iterator[tuple[Reference, Reference]]:
    """Two names for the images, which are gone with them at the end."""
    token = loading_name()
    names = [Reference.parse(f"{token}-{which}") for which in ("assembled", "buildkit")]
    try:
        yield names[0], names[1]
    finally:
        for name in names:
            engine.remove_image(str(name))


def _elsewhere(spec: ImageSpec, settings: Settings, circumstances: Circumstances) -> Remade:
    """The image's digests, made in a process under ``circumstances``."""
    with tempfile.TemporaryDirectory(prefix="imagekit-verify-") as temporary:
        directory, home = Path(temporary, "made"), Path(temporary, "home")
        for path in (directory, home):
            path.mkdir(mode=0o700)
        request = Request(spec=spec, settings=settings, directory=directory, mtime=circumstances.mtime)
        environment = {k: v for k, v in settings.variables.items() if k not in _TAKEN_AWAY}
        # The package as this process has it, wherever that is.
        beside = [str(Path(__file__).parents[2]), environment.get("PYTHONPATH", "")]
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, beside)), **circumstances.variables}
        if not settings.engine_address.startswith("ssh://"):
            environment |= {"HOME": str(home), "TMPDIR": str(home)}
        command = [sys.executable, "-m", "imagekit.verifying.rebuild"]
        if circumstances.user is not None:
            who = f"{circumstances.user}"
            command = ["unshare", "--user", f"--map-user={who}", f"--map-group={who}", "--", *command]
            if shutil.which(command[0]) is None:
                raise BuildError(
                    "unshare, by which verify builds as another user, is not installed",
                    hint="apt-get install util-linux",
                )
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=directory,
            umask=circumstances.umask,
        )
        try:
            out, words = process.communicate(pickle.dumps(request))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return _read(out, words.decode("utf-8", "replace"))


def _read(out: bytes, words: str) -> Remade:
    try:
        answer = json.loads(out)
    except ValueError:
        raise BuildError(
            "the layers could not be made again",
            hint="what stands above is what stopped it; imagekit doctor tells more",
            details=words or None,
        ) from None
    if error := answer.get("error"):
        kind = getattr(errors, error["error"], ImagekitError)
        raise kind(error["message"], hint=error["hint"], details=error["details"])
    layers = tuple((title, Digest(digest)) for title, digest in answer["layers"])
    return Remade(config=Digest(answer["config"]), settings=answer["settings"], layers=layers)
