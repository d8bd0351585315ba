"""What understood keywords ask of a build: where its image goes, and what BuildKit is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagekit.building.outputs import ENGINE, REGISTRY, Output, parse_outputs, platforms_of
from imagekit.errors import InputError
from imagekit.keywords.understand import OF_STEPS, dockerfile_fields

if TYPE_CHECKING:
    from imagekit.building.reference_build import Buildkit

_OF_BUILDKIT = ("builder", "cache_from", "cache_to", "no_cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where an image goes."""

    engine: bool  # built in an engine
    push: bool  # to its registry, when it is built
    outputs: tuple[Output, ...]  # further ones; all of them where no engine takes part
    platforms: tuple[str | None, ...]  # None: this machine's


def destinations(values: Mapping[str, Any], *, auto: bool) -> Destinations:
    """Where the image of these keywords goes. Raises ``InputError`` for places that do not go together."""
    push = bool(values.get("push"))
    platforms: tuple[str, ...] = values.get("platform", ())
    if not auto:
        # Which of them a Dockerfile is built for is BuildKit's to judge.
        if len(platforms) > 1 and not push:
            raise _several(len(platforms))
        return Destinations(engine=True, push=push, outputs=(), platforms=platforms or (None,))
    asked = values.get("output", ())
    outputs = parse_outputs(asked)
    if len(platforms) > 1 and not asked:
        if not push:
            raise _several(len(platforms))
        outputs = (Output(REGISTRY),)
    found = tuple(platforms_of(",".join(platforms) or None, outputs))
    in_engine = Output(ENGINE) in outputs
    to_registry = push or Output(REGISTRY) in outputs
    if not in_engine or len(found) > 1:
        for keyword in ("extra_dockerfile_commands", "builder"):
            if values.get(keyword) not in (None, (), "assemble"):
                raise InputError(
                    f"{keyword} takes an engine, and this image goes elsewhere",
                    hint="build it in the engine, for one platform, and send it on: push=True",
                )
        if push and Output(REGISTRY) not in outputs:
            outputs = (*outputs, Output(REGISTRY))
        return Destinations(engine=False, push=to_registry, outputs=outputs, platforms=found)
    others = tuple(output for output in outputs if output.kind not in (ENGINE, REGISTRY))
    return Destinations(engine=True, push=to_registry, outputs=others, platforms=found)


def buildkit_of(values: Mapping[str, Any]) -> Buildkit:
    """How BuildKit is to build the equivalent Dockerfile."""
    from imagekit.building.reference_build import Buildkit

    return Buildkit(**{name: value for name, value in dockerfile_fields(values).items() if name in _OF_BUILDKIT})


def steps_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What reaches the steps of ``extra_dockerfile_commands``, as fields of ``DockerfileBuild``."""
    return dockerfile_fields({name: value for name, value in values.items() if name in OF_STEPS})


def _several(number: int) -> InputError:
    return InputError(
        f"no engine holds an image of {number} platforms",
        hint="push=True sends them to the registry together; for an automatic image also output='oci:DIRECTORY'",
    )
