"""A user's own Dockerfile, built by BuildKit and named as images of imagekit's are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.naming import asked_reference, dockerfile_tag
from imagekit.errors import InvalidProject
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter
from imagekit.settings import Settings

if TYPE_CHECKING:
    from imagekit.engine.client import Engine


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
    secrets: tuple[str, ...] | list[str] = (),
    target: str | None = None,
    platform: str | None = None,
    labels: Mapping[str, str] | None = None,
    no_cache: bool = False,
    **more: Any,
) -> BuildResult:
    """Build the Dockerfile; ``more`` are further fields of ``stages.dockerfile.DockerfileBuild``."""
    from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile

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
        platform=platform,
        labels=labels,
    )
    build_dockerfile(
        DockerfileBuild(
            context=context,
            dockerfile=file,
            reference=str(reference),
            build_args=build_args or {},
            secrets=tuple(secrets),
            target=target,
            platform=platform,
            labels=labels or {},
            no_cache=no_cache,
            **more,
        ),
        settings.engine_address,
        reporter,
    )
    report = image_report(connect(), str(reference))
    return BuildResult(
        reference=str(reference),
        image_id=report.image_id,
        digest=Digest(report.image_id),
        layers=report.layers,
        seconds=time.monotonic() - began,
        base=str(file.name),
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
    platform: str | None = None,
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
    decisive = {"args": values, "target": target, "platform": platform, "labels": dict(labels or {})}
    return asked.with_tag(dockerfile_tag(context, file, decisive))


def _dockerfile(path: Path, dockerfile: Path) -> tuple[Path, Path]:
    """The context and the Dockerfile, absolute; the latter relative to the context, or to where we are."""
    context = path.resolve()
    for file in (context / dockerfile, dockerfile.absolute()):
        if file.is_file():
            return context, file
    raise InvalidProject(f"{dockerfile} is not there", hint=f"looked for {context / dockerfile}")
