"""``DeploymentSpec``: a deployment as it is specified, before there is an image or a pool for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from imagekit.deploying.schedules import Schedule, schedules_of
from imagekit.errors import InputError, UnknownKeyword
from imagekit.nearest import nearest_hint
from imagekit.spec.entrypoint import check_json
from imagekit.wrong_type import wrong_type

if TYPE_CHECKING:
    from imagekit.deploying.flow import Flow
    from imagekit.running import DockerFlowRunner

# Of names of flows, deployments and pools: they stand in commands, addresses and the names of containers.
_NAME = re.compile(r"[^/%&<>\x00-\x1f\x7f]{1,100}")
_OPTIONS = """interval cron rrule schedule schedules paused concurrency_limit parameters description tags version
    enforce_parameter_schema work_pool_name job_variables""".split()
# What Prefect's server does with these nobody does here.
_OF_PREFECT = ("work_queue_name", "triggers", "version_type", "entrypoint_type", "is_schedule_active", "_sla")

_collected: ContextVar[list[DeploymentSpec] | None] = ContextVar("collected", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec:
    """A flow under a name, with what its runs are given. ``imagekit deployment create FILE`` makes all of a file.

    ``flow`` is a ``Flow``, or any function; ``flow_runner`` has the image and the settings of the runs.
    Raises ``InputError``'s kinds.
    """

    name: str  #: the deployment's own: ``FLOW/NAME`` finds it
    flow: Flow[Any, Any] | Callable[..., Any] = field(repr=False)  #: a ``Flow``, or any function
    #: For ``imagekit deployment create``: the image, and the settings of the runs, which ``job_variables`` go before.
    flow_runner: DockerFlowRunner | None = field(default=None, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: what runs are called with, where nobody says; JSON
    #: Settings of the runs by the names of the pool's template (``RunSettings``'s in a new pool); JSON, no credentials.
    job_variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    schedules: tuple[Schedule, ...] = ()  #: ``Cron`` and ``Interval``; each makes runs of its own
    schedule: Schedule | None = None  #: in place of ``schedules``, where there is one; kept as that
    paused: bool | None = None  #: no runs are made by schedules; ``None``: as it is, where it is deployed already
    concurrency_limit: int | None = None  #: runs at a time, 1 at least; ``None``: any number
    description: str | None = None  #: by default the flow's
    tags: tuple[str, ...] = ()  #: for people to find it by
    version: str | None = None  #: any text; by default the flow's
    enforce_parameter_schema: bool = True  #: whether parameters of a run that the flow does not take are refused
    work_pool_name: str | None = None  #: whose workers carry out the runs; by default what ``deploy`` names

    def __post_init__(self) -> None:
        from imagekit.deploying.flow import Flow

        if not isinstance(self.flow, Flow):
            object.__setattr__(self, "flow", Flow(self.flow))
        check_name(self.name, "a deployment's name")
        check_name(self.flow_name, "a flow's name")
        for name in ("parameters", "job_variables"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise wrong_type(value, name, "a dict", f"write {name}={{'NAME': …}}")
        self._check_kinds()
        check_json(self.parameters)
        check_json(self.job_variables, "job_variables")
        given = {"schedule": self.schedule, "schedules": self.schedules or None}
        object.__setattr__(self, "schedules", schedules_of(given))
        object.__setattr__(self, "schedule", None)
        limit = self.concurrency_limit
        hint = "write concurrency_limit=2, or leave it out for no limit"
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
            raise wrong_type(limit, "concurrency_limit", "a whole number", hint)
        if limit is not None and limit < 1:
            raise InputError(f"concurrency_limit: {limit} runs at a time cannot be", hint=hint)
        object.__setattr__(self, "tags", tuple(self.tags))
        collected = _collected.get()
        if collected is not None:
            collected.append(self)

    def _check_kinds(self) -> None:
        wrong: list[InputError] = []
        if self.flow_runner is not None:
            from imagekit.running import DockerFlowRunner

            if not isinstance(self.flow_runner, DockerFlowRunner):
                hint = "write flow_runner=DockerFlowRunner(image='NAME:TAG')"
                wrong.append(wrong_type(self.flow_runner, "flow_runner", "a DockerFlowRunner", hint))
        for name in ("description", "version", "work_pool_name"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                wrong.append(wrong_type(value, name, "a string", f"write {name}='…'"))
        for name, kinds in (("paused", (bool, type(None))), ("enforce_parameter_schema", (bool,))):
            if not isinstance(getattr(self, name), kinds):
                wrong.append(wrong_type(getattr(self, name), name, "True or False", f"write {name}=True"))
        tags: object = self.tags
        # A text is a sequence of texts, too.
        is_list = isinstance(tags, Iterable) and not isinstance(tags, (str, bytes, Mapping))
        if not is_list or not all(isinstance(tag, str) for tag in self.tags):
            wrong.append(wrong_type(tags, "tags", "a list of strings", "write tags=['nightly']"))
        if wrong:
            raise InputError.join(wrong)

    @property
    def flow_name(self) -> str:
        """The flow's name: the function's, with ``-`` for ``_``, where it has no other."""
        name: str = self.flow.name  # type: ignore[union-attr]
        return name

    @property
    def full_name(self) -> str:
        """``FLOW/NAME``, by which it is found."""
        return f"{self.flow_name}/{self.name}"


@contextmanager
def collecting() -> Iterator[list[DeploymentSpec]]:
    """Within the block, every specification that is made is noted, in order."""
    found: list[DeploymentSpec] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def specification(
    flow: Flow[Any, Any], name: str, schedules: Mapping[str, Any], *, more: Mapping[str, Any], **fields: Any
) -> DeploymentSpec:
    """What ``to_deployment`` and ``deploy`` were given, as a value. ``UnknownKeyword`` for what ``more`` has."""
    told = [key for key, value in more.items() if value is not None]
    if told:
        problems: list[InputError] = []
        for key in told:
            if key in _OF_PREFECT:
                hint = "leave it out; imagekit.prefect deploys to a Prefect server, which has them"
                problems.append(UnknownKeyword(f"{key!r} means nothing without a Prefect server", hint=hint))
            else:
                problems.append(UnknownKeyword(f"a deployment takes no {key!r}", hint=nearest_hint(key, _OPTIONS)))
        raise InputError.join(problems)
    return DeploymentSpec(name=name, flow=flow, schedules=schedules_of(schedules), **{**fields, **_of(flow, fields)})


def as_declared(spec: DeploymentSpec, declared: Mapping[str, Any]) -> DeploymentSpec:
    """``spec`` of a flow that is elsewhere, with what its decorator there says of it."""
    flow: Any = spec.flow
    flow = flow.as_declared(declared)
    given = {name: getattr(spec, name) for name in ("description", "version", "job_variables")}
    return replace(spec, flow=flow, **_of(flow, given))


def _of(flow: Flow[Any, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a deployment has of its flow's, unless it has its own."""
    variables = given["job_variables"]
    if flow.timeout_seconds is not None and isinstance(variables, Mapping):
        variables = {"timeout": flow.timeout_seconds, **variables}
    return {
        "description": given["description"] or flow.description,
        "version": given["version"] or flow.version,
        "job_variables": variables,
    }


def check_name(name: object, what: str) -> str:
    """``InputError`` unless it can be a name: no ``/``, as that stands between a flow's name and a deployment's."""
    hint = "write 1 to 100 characters, none of them / % & < >, the first no '-', and no space at either end"
    if not isinstance(name, str):
        raise wrong_type(name, what, "a string", hint)
    if not _NAME.fullmatch(name) or name != name.strip() or name.startswith("-") or not _is_text(name):
        raise InputError(f"{what} cannot be {name!a}", hint=hint)
    return name


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
