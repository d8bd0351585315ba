"""``flow``: a function that is a flow, which can still be called, and can be deployed.

Names and meanings are those of ``prefect.flow`` and ``prefect.Flow``; what a flow here does not take is refused, so
that nothing is said in vain. Importing this imports nothing of the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from pathlib import Path

    from imagekit.deploying.schedules import Schedule
    from imagekit.deploying.spec import DeploymentSpec
    from imagekit.image import DockerImage

P = ParamSpec("P")
R = TypeVar("R")


class Flow(Generic[P, R]):
    """A flow: call it, and its function is called here; ``deploy`` it, and it runs in containers.

    ``name`` is by default the function's, with ``-`` for ``_``. ``log_prints`` is taken for Prefect's sake: all that
    a run writes is kept in its log. ``timeout_seconds`` is the time limit of its runs, with all their ``retries``:
    a call that raises is made again so many times, ``retry_delay_seconds`` after, in the same process.

    Raises ``UnknownKeyword`` for what flows here do not take, and ``InputError``'s other kinds for values that cannot
    be meant.
    """

    def __init__(
        self,
        fn: Callable[P, R] | None = None,
        name: str | None = None,
        *,
        version: str | None = None,
        description: str | None = None,
        log_prints: bool | None = None,
        timeout_seconds: float | None = None,
        retries: int | None = None,
        retry_delay_seconds: float | None = None,
        validate_parameters: bool = True,
        entrypoint: str | None = None,
        source: str | None = None,
        source_secret: str | None = None,
        changed: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        if more:
            raise _unknown(more)
        _check_retries(retries, retry_delay_seconds)
        _check_kinds(
            name=name,
            version=version,
            description=description,
            entrypoint=entrypoint,
            source=source,
            source_secret=source_secret,
            log_prints=log_prints,
            validate_parameters=validate_parameters,
            timeout_seconds=timeout_seconds,
        )
        if fn is not None or entrypoint is None:
            if not callable(fn):
                from imagekit.wrong_type import wrong_type

                raise wrong_type(fn, "what @flow stands above", "a function", "write @flow above: def NAME():")
            functools.update_wrapper(self, fn)
        self._fn = fn
        self.entrypoint = entrypoint
        function = getattr(fn, "__name__", None) or (entrypoint or "").rpartition(":")[2]
        self.name = name or function.replace("_", "-")
        self._given_name = name
        self.version = version
        self.description = description or (None if fn is None else getattr(fn, "__doc__", None))
        self.log_prints = log_prints
        self.timeout_seconds = timeout_seconds
        self.retries = retries
        self.retry_delay_seconds = retry_delay_seconds
        self.validate_parameters = validate_parameters
        self.source = source
        self.source_secret = source_secret
        # What runs are called with otherwise than the flow's file says.
        self.changed = dict(changed or {})

    @property
    def fn(self) -> Callable[P, R]:
        """The function. Raises ``InputError`` for a flow that is elsewhere, which has none here; so does calling it."""
        if self._fn is None:
            from imagekit.errors import InputError

            raise InputError(
                f"{self.entrypoint} is in {self.source}, and not here",
                hint=f"run it there: imagekit run {self.entrypoint} --source {self.source}",
            )
        return self._fn

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if not self.retries:
            return self.fn(*args, **kwargs)
        # Where imagekit is not in the image, it is the stand-in that does it.
        from imagekit.runs.stand_in import with_retries

        call = functools.partial(self.fn, *args, **kwargs)
        result: R = with_retries(call, self.retries, self.retry_delay_seconds or 0)
        return result

    def __repr__(self) -> str:
        return f"Flow({self.name!r})"

    def with_options(self, *, name: str | None = None, **options: Any) -> Flow[P, R]:
        """The same flow with some of its options changed; ``None`` leaves one as it is. Deployments of it run so.

        Raises as ``Flow`` does.
        """
        names = (*_OPTIONS[1:], "entrypoint", "source", "source_secret")
        kept = {each: getattr(self, each) for each in names}
        given = {each: value for each, value in options.items() if value is not None}
        changed = {**self.changed, **{each: given[each] for each in _OF_CALLS if each in given}}
        return Flow(self._fn, name or self._given_name, **{**kept, **given, "changed": changed})

    def as_declared(self, declared: Mapping[str, Any]) -> Flow[P, R]:
        """This flow, which is elsewhere, with what its decorator there says that nobody says otherwise here
        (``spec.flow_options``)."""
        names = ("version", "description", "timeout_seconds")
        options = {each: getattr(self, each) or declared.get(each) for each in names}
        options["validate_parameters"] = self.validate_parameters and declared.get("validate_parameters", True)
        return self.with_options(name=self._given_name or declared.get("name"), **options)

    @staticmethod
    def from_source(source: str | Path, entrypoint: str, *, source_secret: str | None = None) -> Flow[Any, Any]:
        """The flow ``PATH.py:FUNCTION`` of a git repository (``https://HOST/REPO.git``, ``git+ssh://…@REF``), or of a
        directory of this machine, which is fetched when a run of it begins.

        ``source_secret`` names the stored secret that the repository's server takes. Raises ``InputError``'s kinds;
        nothing is asked of any server here. What the flow's decorator says there (its ``name``) is read when it is
        deployed.
        """
        from imagekit.deploying.sources import source_text
        from imagekit.spec.entrypoint import Entrypoint

        text = source_text(source, source_secret)
        return Flow(entrypoint=str(Entrypoint.parse(entrypoint)), source=text, source_secret=source_secret)

    def to_deployment(
        self,
        name: str,
        *,
        interval: Any = None,
        cron: str | Sequence[str] | None = None,
        rrule: Any = None,
        schedule: Schedule | None = None,
        schedules: Sequence[Schedule] | None = None,
        paused: bool | None = None,
        concurrency_limit: int | None = None,
        parameters: Mapping[str, Any] | None = None,
        description: str | None = None,
        tags: Sequence[str] | None = None,
        version: str | None = None,
        enforce_parameter_schema: bool = True,
        work_pool_name: str | None = None,
        job_variables: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> DeploymentSpec:
        """What ``deploy`` makes a deployment of: this flow, by ``name``, with ``parameters`` and ``job_variables``.

        ``interval`` is seconds or a ``timedelta``; one of ``interval``, ``cron``, ``schedule`` and ``schedules``.
        Raises ``InputError``'s kinds.
        """
        from imagekit.deploying.spec import specification

        return specification(
            self,
            name,
            {"interval": interval, "cron": cron, "rrule": rrule, "schedule": schedule, "schedules": schedules},
            paused=paused,
            concurrency_limit=concurrency_limit,
            parameters={} if parameters is None else parameters,
            description=description,
            tags=() if tags is None else tags,
            version=version,
            enforce_parameter_schema=enforce_parameter_schema,
            work_pool_name=work_pool_name,
            job_variables={} if job_variables is None else job_variables,
            more=more,
        )

    def deploy(
        self,
        name: str,
        work_pool_name: str | None = None,
        image: str | DockerImage | None = None,
        build: bool = True,
        push: bool = True,
        *,
        print_next_steps: bool = True,
        ignore_warnings: bool = False,
        **options: Any,
    ) -> str:
        """Build the image with this flow in it, push it, and keep a deployment that is pinned to it; its ID.

        ``options`` are those of ``to_deployment``; for all else, what it raises too, see ``imagekit.deploy``.
        """
        from imagekit.deploying.deploy import deploy

        spec = self.to_deployment(name, **options)
        (identity,) = deploy(
            spec,
            work_pool_name=work_pool_name or spec.work_pool_name,
            image=image,
            build=build,
            push=push,
            print_next_steps_message=print_next_steps,
            ignore_warnings=ignore_warnings,
        )
        return identity


class _Decorator:
    """``@flow`` and ``@flow(name=…)``: a function becomes a ``Flow``; ``flow.from_source`` gives one that is elsewhere.

    Raises as ``Flow`` does: ``UnknownKeyword``, and ``InputError``'s other kinds, where the function stands.
    """

    from_source = staticmethod(Flow.from_source)

    @overload
    def __call__(self, fn: Callable[P, R], /) -> Flow[P, R]: ...

    @overload
    def __call__(
        self,
        /,
        *,
        name: str | None = ...,
        version: str | None = ...,
        description: str | None = ...,
        log_prints: bool | None = ...,
        timeout_seconds: float | None = ...,
        retries: int | None = ...,
        retry_delay_seconds: float | None = ...,
        validate_parameters: bool = ...,
    ) -> Callable[[Callable[P, R]], Flow[P, R]]: ...

    def __call__(self, fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        return functools.partial(Flow, **options) if fn is None else Flow(fn, **options)


flow = _Decorator()

_OPTIONS = """name version description log_prints timeout_seconds retries retry_delay_seconds
    validate_parameters""".split()
# Those of which a run knows by the flow's file alone.
_OF_CALLS = ("retries", "retry_delay_seconds")
# Options of Prefect's flows that want Prefect around them.
_OF_PREFECT = """flow_run_name task_runner persist_result result_storage result_serializer
    cache_result_in_memory on_failure on_completion on_cancellation on_crashed on_running""".split()


def _check_retries(retries: object, delay: object) -> None:
    if retries is None and delay is None:
        return
    from imagekit.errors import InputError
    from imagekit.wrong_type import wrong_type

    if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int)):
        raise wrong_type(retries, "retries", "a whole number", "write retries=3")
    if retries is not None and retries < 0:
        raise InputError(f"retries={retries} is less than none", hint="write retries=3")
    hint = "write retry_delay_seconds=10"
    if delay is not None and (isinstance(delay, bool) or not isinstance(delay, (int, float)) or delay != delay):
        raise wrong_type(delay, "retry_delay_seconds", "a number of seconds", hint)
    if delay is not None and not 0 <= delay < float("inf"):
        raise InputError(f"retry_delay_seconds={delay:g} cannot be waited for", hint=hint)


def _check_kinds(**given: object) -> None:
    for name, value in given.items():
        if name == "timeout_seconds":
            is_right = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
            what, example = "a number of seconds above 0", "60"
        elif name in ("log_prints", "validate_parameters"):
            is_right, what, example = isinstance(value, bool), "True or False", "True"
        else:
            is_right, what, example = isinstance(value, str), "a string", "'…'"
        if value is not None and not is_right:
            from imagekit.wrong_type import wrong_type

            raise wrong_type(value, name, what, f"write {name}={example}")


def _unknown(more: Mapping[str, Any]) -> Exception:
    from imagekit.errors import UnknownKeyword
    from imagekit.nearest import nearest_hint

    name = next(iter(more))
    if name in _OF_PREFECT:
        return UnknownKeyword(
            f"a flow of imagekit's takes no {name!r}: that is for Prefect to do",
            hint="from prefect import flow, in an image that has Prefect; both kinds run the same way",
        )
    return UnknownKeyword(f"a flow takes no {name!r}", hint=nearest_hint(name, _OPTIONS))
