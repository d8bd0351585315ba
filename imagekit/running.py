"""Running flows: ``run`` and ``DockerFlowRunner``, and the one way that every run goes.

Settings are checked, the image is built, found or pulled, extra packages are added to it, the flow's source is put
where it is to be; then the flow runs in a container, and its end is recorded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagekit.errors import InputError
from imagekit.progress import Reporter, SilentReporter
from imagekit.runs.here import entrypoint_of
from imagekit.runs.settings import RunSettings
from imagekit.spec.entrypoint import Entrypoint
from imagekit.store.values import new_run_id
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.checkouts.values import Checkout
    from imagekit.engine.client import Engine
    from imagekit.extras.during import FirstStart
    from imagekit.image import DockerImage
    from imagekit.pipeline import Pipeline
    from imagekit.runs.concealing import Variables
    from imagekit.runs.order import RunOrder
    from imagekit.runs.values import RunResult
    from imagekit.runs.watch import Sink
    from imagekit.settings import Settings
    from imagekit.spec.image import ImageSpec

# The packages that it names are added to the image for the run (``extras``).
EXTRAS = "EXTRA_PIP_PACKAGES"
PREFECT = "prefecthq/prefect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run as it is asked for; ``settings.image`` names its image."""

    entrypoint: Entrypoint
    settings: RunSettings
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = field(default_factory=new_run_id)
    is_checked: bool = False  # the parameters were, against the source that the image was built from
    checkout: Checkout | None = None  # the flow's source, where it is not the image's
    project: ImageSpec | None = None  # whose indexes extra packages come from
    flow_options: Mapping[str, Any] = field(default_factory=dict)  # for the flow's with_options
    upgrade_extras: bool = False  # the newest versions of these, and not those of the last run


class Machine:
    """Where a run is: the settings of this machine, its engine and, for those steps that want it, the pipeline."""

    def __init__(self, settings: Settings, reporter: Reporter, open_pipeline: Callable[[], Pipeline]) -> None:
        self.settings = settings
        self.reporter = reporter
        self._open_pipeline = open_pipeline

    @classmethod
    def here(cls, reporter: Reporter) -> Machine:
        """By the environment and the configuration file."""
        from imagekit.settings import Settings

        settings = Settings.load()

        def opened() -> Pipeline:
            from imagekit.pipeline import Pipeline
            from imagekit.secrets.handed import Handed

            return Pipeline(settings, reporter, handed=Handed(variables=settings.variables))

        return cls(settings, reporter, opened)

    @cached_property
    def pipeline(self) -> Pipeline:
        """Opened where it is asked for: importing it takes as long as the rest of a run's preparation."""
        return self._open_pipeline()

    @cached_property
    def engine(self) -> Engine:
        """The engine, connected at the first use; the pipeline's, where that is open."""
        if "pipeline" in self.__dict__:
            return self.pipeline.engine
        from imagekit.engine.client import Engine

        return Engine.connect(self.settings.engine_address, deadline=self.settings.engine_deadline)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *exc: object) -> None:
        if "pipeline" in self.__dict__:
            self.pipeline.__exit__(*exc)
        elif "engine" in self.__dict__:
            self.engine.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run of which all is known and nothing has been started."""

    order: RunOrder
    engine: Engine
    store: Path  # the directory of the record of runs
    cache: Path  # the cache directory
    first: FirstStart | None = None  # extra packages that the image has not


def run(
    entrypoint: str | Callable[..., Any],
    *,
    image: DockerImage | str | None = None,
    source: str | Path | None = None,
    source_secret: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    env: Variables | None = None,
    timeout: float | None = None,
    name: str | None = None,
    settings: RunSettings | None = None,
    on_output: Sink | None = None,
    raise_on_failure: bool = True,
    **variables: Any,
) -> RunResult:
    """Run one flow, ``"PATH.py:FUNCTION"`` or the function, in one container of ``image``, which is gone afterwards.

    A ``DockerImage`` is built first where it has not been; without an image it is the project's in the working
    directory, or in the source. ``source`` is where the flow's files come from, if not from the image: a directory,
    or ``"git+https://HOST/REPOSITORY@REF#subdirectory=DIRECTORY"``; ``source_secret`` names the stored secret that
    its server takes. The flow can read it and not write.
    The flow's output goes to standard output and error as it comes, or to ``on_output`` as ``(1 or 2, bytes)``. What
    the flow returns (JSON, unless ``serializer`` says otherwise) is ``.result`` of what this returns. ``timeout`` is
    in seconds. ``variables`` are the fields of ``RunSettings`` (``mem_limit="1g"``, ``volumes=["./data:/data"]`` …),
    and go before those of ``settings``.

    Raises ``InputError``'s kinds before an engine is asked; ``EngineError`` where the image or a container cannot be
    had; ``FlowFailed``, ``ResultNotSerializable`` or ``RunCrashed`` unless ``raise_on_failure`` is false.
    """
    given = {"env": env, "timeout": timeout, "name": name}
    wanted = _settings(settings, {**{key: value for key, value in given.items() if value is not None}, **variables})
    flow = Entrypoint.parse(entrypoint if isinstance(entrypoint, str) else entrypoint_of(entrypoint))
    if not isinstance(parameters, (Mapping, type(None))):
        raise wrong_type(parameters, "parameters", "a dict", "write parameters={'n': 3}")
    asked = Asked(entrypoint=flow, settings=wanted, parameters=dict(parameters or {}))
    if source is not None:
        from imagekit.settings import Settings

        asked = sourced(asked, source, source_secret, Settings.load(), SilentReporter())
    elif source_secret is not None:
        raise InputError("source_secret goes with source, and none is given", hint="add source='git+https://…'")
    if not isinstance(image, str) and (image is not None or wanted.image is None):
        asked = _built(asked, image)
    elif image is not None:
        asked = replace(asked, settings=wanted.with_(image=image))
    with Machine.here(SilentReporter()) as machine:
        prepared = prepare(machine, asked)
        from imagekit.runs.here import to_own_streams

        return carry_out(prepared, on_output=on_output or to_own_streams, raise_on_failure=raise_on_failure)


class DockerFlowRunner:
    """Runs flows now, each in a container of its own.

    ``image=None`` is the default image: Prefect's of the version and the Python in use, decided here and now, or
    the project's own where Prefect is not installed. ``variables`` are the fields of ``RunSettings``.

    >>> DockerFlowRunner(image="orders:v1", env={"STAGE": "test"}).run("flow.py:etl", parameters={"n": 3})
    """

    def __init__(
        self,
        image: DockerImage | str | None = None,
        env: Variables | None = None,
        *,
        source: str | Path | None = None,
        source_secret: str | None = None,
        settings: RunSettings | None = None,
        **variables: Any,
    ) -> None:
        self.settings = _settings(settings, {**({} if env is None else {"env": env}), **variables})
        self.source = {"source": source, "source_secret": source_secret}
        self.image = image if image is not None else self.settings.image or image_of_versions_in_use()

    def run(
        self,
        flow: str | Callable[..., Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        on_output: Sink | None = None,
        raise_on_failure: bool = True,
        **variables: Any,
    ) -> RunResult:
        """Run ``flow``, ``"PATH.py:FUNCTION"`` or the function itself; see ``imagekit.run``.

        ``variables`` may also have an ``image``, a ``source`` or ``settings``, instead of the runner's.
        """
        own = {"image": self.image, "settings": self.settings, **self.source}
        given = {name: value for name, value in variables.items() if value is not None or name not in own}
        return run(
            flow, parameters=parameters, on_output=on_output, raise_on_failure=raise_on_failure, **{**own, **given}
        )

    def __repr__(self) -> str:
        return f"DockerFlowRunner(image={self.image!r})"


def image_of_versions_in_use() -> str | None:
    """Prefect's image of its version and the Python version in use; ``None`` where Prefect is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    from imagekit.matrix.default_image import default_image

    try:
        framework = version("prefect")
    except PackageNotFoundError:
        return None
    return default_image(framework, ".".join(map(str, sys.version_info[:2])), name=PREFECT)


def sourced(asked: Asked, source: str | Path, secret: str | None, settings: Settings, reporter: Reporter) -> Asked:
    """``asked`` with its source found or fetched, and its parameters held to the flow there. Asks no engine."""
    from imagekit.runs.sourcing import obtain

    checkout = obtain(
        source,
        secret=secret,
        cwd=Path.cwd(),
        access=settings.source_access,
        settings=asked.settings,
        entrypoint=asked.entrypoint,
        parameters=asked.parameters,
        reporter=reporter,
    )
    return replace(asked, checkout=checkout, is_checked=True)


def prepare(machine: Machine, asked: Asked) -> Prepared:
    """Image, extra packages: in this order, each step from what the one before came to.

    What can be refused without an engine is refused first.
    """
    from imagekit.runs.here import memory_here
    from imagekit.runs.order import RunOrder
    from imagekit.runs.pulling import present
    from imagekit.runs.request import Request, new_name

    settings, reference = asked.settings, asked.settings.image
    if reference is None:
        raise InputError("no image is named", hint="name one: image='orders:v1' (--image orders:v1)")
    request = Request.of(asked.entrypoint, asked.parameters, serializer=settings.serializer, options=asked.flow_options)
    scheme, _, socket = machine.settings.engine_address.partition("://")
    settings.check_mounts([socket] if scheme == "unix" else [])
    if asked.checkout is not None:
        from imagekit.runs.placing import workdir

        request = replace(request, root=workdir(asked.checkout), imports=asked.checkout.imports)
    wanted = None
    if settings.variables.get(EXTRAS):
        from imagekit.extras.of_run import wanted_by

        wanted = wanted_by(settings.variables, machine.settings, like=asked.project)
    image = present(
        machine.engine,
        reference,
        policy=settings.image_pull_policy,
        access=machine.settings.registry_access(),
        reporter=machine.reporter,
        credentials=settings.login,
    )
    extras = first = None
    if wanted is not None or any(entry.startswith(f"{EXTRAS}=") for entry in image.settings.get("Env") or ()):
        from imagekit.extras.of_run import with_extras
        from imagekit.runs.adding import takes_files

        added = with_extras(
            machine.engine,
            lambda: machine.pipeline,
            machine.settings,
            reference,
            image,
            settings.variables,
            wanted,
            partial(takes_files, settings, cwd=os.getcwd()),
            like=asked.project,
            upgrade=asked.upgrade_extras,
        )
        if added is not None:
            first, extras = added.first, added.derived.to_record()
            image = first.image if first else machine.engine.image(added.derived.image_id) or image
            # An entrypoint of the image's own (Prefect's have one) would install them once more.
            settings = settings.with_(env={**settings.env, EXTRAS: None})
    order = RunOrder(
        request=request,
        settings=settings,
        image=image,
        reference=reference,
        name=settings.name or new_name(request.function),
        run_id=asked.run_id,
        checkout=asked.checkout,
        extras=extras,
        added_env=first.env if first else {},
        is_checked=asked.is_checked,
        memory=memory_here(machine.settings.engine_address),
    )
    return Prepared(
        order=order,
        engine=machine.engine,
        store=machine.settings.state_dir,
        cache=machine.settings.cache_dir,
        first=first,
    )


def carry_out(
    prepared: Prepared,
    *,
    on_output: Sink | None,
    raise_on_failure: bool = False,
    reporting: Callable[[], AbstractContextManager[Reporter]] = lambda: nullcontext(SilentReporter()),
) -> RunResult:
    """Run it, and record how that went. See ``runs.runner.run_flow``.

    ``reporting`` tells of what is done for it before it is started, and of what is left when it has ended.
    """
    from imagekit.runs.reconcile import reconcile
    from imagekit.runs.runner import run_flow, source_in_use
    from imagekit.store.store import Store

    engine, order = prepared.engine, prepared.order
    with source_in_use(order.checkout, prepared.cache), Store.open(prepared.store) as store:
        reconcile(store, engine)
        if prepared.first is None:
            return run_flow(engine, order, store=store, on_output=on_output, raise_on_failure=raise_on_failure)
        from imagekit.extras.during import run_first
        from imagekit.runs.raising import raise_for

        run = partial(run_flow, engine, order, store=store, on_output=on_output)
        result = run_first(prepared.first, run, store, reporting)
    if raise_on_failure:
        raise_for(result)
    return result


def check_extras_of(settings: RunSettings, image_env: Mapping[str, str] | None = None) -> None:
    """``InputError`` where a run asks for extra packages by what is no requirement: said before a build.

    ``image_env``: the variables that the image is to have, beside which those of the run go first.
    """
    text = {**(image_env or {}), **settings.variables}.get(EXTRAS)
    if text:
        from imagekit.spec.extra_packages import read_extras

        read_extras(text)


def _built(asked: Asked, image: DockerImage | None) -> Asked:
    """``asked`` in ``image``, or the project's, which is built where it has not been."""
    from imagekit.image import AUTO, DockerImage

    if not isinstance(image, (DockerImage, type(None))):
        raise wrong_type(image, "image", "an image's name or a DockerImage", "write image='orders:v1'")
    if image is None and asked.checkout is not None:
        # What it needs; its source comes along.
        project = asked.checkout.project
        image = DockerImage(project.name.lower(), stream_progress_to=None, context=project, include_source=False)
    elif image is None:
        image = DockerImage(Path.cwd().name.lower(), stream_progress_to=None)
    if image.dockerfile == AUTO and asked.checkout is None:
        # Against the source, before anything is built: a mistyped parameter must not cost a build.
        asked.entrypoint.signature(image.context).check(dict(asked.parameters))
    check_extras_of(asked.settings)
    if not image.is_built:
        image.build()
    settings = asked.settings.with_(image=image.image_id, image_pull_policy="Never")
    return replace(asked, settings=settings, is_checked=asked.is_checked or image.dockerfile == AUTO)


def _settings(settings: RunSettings | None, variables: Mapping[str, Any]) -> RunSettings:
    """``settings`` with ``variables``; environment and labels are added to, all else is replaced."""
    given = RunSettings.of(variables)
    if settings is None:
        return given
    if not isinstance(settings, RunSettings):
        raise wrong_type(settings, "settings", "a RunSettings", "write settings=RunSettings(timeout=60)")
    joined = {name: {**getattr(settings, name), **getattr(given, name)} for name in ("env", "labels")}
    return settings.with_(**{**variables, **joined})
