"""A user's own Dockerfile, built by BuildKit through buildx."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from imagekit.engine.faults import reach
from imagekit.errors import DockerfileFailed
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.stages.buildx import BuildxFailed, buildx_fault, buildx_lines
from imagekit.stages.cache_options import cache_fault

_LAST_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileBuild:
    """One ``docker buildx build``; the fields are named as docker-py's keywords mean them."""

    context: Path
    dockerfile: Path
    reference: str
    build_args: Mapping[str, str | None] = field(default_factory=dict)  # None: the value of the environment
    labels: Mapping[str, str] = field(default_factory=dict)
    handed: Handed = NOTHING  # secrets and ssh agents
    target: str | None = None
    platforms: tuple[str, ...] = ()  # several: for ``push`` alone
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    builder: str | None = None  # a buildx builder's name; None: the current one
    no_cache: bool = False
    pull: bool = False
    extra_hosts: tuple[str, ...] = ()  # "HOST:ADDRESS"
    build_contexts: Mapping[str, str] = field(default_factory=dict)  # name → directory, image, URL
    allow: tuple[str, ...] = ()  # entitlements: "network.host"
    network: str | None = None
    shm_size: str | None = None  # bytes, or with a unit
    provenance: str | None = None  # "false": none; None: the builder's default
    layout: Path | None = None  # an OCI layout that is written, and nothing comes into the engine
    only_caches: bool = False  # nothing but ``cache_to`` is written
    metadata: Path | None = None  # where buildx writes what came of it

    def arguments(self) -> list[str]:
        """What follows ``docker`` on the command line."""
        words = ["buildx", "build", "--progress", "plain", *self._output(), "--file", str(self.dockerfile)]
        words += ["--tag", self.reference] if not self.only_caches else []
        for name, value in self.build_args.items():
            words += ["--build-arg", name if value is None else f"{name}={value}"]
        for name, value in self.labels.items():
            words += ["--label", f"{name}={value}"]
        words += self.handed.arguments()
        for source in self.cache_from:
            words += ["--cache-from", source]
        for destination in self.cache_to:
            words += ["--cache-to", destination]
        for host in self.extra_hosts:
            words += ["--add-host", host]
        for name, place in self.build_contexts.items():
            words += ["--build-context", f"{name}={place}"]
        for entitlement in self.allow:
            words += ["--allow", entitlement]
        for option, text in (
            ("--builder", self.builder),
            ("--target", self.target),
            ("--platform", ",".join(self.platforms)),
            ("--network", self.network),
            ("--shm-size", self.shm_size),
            ("--provenance", self.provenance),
            ("--metadata-file", self.metadata and str(self.metadata)),
        ):
            if text:
                words += [option, text]
        words += ["--no-cache"] * self.no_cache + ["--pull"] * self.pull
        return [*words, "--", str(self.context)]

    def without_caches(self) -> DockerfileBuild:
        """The same, and no cache leaves for elsewhere but one that is part of the image."""
        return replace(self, cache_to=tuple(each for each in self.cache_to if _is_inline(each)))

    def caches(self) -> DockerfileBuild | None:
        """What brings the caches of ``cache_to`` where they are to be, once that was built; ``None``: there are none.

        Whatever is built is in the builder's own cache by then.
        """
        elsewhere = tuple(each for each in self.cache_to if not _is_inline(each))
        if not elsewhere:
            return None
        plain = replace(self, cache_to=elsewhere, only_caches=True, layout=None, metadata=None)
        return replace(plain, no_cache=False, pull=False, provenance="false")

    def _output(self) -> list[str]:
        if self.only_caches:
            return ["--output", "type=cacheonly"]
        if self.layout is not None:
            return ["--output", f'"type=oci","dest={self.layout}","tar=false"']
        return ["--load"]


def _is_inline(cache: str) -> bool:
    return cache.split(",")[0] == "type=inline"


def build_dockerfile(build: DockerfileBuild, engine_address: str, reporter: Reporter) -> None:
    """Build, and load the image into the engine under its reference, or write what ``build`` says instead.

    Raises ``DockerfileFailed`` with the last lines of what BuildKit said.
    """
    reach(engine_address)
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        lines = buildx_lines(build.arguments(), engine=engine_address, handed=build.handed)
        with reporter.task(f"building {build.dockerfile.name}") as task, closing(lines):
            for line in lines:
                last.append(line)
                task.note(line)
                reporter.line(line)
    except BuildxFailed:
        words = "\n".join(last)
        raise buildx_fault(words) or cache_fault(words) or _failed(build, words) from None


def _failed(build: DockerfileBuild, words: str) -> DockerfileFailed:
    if "Multi-platform build is not supported for the docker driver" in words or (
        build.layout is not None and "is not supported" in words
    ):
        return DockerfileFailed(
            "this builder builds for one platform: its engine has the classic image store",
            hint="docker buildx create --name NAME --driver docker-container, then buildx_builder='NAME' "
            "(--buildx-builder NAME)",
            details=words,
        )
    if build.builder is not None and f'no builder "{build.builder}" found' in words:
        return DockerfileFailed(f"there is no builder {build.builder!r}", hint="docker buildx ls lists them")
    reason = next((line.strip() for line in reversed(words.splitlines()) if line.startswith("ERROR")), "")
    return DockerfileFailed(
        f"{build.dockerfile.name} did not build{': ' + reason.removeprefix('ERROR: ') if reason else ''}",
        hint="the details are the last lines of the build",
        details=words,
    )
