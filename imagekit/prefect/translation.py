"""An embedded deployment and its work pool as Prefect's server and Docker worker have them. Pure.

Source: PrefectHQ/prefect 3.8, ``client/schemas/actions.py`` (``WorkPoolCreate``, ``DeploymentCreate``);
``prefect_docker/worker.py`` (``DockerWorkerJobConfiguration``); ``deployments/steps/pull.py`` (``git_clone``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagekit.checkouts.read import read_source
from imagekit.checkouts.values import GitSource
from imagekit.deploying.template import defaults, merged
from imagekit.deploying.variables import VARIABLES
from imagekit.errors import InputError
from imagekit.oci.digest import is_digest
from imagekit.oci.reference import Reference
from imagekit.runs.body import device_requests
from imagekit.runs.sizes import size_in_bytes
from imagekit.runs.start import SAFE_DEFAULTS
from imagekit.store.work_values import Deployment, WorkPool

# The variables of Prefect's Docker worker; those of ours that are not among them are arguments of docker-py's there.
PREFECTS = frozenset(
    """command env labels name image registry_credentials image_pull_policy networks network_mode auto_remove volumes
    stream_output mem_limit memswap_limit privileged container_create_kwargs""".split()
)
_KWARGS = "container_create_kwargs"
# What concerns only who runs things here.
_HERE = frozenset({"serializer", "stop_grace", "allow_engine_socket", "allow_host_root"})
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_LAST = re.compile(r"\b([0-7])L\b")
_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """What Prefect's server is to be sent, as JSON, and what somebody should know of it."""

    flow: str
    pool: Mapping[str, Any]
    deployment: Mapping[str, Any]
    told: tuple[str, ...] = ()


def translated(deployment: Deployment, pool: WorkPool, *, image: str | None = None) -> Translated:
    """``deployment`` with its pool. ``image`` takes the place of the one that it is pinned to.

    Raises ``InputError``, all at once, for what Prefect's Docker worker cannot do.
    """
    problems: list[InputError] = []
    told: list[str] = []
    below = defaults(pool.template)
    flow, _, name = deployment.name.partition("/")
    pull, entrypoint = _pull_steps(deployment, problems)
    variables = _job_variables(below, deployment.job_variables, problems, told)
    reference = _image(deployment, told) if image is None else _named(image, problems)
    if reference is not None:
        variables["image"] = reference
    template = _template(pool.template, problems, told)
    schedules = [_schedule(each, problems) for each in deployment.schedules]
    if deployment.flow_options:
        options = ", ".join(f"{name}={value!r}" for name, value in deployment.flow_options.items())
        told.append(f"what with_options changed is the flow's own affair there: @flow({options})")
    if problems:
        raise InputError.join(problems)
    wanted = {
        "name": name,
        "work_pool_name": pool.name,
        "entrypoint": entrypoint,
        "path": None if pull else ".",
        "pull_steps": pull,
        "parameters": dict(deployment.parameters),
        "job_variables": variables,
        "schedules": schedules,
        "paused": deployment.is_paused,
        "concurrency_limit": deployment.concurrency_limit,
        "tags": list(deployment.tags),
        "description": deployment.description,
        "version": deployment.version,
        "enforce_parameter_schema": deployment.checks_parameters and deployment.signature is not None,
        "parameter_openapi_schema": _parameters(deployment.signature),
    }
    made = {
        "name": pool.name,
        "type": pool.type,
        "description": pool.description,
        "is_paused": pool.is_paused,
        "concurrency_limit": pool.concurrency_limit,
        "base_job_template": template,
    }
    return Translated(flow=flow, pool=made, deployment=wanted, told=tuple(dict.fromkeys(told)))


def _template(template: Mapping[str, Any], problems: list[InputError], told: list[str]) -> dict[str, Any]:
    """The base job template; what a pool inherits there is what it inherits here."""
    below = defaults(template)
    values = _values(below, problems, told)
    values[_KWARGS] = _create_kwargs(below, problems, told)
    job: dict[str, Any] = {}
    for name, value in template["job_configuration"].items():
        if name in PREFECTS:
            job[name] = value
        elif value != f"{{{{ {name} }}}}":
            problems.append(
                InputError(
                    f"the work pool's template says {name} in its own way, which Prefect's Docker worker does not know",
                    hint=f'write "{name}": "{{{{ {name} }}}}", and give its value as a variable',
                )
            )
    ours = VARIABLES.keys() - PREFECTS
    schemas = template["variables"].get("properties") or {}
    properties = {name: _schema(name, schema) for name, schema in schemas.items() if name not in ours}
    for name, value in values.items():
        properties.setdefault(name, _schema(name, VARIABLES.get(name, {})))["default"] = value
    job[_KWARGS] = f"{{{{ {_KWARGS} }}}}"
    # As a run's container goes here when its end is recorded; the worker's own default is to keep it.
    properties.setdefault("auto_remove", _schema("auto_remove", VARIABLES["auto_remove"])).setdefault("default", True)
    job["auto_remove"] = "{{ auto_remove }}"
    return {"job_configuration": job, "variables": {"type": "object", "properties": properties}}


def _schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A variable's schema, of the kinds that the worker takes."""
    found = {key: value for key, value in schema.items() if key != "default"}
    if name in ("mem_limit", "memswap_limit", "command"):
        return {**{key: found[key] for key in ("title", "description") if key in found}, **_TEXT}
    if name == "env":
        return {**found, "additionalProperties": _TEXT}
    if name == "registry_credentials":
        # A block of the server's, or a reference to one.
        return {key: found[key] for key in ("title", "description") if key in found}
    return found


def _job_variables(
    below: Mapping[str, Any], given: Mapping[str, Any], problems: list[InputError], told: list[str]
) -> dict[str, Any]:
    """A deployment's own variables. What is joined with the pool's here takes its place there, so it is joined now."""
    both = merged(below, given)
    found = _values({**given, **({"env": both["env"]} if "env" in given else {})}, problems, told)
    if given.keys() & {*_ARGUMENTS, _KWARGS, "timeout", "privileged", "allow_new_privileges"}:
        found[_KWARGS] = _create_kwargs(both, problems, told)
    return found


def _values(given: Mapping[str, Any], problems: list[InputError], told: list[str]) -> dict[str, Any]:
    """Those of ``given`` that the worker has by the same name, as it takes them."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or name == _KWARGS or (name in VARIABLES and name not in PREFECTS):
            continue
        if name == "command":
            hint = "a worker of Prefect's starts flows by its own command: leave it out"
            problems.append(InputError("command: the flow would not be run", hint=hint))
        elif name == "registry_credentials":
            hint = "make a block of the type docker-registry-credentials there, and name it in the pool's template"
            problems.append(InputError("registry_credentials: they are not sent to a server", hint=hint))
        elif name == "env":
            found[name] = {key: _variable(each, told) for key, each in value.items()}
        elif name in ("mem_limit", "memswap_limit"):
            found[name] = str(value)
        else:
            found[name] = value
    return found


def _variable(value: Any, told: list[str]) -> Any:
    if not isinstance(value, Mapping):
        return value
    name = value["secret"]
    told.append(f"the secret {name!r} is a Secret block there: prefect block create secret, if there is none yet")
    return f"{{{{ prefect.blocks.secret.{name} }}}}"


def _create_kwargs(values: Mapping[str, Any], problems: list[InputError], told: list[str]) -> dict[str, Any]:
    """What the worker knows only as arguments of docker-py's ``containers.create``: limits, and what is safe."""
    found: dict[str, Any] = {}
    if not values.get("privileged"):
        found = {"cap_drop": SAFE_DEFAULTS["CapDrop"], "pids_limit": SAFE_DEFAULTS["PidsLimit"]}
        if not values.get("allow_new_privileges"):
            found["security_opt"] = SAFE_DEFAULTS["SecurityOpt"]
    for name, value in values.items():
        if value is None:
            continue
        if name == "timeout":
            told.append(f"a run's time limit is the flow's there: @flow(timeout_seconds={value:g})")
        elif name in _ARGUMENTS:
            try:
                found |= _ARGUMENTS[name](value)
            except InputError as problem:
                problems.append(problem)
    return {**found, **(values.get(_KWARGS) or {})}


_ARGUMENTS: Mapping[str, Any] = {
    "cpus": lambda value: {"nano_cpus": round(float(value) * 1e9)},
    "pids": lambda value: {"pids_limit": value},
    "gpus": lambda value: {"device_requests": device_requests(str(value))},
    "shm_size": lambda value: {"shm_size": size_in_bytes(value, "shm_size")},
    "user": lambda value: {"user": str(value)},
    "workdir": lambda value: {"working_dir": value},
    "read_only": lambda value: {"read_only": True, "tmpfs": {"/tmp": "mode=1777"}} if value else {},  # noqa: S108
    "cap_add": lambda value: {"cap_add": list(value)},
}


def _named(image: object, problems: list[InputError]) -> str | None:
    try:
        if not isinstance(image, str):
            raise InputError(f"image: a {type(image).__name__} is no name of an image", hint="image='NAME@sha256:…'")
        return str(Reference.parse(image))
    except InputError as problem:
        problems.append(problem)
        return None


def _image(deployment: Deployment, told: list[str]) -> str | None:
    if deployment.pinned is not None and not is_digest(deployment.pinned):
        return deployment.pinned
    if deployment.image is not None:
        told.append(
            f"{deployment.image} was not pushed, so it is named by its tag, and only workers on this engine have it"
        )
    return deployment.image


def _pull_steps(deployment: Deployment, problems: list[InputError]) -> tuple[list[dict[str, Any]], str]:
    """How the flow's source comes to its container, and the entrypoint there."""
    if deployment.source is None:
        return [], deployment.entrypoint
    source = read_source(deployment.source, Path("/")) if deployment.source.startswith("git+") else None
    if not isinstance(source, GitSource):
        problems.append(
            InputError(
                f"{deployment.name}: its source is a directory of this machine, which no other has",
                hint="deploy it from a repository (flow.from_source('https://…')), or in an image",
            )
        )
        return [], deployment.entrypoint
    step: dict[str, Any] = {"repository": source.url}
    if source.ref is not None:
        step["commit_sha" if _COMMIT.fullmatch(source.ref) else "branch"] = source.ref
    if deployment.source_secret is not None:
        step["access_token"] = f"{{{{ prefect.blocks.secret.{deployment.source_secret} }}}}"
    path = posixpath.join(source.subdirectory, deployment.entrypoint)
    return [{"prefect.deployments.steps.git_clone": step}], path


def _schedule(found: Mapping[str, Any], problems: list[InputError]) -> dict[str, Any]:
    """A schedule's JSON is of the same names; Prefect counts an interval in seconds as well."""
    named = {name: value for name, value in found.items() if value is not None}
    return {"schedule": {**named, **(_cron(named["cron"], problems) if "cron" in named else {})}, "active": True}


def _cron(text: str, problems: list[InputError]) -> dict[str, Any]:
    """The same times by croniter, which Prefect reads it with: a month's last Friday is ``L5`` there, and days of the
    month and of the week are one *or* the other, unless ``day_or`` says otherwise. Debian's cron, as here, takes both
    where a field begins with ``*``."""
    fields = text.split()
    if len(fields) != 5:
        return {"day_or": True}
    days, weekdays = fields[2].upper(), fields[4].upper()
    if "LW" in days.split(","):
        hint = "name days of the month: a run on any other than the last weekday can end at once"
        problems.append(InputError(f"cron: {text!r}: Prefect knows no last weekday of a month", hint=hint))
    if _LAST.search(weekdays):
        text = " ".join([*fields[:4], _LAST.sub(r"L\1", weekdays)])
    is_both = "*" not in (days, weekdays) and (days.startswith("*") or weekdays.startswith("*"))
    return {"cron": text, "day_or": not is_both}


def _parameters(signature: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters' names as JSON Schema; their types are the flow's own affair."""
    if signature is None:
        return {"title": "Parameters", "type": "object", "properties": {}}
    names, required = signature.get("names") or (), set(signature.get("required") or ())
    return {
        "title": "Parameters",
        "type": "object",
        "properties": {name: {"title": name, "position": n} for n, name in enumerate(names)},
        "required": [name for name in names if name in required],
    }
