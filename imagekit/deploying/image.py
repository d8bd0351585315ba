"""The image of deployments: built and pushed once, or found, and then named by what never moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagekit.deploying.template import defaults, merged
from imagekit.errors import BuildError, EngineError, InvalidEntrypoint
from imagekit.oci.digest import is_digest
from imagekit.oci.reference import Reference
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.deploying.deploy import Checked
    from imagekit.engine.client import Engine, EngineImage
    from imagekit.image import DockerImage
    from imagekit.settings import Settings
    from imagekit.store.store import Store
    from imagekit.store.work_values import Deployment

# A name that images of deployments have besides, so that a build of the same name does not take them away.
DEPLOYED = "imagekit-deployed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """An image under the name that it was asked for, and the one that stays: ``NAME@sha256:…``, or an engine's ID."""

    reference: str
    pinned: str
    is_built: bool = False
    is_pushed: bool = False
    warnings: tuple[str, ...] = ()


def pin(
    image: str | DockerImage,
    checked: Sequence[Checked],
    settings: Settings,
    *,
    build: bool,
    push: bool,
) -> Pinned:
    """``image``, built and pushed where that is asked for, with the flows of ``checked`` in it.

    Raises what ``DockerImage`` does; ``EngineError`` where it is not to be had, ``InvalidEntrypoint`` where it is to
    be taken as it is, and a flow is not in it.
    """
    from imagekit.image import AUTO, DockerImage

    own = [each for each in checked if each.source is None]
    is_ours = isinstance(image, str)  # then the health check looks for the flows
    if not isinstance(image, (str, DockerImage)):
        raise wrong_type(image, "image", "an image's name or a DockerImage", "write image='NAME:TAG'")
    if not build:
        return _found(image if isinstance(image, str) else image.reference, checked, settings)
    if isinstance(image, str):
        image = DockerImage(image, entrypoints=sorted({str(each.entrypoint) for each in own}) or None)
    image.build()
    warnings: list[str] = []
    if push:
        digest = image.push()
        found = Pinned(reference=image.reference, pinned=f"{image.name}@{digest}", is_built=True, is_pushed=True)
    else:
        try:
            image_id = image.image_id
        except BuildError as error:
            error.hint = "push=True, or output='engine': the worker takes it from a registry, or from its engine"
            raise
        found = Pinned(reference=image.reference, pinned=image_id, is_built=True)
        with engine_of(settings) as engine:
            engine.tag(image_id, _held(image_id))
    if own and not is_ours:
        with engine_of(settings) as engine:
            there = engine.image(found.reference) or engine.image(found.pinned)
            missing = [] if there is None else _missing(engine, there, own)
        hint = "the flow is named from the working directory on" if image.dockerfile == AUTO else "COPY . ."
        warnings = [f"{each}; runs of it will fail ({hint})" for each in missing]
    return Pinned(
        reference=found.reference,
        pinned=found.pinned,
        is_built=True,
        is_pushed=found.is_pushed,
        warnings=tuple(warnings),
    )


def engine_of(settings: Settings) -> Engine:
    """The engine that is set."""
    from imagekit.engine.client import Engine

    return Engine.connect(settings.engine_address, deadline=settings.engine_deadline)


def _found(reference: str, checked: Sequence[Checked], settings: Settings) -> Pinned:
    """An image that is there, or in its registry."""
    from imagekit.progress import SilentReporter
    from imagekit.runs.pulling import present

    if not is_digest(reference):
        parsed = Reference.parse(reference)
        if settings.default_namespace and parsed.digest is None:
            parsed = parsed.with_default_namespace(settings.default_namespace)
        reference = str(parsed)
    policies = {_variables(each).get("image_pull_policy") for each in checked}
    policy = policies.pop() if len(policies) == 1 else None
    with engine_of(settings) as engine:
        image = present(engine, reference, policy=policy, access=settings.registry_access(), reporter=SilentReporter())
        problems = _missing(engine, image, [each for each in checked if each.source is None])
        if problems:
            raise InvalidEntrypoint(
                f"{reference} does not hold the flow: {problems[0]}",
                hint="build=True builds an image that does",
                details="\n".join(problems) if len(problems) > 1 else None,
            )
        found = Pinned(reference=reference, pinned=_name_that_stays(reference, image))
        if is_digest(found.pinned):
            engine.tag(image.id, _held(image.id))
        return found


def _name_that_stays(reference: str, image: EngineImage) -> str:
    if is_digest(reference):
        return image.id
    name = Reference.parse(reference).name
    digests = [digest for digest in image.repo_digests if Reference.parse(digest).name == name]
    return digests[0] if digests else image.id


def _missing(engine: Engine, image: EngineImage, checked: Sequence[Checked]) -> list[str]:
    """What of the flows is not in ``image``, a line each; read in a container that is never started."""
    import posixpath

    from imagekit.engine.containers import Container, ContainerSpec

    problems: list[str] = []
    if not checked:
        return problems
    with Container.create(engine, ContainerSpec(image=image.id, command=["true"], kind="look", network="none")) as body:
        for each in checked:
            workdir = str(_variables(each).get("workdir") or image.settings.get("WorkingDir") or "/")
            path = posixpath.join("/", workdir, each.entrypoint.path)
            source = None
            with suppress(EngineError):
                source = body.get(path)
            if source is None:
                problems.append(f"there is no {path}")
                continue
            try:
                each.entrypoint.signature_in(source)
            except InvalidEntrypoint as problem:
                problems.append(problem.message)
    return problems


def _variables(checked: Checked) -> dict[str, Any]:
    """The job variables of a deployment's runs."""
    return merged(defaults(checked.pool.template), checked.spec.job_variables)


def release(engine: Engine, image_ids: Iterable[str]) -> None:
    """Take our name away from images that no deployment has any more."""
    for image_id in image_ids:
        with suppress(EngineError):
            engine.remove_image(_held(image_id))


def needed_images(store: Store, engine: Engine) -> set[str]:
    """The IDs of images in ``engine`` that deployments, or runs that did not end, are pinned to."""
    from imagekit.store.deployments import Deployments

    names = {each.pinned for each in Deployments(store.file).all()} | waited_for(store)
    found = (engine.image(name) for name in sorted(name for name in names if name))
    return {image.id for image in found if image is not None}


def waited_for(store: Store) -> set[str]:
    """The images, as they are pinned, of runs that did not end."""
    from imagekit.store.values import OPEN_STATES

    pinned = (run.wanted.get("image") for run in store.runs(states=OPEN_STATES) if not run.cancel_asked)
    return {str(name) for name in pinned if name}


def held_by(deployments: Iterable[Deployment]) -> set[str]:
    """Images that have our name for the sake of ``deployments``."""
    return {each.pinned for each in deployments if each.pinned is not None and is_digest(each.pinned)}


def _held(image_id: str) -> str:
    return f"{DEPLOYED}:{image_id.partition(':')[2][:24]}"
