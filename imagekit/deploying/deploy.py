"""``deploy``: one image for any number of deployments, built and pushed once, and each deployment pinned to it.

All that can be refused is refused before anything is built, and what was deployed before with the same inputs is left
as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.deploying.image import Pinned, engine_of, held_by, pin, release, waited_for
from imagekit.deploying.schedules import written
from imagekit.deploying.spec import DeploymentSpec, as_declared
from imagekit.deploying.template import check_variables, defaults
from imagekit.errors import EngineError, InputError
from imagekit.spec.entrypoint import Entrypoint, FlowSignature
from imagekit.store.work_values import Deployment, WorkPool
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.image import DockerImage
    from imagekit.settings import Settings
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A specification of which is known that it can be meant."""

    spec: DeploymentSpec
    pool: WorkPool
    entrypoint: Entrypoint
    source: str | None
    signature: FlowSignature | None  # None: the flow is in an image that is to be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment as it is kept, and whether it was ``created``, ``updated`` or is ``unchanged``."""

    deployment: Deployment
    outcome: str


def deploy(
    *deployments: DeploymentSpec,
    work_pool_name: str | None = None,
    image: str | DockerImage | None = None,
    build: bool = True,
    push: bool = True,
    print_next_steps_message: bool = True,
    ignore_warnings: bool = False,
) -> list[str]:
    """Build and push ``image`` with all flows in it, and keep ``deployments``, pinned to its digest; their IDs.

    ``image`` is ``[REGISTRY/]NAME[:TAG]``, the project's in the working directory, or a ``DockerImage``. With
    ``push=False`` the image stays in the engine; with ``build=False`` it must be there, or in its registry, and hold
    the flows. Without one every flow must be from a source (``flow.from_source``), and the pool's image runs them.
    ``work_pool_name`` is for those that name no pool. What happens is written to standard output.

    Raises ``InputError``'s kinds before anything is built; then what building, pushing and the store raise.
    """
    from imagekit.deploying.said import say_built, say_deployed

    done, pinned = deploy_all(deployments, work_pool_name=work_pool_name, image=image, build=build, push=push)
    say_built(pinned)
    say_deployed(done, next_steps=print_next_steps_message)
    return [each.deployment.id for each in done]


def deploy_all(
    specs: Sequence[DeploymentSpec],
    *,
    work_pool_name: str | None = None,
    image: str | DockerImage | None = None,
    build: bool = True,
    push: bool = True,
    settings: Settings | None = None,
) -> tuple[list[Deployed], Pinned | None]:
    """As ``deploy``, in silence but for the build's own progress."""
    from imagekit.settings import Settings
    from imagekit.store.deployments import Deployments
    from imagekit.store.pools import Pools
    from imagekit.store.store import Store

    for name, value in (("build", build), ("push", push)):
        if not isinstance(value, bool):
            raise wrong_type(value, name, "True or False", f"write {name}=False")
    if not isinstance(work_pool_name, (str, type(None))):
        raise wrong_type(work_pool_name, "work_pool_name", "a string", "write work_pool_name='NAME'")
    settings = settings or Settings.load()
    with Store.open(settings.state_dir) as store:
        kept, pools = Deployments(store.file), Pools(store.file)
        checked = check_all(specs, pools, settings, work_pool_name=work_pool_name, image=image, build=build)
        pinned = None
        if image is not None:
            pinned = pin(image, checked, settings, build=build, push=push)
        held = held_by(kept.all())
        done = [keep(each, pinned, kept) for each in checked]
        _let_go(held, store, kept, settings)
        return done, pinned


def forget(names: Sequence[str], settings: Settings) -> int:
    """Delete deployments; how many of their runs waited, and are cancelled. Images that were kept for them alone lose
    our name, where the engine can be reached and no run that did not end is to be in one."""
    from imagekit.store.deployments import Deployments
    from imagekit.store.store import Store

    with Store.open(settings.state_dir) as store:
        kept = Deployments(store.file)
        for name in names:
            kept.get(name)
        held = held_by(kept.all())
        cancelled = sum(kept.delete(name) for name in dict.fromkeys(names))
        _let_go(held, store, kept, settings)
    return cancelled


def _let_go(held: set[str], store: Store, kept: Deployments, settings: Settings) -> None:
    """Release what of ``held`` is nobody's any more. A run that waits is in the image that it was accepted with; what
    that was kept for goes with ``imagekit prune``."""
    if unused := held - held_by(kept.all()) - waited_for(store):
        with suppress(EngineError), engine_of(settings) as engine:
            release(engine, unused)


def check_all(
    specs: Sequence[DeploymentSpec],
    pools: Pools,
    settings: Settings,
    *,
    work_pool_name: str | None,
    image: object,
    build: bool = True,
) -> list[Checked]:
    """Each of ``specs`` held to its flow, its pool and its source; all that is wrong with them is told at once."""
    if not specs:
        raise InputError("no deployment is given", hint="write deploy(FLOW.to_deployment(name='nightly'), …)")
    problems: list[InputError] = []
    checked: list[Checked] = []
    for spec in specs:
        try:
            if not isinstance(spec, DeploymentSpec):
                hint = "FLOW.to_deployment(name='nightly') makes one"
                raise wrong_type(spec, "what is deployed", "a deployment", hint)
            checked.append(_checked(spec, pools, settings, work_pool_name, image))
        except InputError as problem:
            if not any(problem.message == each.message for each in problems):
                problems.append(problem)
    names = [each.spec.full_name for each in checked]
    problems += [
        InputError(f"two deployments are called {name}", hint="give them names of their own")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise InputError.join(problems)
    return checked


def _checked(
    spec: DeploymentSpec, pools: Pools, settings: Settings, work_pool_name: str | None, image: object
) -> Checked:
    name = spec.work_pool_name or work_pool_name
    if name is None:
        raise InputError(
            f"{spec.full_name} has no work pool", hint="give work_pool_name='NAME'; imagekit work-pool ls lists them"
        )
    pool = pools.get(name)
    check_variables(pool.template, spec.job_variables)
    flow: Any = spec.flow
    source, secret = flow.source, flow.source_secret
    signature: FlowSignature | None
    if source is not None:
        entrypoint = Entrypoint.parse(flow.entrypoint)
        signature, declared = _read_in_source(entrypoint, source, secret, settings)
        given, spec = spec, as_declared(spec, declared)
        if spec.job_variables != given.job_variables:
            check_variables(pool.template, spec.job_variables)
    else:
        from imagekit.runs.here import entrypoint_of

        entrypoint = Entrypoint.parse(entrypoint_of(flow))
        signature = entrypoint.signature(Path.cwd())
        if image is None:
            raise InputError(
                f"{spec.full_name}: its flow is in no image, and has no source",
                hint="give image='[REGISTRY/]NAME:TAG', or flow.from_source(…)",
            )
    _check_parameters(spec, signature)
    if image is None and "image" not in {**defaults(pool.template), **spec.job_variables}:
        from imagekit.running import image_of_versions_in_use

        if image_of_versions_in_use() is None:
            raise InputError(
                f"{spec.full_name} has no image, and neither has the work pool {pool.name!r}",
                hint="give image='NAME:TAG', or job_variables={'image': 'NAME:TAG'}",
            )
    return Checked(spec=spec, pool=pool, entrypoint=entrypoint, source=source, signature=signature)


def _read_in_source(
    entrypoint: Entrypoint, source: str, secret: str | None, settings: Settings
) -> tuple[FlowSignature, dict[str, Any]]:
    from imagekit.checkouts.find import find_source
    from imagekit.checkouts.read import read_source

    checkout = find_source(read_source(source, Path.cwd()), settings.source_access(), secret=secret)
    return entrypoint.read(checkout.project)


def _check_parameters(spec: DeploymentSpec, signature: FlowSignature) -> None:
    if not spec.enforce_parameter_schema or not spec.flow.validate_parameters:  # type: ignore[union-attr]
        return
    # Those that are missing may come with each run, unless nobody is there to give them.
    wanted = signature if spec.schedules else replace(signature, required=())
    try:
        wanted.check(dict(spec.parameters))
    except InputError as problem:
        problem.message = f"{spec.full_name}: {problem.message}"
        problem.args = (problem.message,)
        if spec.schedules and "needs the parameter" in problem.message:
            problem.hint = "parameters={…}: runs of a schedule have no others"
        raise


def keep(checked: Checked, pinned: Pinned | None, kept: Deployments) -> Deployed:
    """Write the deployment down; where it is as it was, nothing is written."""
    spec = checked.spec
    image, name = _image_of(checked, pinned)
    is_paused = kept.is_paused(spec.full_name) if spec.paused is None else spec.paused
    deployment = Deployment(
        name=spec.full_name,
        pool=checked.pool.name,
        entrypoint=str(checked.entrypoint),
        source=checked.source,
        source_secret=spec.flow.source_secret,  # type: ignore[union-attr]
        parameters=dict(spec.parameters),
        job_variables=dict(spec.job_variables),
        schedules=tuple(schedule.to_json() for schedule in spec.schedules),
        is_paused=is_paused,
        concurrency_limit=spec.concurrency_limit,
        tags=spec.tags,
        description=spec.description,
        version=spec.version,
        flow_options=dict(spec.flow.changed),  # type: ignore[union-attr]
        checks_parameters=spec.enforce_parameter_schema and spec.flow.validate_parameters,  # type: ignore[union-attr]
        signature=signature_json(checked.signature),
        image=image,
        pinned=name,
    )
    moment = datetime.now(timezone.utc)
    times = [None if is_paused else written(schedule.after(moment)) for schedule in spec.schedules]
    deployment, outcome = kept.put(deployment, times)
    return Deployed(deployment=deployment, outcome=outcome)


def _image_of(checked: Checked, pinned: Pinned | None) -> tuple[str | None, str | None]:
    """What the deployment's runs are in; nothing where that is the pool's to say."""
    if pinned is not None:
        return pinned.reference, pinned.pinned
    values = {**defaults(checked.pool.template), **checked.spec.job_variables}
    if "image" in values:
        return None, None
    from imagekit.running import image_of_versions_in_use

    # Decided now, by what is in use here, and not by what a worker has later.
    default = image_of_versions_in_use()
    assert default is not None
    return default, default


def signature_json(signature: FlowSignature | None) -> dict[str, Any] | None:
    """A flow's signature as it is kept, to hold a run's parameters to it without its file."""
    if signature is None or not signature.is_known:
        return None
    names = ("function", "positional_only", "names", "required", "takes_any")
    found = {name: getattr(signature, name) for name in names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
