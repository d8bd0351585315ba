"""A user's own Dockerfile, built by BuildKit and named as images of imagekit's are."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.building.naming import asked_reference, dockerfile_tag
from imagekit.errors import InvalidProject
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult, WrittenResult
from imagekit.oci.digest import Digest
from imagekit.oci.reference import Reference
from imagekit.progress import Reporter, Task
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings
from imagekit.spec.large_source import LARGE_BYTES, large_source
from imagekit.spec.source_tree import scan

_TRANSFERRED = re.compile(r"transferring context: ([0-9.]+)([kMGT]?B)")
# Further fields of ``DockerfileBuild`` that steps see.
_OF_STEPS = ("extra_hosts", "network", "shm_size", "allow")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

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
    contexts = more.get("build_contexts") or {}
    handed, plain_args = refuse_in_dockerfile(file, build_args or {}, labels or {}, contexts, handed, reporter)
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
        from imagekit.building.several_platforms import build_and_push

        return build_and_push(connect, build, settings, reporter, began)
    watching = _ContextWatch(reporter)
    build_and_check(connect, build, settings, watching)
    if watching.sent > LARGE_BYTES:
        own = file.with_name(f"{file.name}.dockerignore")
        tree = scan(context, own if own.is_file() else None, by_default=False)
        if (large := large_source(tree, "the context")) is not None:
            reporter.line(large)
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


class _ContextWatch:
    """A reporter that notes, by BuildKit's own lines, how much of the context was sent."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.sent = 0  # bytes

    def task(self, title: str, total: int | None = None, unit: str = "") -> AbstractContextManager[Task]:
        return self._reporter.task(title, total, unit)

    def line(self, text: str) -> None:
        if found := _TRANSFERRED.search(text):
            self.sent = max(self.sent, int(float(found[1]) * _UNITS[found[2]]))
        self._reporter.line(text)

    def waiting(self, titles: Sequence[str]) -> None:
        self._reporter.waiting(titles)


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
    build_contexts: Mapping[str, str] | None = None,
    **more: Any,
) -> Reference:
    """The name of a Dockerfile's image; without a tag asked for, with one that says what goes in."""
    context, file = _dockerfile(path, dockerfile)
    asked = asked_reference(name, tag, context.name, settings.default_namespace)
    if asked.tag:
        return asked
    # An argument without a value has the environment's.
    values = {k: settings.variables.get(k) if v is None else v for k, v in (build_args or {}).items()}
    decisive: dict[str, Any] = {
        "args": values,
        "target": target,
        "platforms": list(platforms),
        "labels": dict(labels or {}),
    }
    decisive |= {name: more[name] for name in _OF_STEPS if more.get(name)}
    if build_contexts:
        decisive["contexts"] = {name: _content_of(place) for name, place in build_contexts.items()}
    return asked.with_tag(dockerfile_tag(context, file, decisive))


def _content_of(place: str) -> str:
    """What a further context is: a directory's content, or what names it elsewhere."""
    return str(scan(Path(place), by_default=False).digest()) if Path(place).is_dir() else place


def _dockerfile(path: Path, dockerfile: Path) -> tuple[Path, Path]:
    """The context and the Dockerfile, absolute; the latter relative to the context, or to where we are."""
    context = path.resolve()
    for file in (context / dockerfile, dockerfile.absolute()):
        if file.is_file():
            before, nul, _ = file.read_bytes().partition(b"\0")
            if nul:
                # A text of UTF-16 is full of them, and BuildKit ends without a word.
                line = before.count(b"\n") + 1
                raise InvalidProject(f"{dockerfile}:{line}: a NUL is in it", hint="write it again, as UTF-8")
            return context, file
    if (context / dockerfile).is_dir():
        raise InvalidProject(
            f"{dockerfile} is a directory, and no Dockerfile", hint=f"name a file: {dockerfile}/Dockerfile"
        )
    raise InvalidProject(f"{dockerfile} is not there", hint=f"looked for {context / dockerfile}")
