"""Building a plan by BuildKit, from the Dockerfile that says the same: ``imagekit build --builder buildkit``.

For builders elsewhere, for caches that others share, and as what an assembled image is compared with.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from imagekit.building.planned import Planned
from imagekit.engine.client import Engine
from imagekit.errors import BaseNotFound, DockerfileFailed, EngineError
from imagekit.explaining.report import image_report
from imagekit.explaining.results import BuildResult
from imagekit.export.engine_load import loading_name
from imagekit.export.replaced import let_go
from imagekit.lock.access import IndexAccess
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.plan.values import Plan
from imagekit.progress import Reporter
from imagekit.secrets.handed import NOTHING, Handed
from imagekit.settings import Settings
from imagekit.stages.beneath import Beneath
from imagekit.stages.cache_options import cache_sources, cache_targets
from imagekit.stages.dockerfile import DockerfileBuild, build_dockerfile
from imagekit.stages.dockerfile_text import in_network
from imagekit.stages.reference_context import DOCKERFILE, write_context
from imagekit.stages.reference_dockerfile import CA, CLIENT_CERT, ENVIRONMENT, NETRC


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
    access: IndexAccess,
    handed: Handed = NOTHING,
    steps: Mapping[str, Any] | None = None,
    accept: Callable[[str], object] = lambda image_id: None,
    beneath: Beneath | None = None,
) -> BuildResult:
    """Make ``reference`` name the image that BuildKit builds of ``planned``, once ``accept`` took its ID.

    ``beneath`` makes the plan's base of the image that is named. ``steps`` are fields of ``DockerfileBuild`` that
    reach the plan's commands. Raises ``DockerfileFailed`` with BuildKit's last lines, ``CheckFailed`` for a credential
    in a layer above the base, and what ``accept`` raises.
    """
    from imagekit.building.leak_gate import check_layers

    began = time.monotonic()
    # Seen by nobody, and swept like an assembled image's temporary name.
    name = loading_name()
    platform = planned.plan.base.config.platform
    previous = engine.image(reference)
    with tempfile.TemporaryDirectory(prefix="imagekit-dockerfile-") as temporary:
        context = Path(temporary, "context")
        plan, steps = _of_commands(planned.plan, steps or {})
        write_context(context, plan, planned.lock, planned.tree, uv_image=options.uv_image, beneath=beneath)
        build = DockerfileBuild(
            context=context,
            dockerfile=context / DOCKERFILE,
            reference=name,
            handed=_handed(handed, access),
            platforms=() if platform == Platform.host() else (str(platform),),
            cache_from=options.cache_from,
            cache_to=options.cache_to,
            builder=options.builder,
            no_cache=options.no_cache,
            provenance="false",
            **steps,
        )
        try:
            try:
                build_dockerfile(build.without_caches(), settings.engine_address, reporter)
            except DockerfileFailed as error:
                raise _explained(error, planned, options) from None
            image = engine.image(name)
            if image is None:
                raise EngineError(
                    "BuildKit's image did not reach the engine", hint="see what is wrong: docker buildx ls, docker info"
                )
            accept(image.id)
            below = len(planned.plan.base.config.diff_ids)
            check_layers(engine, image.id, below, settings.usable_cache_dir(), build.handed, reporter)
            if (caches := build.caches()) is not None:
                build_dockerfile(caches, settings.engine_address, reporter)
            engine.tag(image.id, reference)
        finally:
            engine.remove_image(name)
    if previous is not None and previous.id != image.id:
        let_go(engine, previous.id, image.diff_ids)
    return BuildResult(
        reference=reference,
        image_id=image.id,
        digest=Digest(image.id),
        layers=image_report(engine, reference).layers[len(planned.plan.base.config.diff_ids) :],
        seconds=time.monotonic() - began,
        base=planned.plan.base.reference,
        lock_digest=planned.lock.digest,
    )


def _of_commands(plan: Plan, steps: Mapping[str, Any]) -> tuple[Plan, dict[str, Any]]:
    """The network that is asked for is the commands' own: what installs packages keeps the usual one."""
    network = steps.get("network")
    if network is None:
        return plan, dict(steps)
    rest = {name: value for name, value in steps.items() if name != "network"}
    if network == "host":
        rest["allow"] = tuple(dict.fromkeys((*rest.get("allow", ()), "network.host")))
    return replace(plan, commands=in_network(plan.commands, network)), rest


def _handed(handed: Handed, access: IndexAccess) -> Handed:
    """``handed``, and what this machine knows of indexes; nothing of it becomes a file of ours."""
    environment = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in access.in_base().items())
    certificates = {CA: access.ca_bundle, CLIENT_CERT: access.client_cert}
    return handed.with_own(
        {NETRC: access.netrc(), ENVIRONMENT: environment},
        files={name: path for name, path in certificates.items() if path is not None},
    )


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
