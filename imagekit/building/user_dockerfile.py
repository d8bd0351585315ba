"""A user's own Dockerfile, built by BuildKit and named as images of imagekit's are."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.naming import asked_reference, dockerfile_tag
from imagekit.building.outputs import REGISTRY
from imagekit.errors import InvalidProject
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult, WrittenResult
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings

if TYPE_CHECKING:
    from imagekit.engine.client import Engine
    from imagekit.stages.dockerfile import DockerfileBuild


def build_user_dockerfile(
    connect: Callable[[], Engine],
    settings: Settings,
    reporter: Reporter,
    path: Path,
    *,
    dockerfile: Path,
    name: str | None = None,
    tag: str | None = None,
    build_args: Mapping[str, str | None] | None = None,
    handed: Handed = NOTHING,
    target: str | None = None,
    platforms: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    cache_from: Sequence[str] = (),
    cache_to: Sequence[str] = (),
    no_cache: bool = False,
    push: bool = False,
    **more: Any,
) -> BuildResult | WrittenResult:
    """Build the Dockerfile; ``more`` are further fields of ``stages.dockerfile.DockerfileBuild``.

    The image goes into the engine; of several platforms, which none takes, with ``push`` into its registry.
    """
    from imagekit.building.checked_build import build_and_check
    from imagekit.building.leak_gate import refuse_in_dockerfile
    from imagekit.stages.cache_options import cache_sources, cache_targets
    from imagekit.stages.dockerfile import DockerfileBuild

    began = time.monotonic()
    context, file = _dockerfile(path, dockerfile)
    reference = dockerfile_reference(
        settings,
        path,
        dockerfile=dockerfile,
        name=name,
        tag=tag,
        build_args=build_args,
        target=target,
        platforms=platforms,
        labels=labels,
    )
    handed, plain_args = refuse_in_dockerfile(file, build_args or {}, labels or {}, handed, reporter)
    build = DockerfileBuild(
        context=context,
        dockerfile=file,
        reference=str(reference),
        build_args=plain_args,
        handed=handed,
        target=target,
        platforms=tuple(platforms),
        labels=labels or {},
        cache_from=cache_sources(cache_from, settings.variables),
        cache_to=cache_targets(cache_to, settings.variables),
        no_cache=no_cache,
        **more,
    )
    if push and len(platforms) > 1:
        return _into_registry(build, settings, reporter, began)
    build_and_check(connect, build, settings, reporter)
    report = image_report(connect(), str(reference))
    return BuildResult(
        reference=str(reference),
        image_id=report.image_id,
        digest=Digest(report.image_id),
        # An argument that was allowed is in the history, and need not be in a log as well.
        layers=tuple(replace(layer, title=handed.needles.concealed(layer.title)) for layer in report.layers),
        seconds=time.monotonic() - began,
        base=str(file.name),
    )


def _into_registry(build: DockerfileBuild, settings: Settings, reporter: Reporter, began: float) -> WrittenResult:
    """Build, and have BuildKit push what it built."""
    from imagekit.stages.dockerfile import build_dockerfile

    with tempfile.TemporaryDirectory(prefix="imagekit-built-") as temporary:
        metadata = Path(temporary, "metadata.json")
        build_dockerfile(replace(build, push=True, metadata=metadata), settings.engine_address, reporter)
        digest = json.loads(metadata.read_text("utf-8"))["containerimage.digest"]
    return WrittenResult(
        reference=build.reference,
        images=(),
        written=({"output": REGISTRY, "digest": digest},),
        seconds=time.monotonic() - began,
    )


def dockerfile_reference(
    settings: Settings,
    path: Path,
    *,
    dockerfile: Path,
    name: str | None = None,
    tag: str | None = None,
    build_args: Mapping[str, str | None] | None = None,
    target: str | None = None,
    platforms: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    **_: Any,
) -> Reference:
    """The name of a Dockerfile's image; without a tag asked for, with one that says what goes in."""
    context, file = _dockerfile(path, dockerfile)
    asked = asked_reference(name, tag, context.name, settings.default_namespace)
    if asked.tag:
        return asked
    # An argument without a value has the environment's.
    values = {k: settings.variables.get(k) if v is None else v for k, v in (build_args or {}).items()}
    decisive = {"args": values, "target": target, "platforms": list(platforms), "labels": dict(labels or {})}
    return asked.with_tag(dockerfile_tag(context, file, decisive))


def _dockerfile(path: Path, dockerfile: Path) -> tuple[Path, Path]:
    """The context and the Dockerfile, absolute; the latter relative to the context, or to where we are."""
    context = path.resolve()
    for file in (context / dockerfile, dockerfile.absolute()):
        if file.is_file():
            return context, file
    raise InvalidProject(f"{dockerfile} is not there", hint=f"looked for {context / dockerfile}")
