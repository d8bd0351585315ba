"""Building a plan by BuildKit, from the Dockerfile that says the same: ``imagekit build --builder buildkit``.

For builders elsewhere, for caches that others share, and as what an assembled image is compared with.
"""

from __future__ import annotations

import secrets
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagekit.building.planned import Planned
from imagekit.engine.client import Engine
from imagekit.engine.containers import owner
from imagekit.errors import BaseNotFound, DockerfileFailed, EngineError
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult
from imagekit.export.engine_load import LOADING
from imagekit.export.presence import LABEL
from imagekit.lock.redaction import credentials_of
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.progress import Reporter
from imagekit.settings import Settings, home
from imagekit.spec.image import Indexes
from imagekit.stages.cache_options import cache_sources, cache_targets
from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile
from imagekit.stages.in_base import carried
from imagekit.stages.reference_context import DOCKERFILE, write_context
from imagekit.stages.reference_dockerfile import CA, ENVIRONMENT, NETRC


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildkit:
    """How BuildKit is to build; ``checked`` is called before anything else is done."""

    builder: str | None = None  # a buildx builder's name; None: the current one
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    uv_image: str | None = None  # an image with uv at /uv

    def checked(self, variables: Mapping[str, str]) -> Buildkit:
        """The same, with its caches as buildx takes them; ``InputError`` for what cannot be meant."""
        return Buildkit(
            builder=self.builder,
            cache_from=cache_sources(self.cache_from, variables),
            cache_to=cache_targets(self.cache_to, variables),
            no_cache=self.no_cache,
            uv_image=self.uv_image,
        )


def build_reference(
    engine: Engine,
    planned: Planned,
    reference: str,
    options: Buildkit,
    settings: Settings,
    reporter: Reporter,
    *,
    accept: Callable[[str], object] = lambda image_id: None,
) -> BuildResult:
    """Make ``reference`` name the image that BuildKit builds of ``planned``, once ``accept`` took its ID.

    Raises ``DockerfileFailed`` with BuildKit's last lines, and what ``accept`` raises.
    """
    began = time.monotonic()
    # Seen by nobody, and swept like an assembled image's temporary name.
    name = f"{LOADING}:{owner().replace(':', '-')}-{secrets.token_hex(4)}"
    platform = planned.plan.base.config.platform
    previous = engine.image(reference)
    with tempfile.TemporaryDirectory(prefix="imagekit-dockerfile-") as temporary:
        context = Path(temporary, "context")
        write_context(context, planned.plan, planned.lock, planned.tree, uv_image=options.uv_image)
        build = DockerfileBuild(
            context=context,
            dockerfile=context / DOCKERFILE,
            reference=name,
            secrets=tuple(_secrets(Path(temporary), settings, planned.indexes)),
            platform=None if platform == Platform.host() else str(platform),
            cache_from=options.cache_from,
            cache_to=options.cache_to,
            builder=options.builder,
            no_cache=options.no_cache,
            provenance="false",
        )
        try:
            try:
                build_dockerfile(build, settings.engine_address, reporter)
            except DockerfileFailed as error:
                raise _explained(error, planned, options) from None
            image = engine.image(name)
            if image is None:
                raise EngineError("BuildKit's image did not reach the engine", hint="docker buildx ls; docker info")
            accept(image.id)
            engine.tag(image.id, reference)
        finally:
            engine.remove_image(name)
    if previous is not None and previous.id != image.id:
        replaced = engine.image(previous.id)
        if replaced is not None and not replaced.tags and LABEL in replaced.labels:
            engine.remove_image(previous.id)
    return BuildResult(
        reference=reference,
        image_id=image.id,
        digest=Digest(image.id),
        layers=image_report(engine, reference).layers[len(planned.plan.base.config.diff_ids) :],
        seconds=time.monotonic() - began,
        base=planned.plan.base.reference,
        lock_digest=planned.lock.digest,
    )


def _secrets(directory: Path, settings: Settings, indexes: Indexes) -> list[str]:
    """``--secret`` for what this machine knows of indexes; the files lie in ``directory``, which is private."""
    found = []
    if settings.ca_bundle is not None:
        found.append(f"id={CA},src={settings.ca_bundle}")
    logins = credentials_of(filter(None, (indexes.default, *indexes.extra, *indexes.find_links)))
    text = "".join(
        f"machine {host.partition(':')[0]} login {user} password {password}\n"
        for host, (user, password) in logins.items()
    )
    netrc = Path(settings.variables.get("NETRC") or home(settings.variables) / ".netrc")
    if netrc.is_file():
        text += netrc.read_text("utf-8", "surrogateescape")
    environment = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in carried(settings.variables).items())
    for name, content in ((NETRC, text), (ENVIRONMENT, environment)):
        if content:
            path = directory / name
            path.touch(mode=0o600)
            path.write_text(content, "utf-8", "surrogateescape")
            found.append(f"id={name},src={path}")
    return found


def _explained(error: DockerfileFailed, planned: Planned, options: Buildkit) -> DockerfileFailed | BaseNotFound:
    words = error.details or ""
    if "failed to resolve source metadata" in words or "pull access denied" in words:
        elsewhere = "a builder of its own driver sees no image of the engine: push the base to a registry"
        return BaseNotFound(
            f"the builder finds no base image {planned.plan.base.reference}",
            hint=elsewhere if options.builder else "imagekit base build makes one from Debian packages",
            details=words,
        )
    return error
