"""One run as a Kubernetes ``Job``, with the ``ConfigMap`` that holds what starts it. Pure: nothing is asked or sent.

Source: the Kubernetes API, ``batch/v1`` ``Job``. The container starts what ``imagekit run`` starts in one
(``runs/bootstrap.py``), as its arguments, so that an entrypoint of the image's is honoured: one that adds
``EXTRA_PIP_PACKAGES``, for one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from imagekit.errors import InputError
from imagekit.kubernetes import container
from imagekit.kubernetes.names import check_labels, check_name, check_quantity, check_subdomain, object_name
from imagekit.oci.digest import digest_of_json
from imagekit.oci.reference import Reference
from imagekit.runs.own_directory import DIRECTORY, HOME, OUT
from imagekit.runs.request import OUTCOME_FILE, Request
from imagekit.runs.settings import RunSettings
from imagekit.wrong_type import wrong_type

PROGRAM = f"{DIRECTORY}/program"
MOST_OF_CONFIG = 1 << 20  # bytes, of a ConfigMap's data: Kubernetes, *ConfigMaps*
FLOW = "flow"  # the container's name, by which a job_template adds to it
_KINDS: dict[Any, str] = {
    str: "a string",
    Mapping: "a dict",
    (Mapping, RunSettings): "a dict or a RunSettings",
    (list, tuple): "a list of strings",
}
_MANAGED = {"app.kubernetes.io/managed-by": "imagekit"}


def job_manifest(
    entrypoint: str,
    *,
    image: str,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    job_variables: Mapping[str, Any] | RunSettings | None = None,
    secret_env: Mapping[str, str] | None = None,
    namespace: str | None = None,
    service_account_name: str | None = None,
    image_pull_secrets: Sequence[str] = (),
    cpu_request: str | None = None,
    memory_request: str | None = None,
    job_template: Mapping[str, Any] | None = None,
    python: str = "python3",
    flow_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A ``v1`` ``List`` of a ``ConfigMap`` and a ``Job`` that runs ``entrypoint`` (``flow.py:etl``) once.

    ``image`` is what the cluster pulls, best by its digest. ``name`` tells one run from another: applied again, a
    Job that is there already does nothing. ``job_variables`` are a deployment's (those of ``RunSettings``);
    ``secret_env`` names variables by keys of the cluster's secrets, ``{"TOKEN": "SECRET/KEY"}``. ``job_template`` is a
    Job of your own, into which all this is put: mappings are merged, the container called ``flow`` with ours, other
    lists go before ours. ``flow_options`` are what the flow's ``with_options`` is called with.

    Raises ``InputError``, for all that has no equal in Kubernetes at once.
    """
    _check_kinds(
        entrypoint=(entrypoint, str, "'flow.py:etl'"),
        image=(image, str, "'registry.example.com/orders@sha256:…'"),
        name=(name, str, "'orders-2026-11-21'"),
        python=(python, str, "'python3'"),
        parameters=(parameters or {}, Mapping, "{'n': 3}"),
        job_variables=(job_variables or {}, (Mapping, RunSettings), "{'mem_limit': '2g'}"),
        secret_env=(secret_env or {}, Mapping, "{'TOKEN': 'SECRET/KEY'}"),
        image_pull_secrets=(image_pull_secrets, (list, tuple), "['NAME']"),
    )
    settings = _settings(job_variables or {})
    problems = [
        *container.refused(settings),
        *check_labels(settings.labels),
        *check_template(job_template),
        *check_quantity(cpu_request, "cpu_request"),
        *check_quantity(memory_request, "memory_request"),
    ]
    if problems:
        raise InputError.join(problems)
    reference = str(Reference.parse(image))
    files = Request.of(entrypoint, parameters, serializer=settings.serializer, options=flow_options).files()
    data = {_key(path): content.decode() for path, content in sorted(files.items())}
    if sum(len(content) for content in files.values()) > MOST_OF_CONFIG:
        raise InputError(
            "parameters: with the program they are more than the 1 MiB that a ConfigMap holds",
            hint="pass where the data is, and not the data",
        )
    job_name = object_name(name)
    config_name = f"{job_name}-{digest_of_json(data).rpartition(':')[2][:8]}"
    where = {} if namespace is None else {"namespace": check_name(namespace, "namespace")}
    labels = {**settings.labels, **_MANAGED}

    volumes: list[tuple[str, str, dict[str, Any]]] = [
        ("program", PROGRAM, {"configMap": {"name": config_name, "items": _items(files)}}),
        ("out", OUT, {"emptyDir": {}}),
        *((n, path, {"emptyDir": how}) for n, path, how in container.scratch(settings)),
    ]
    env = container.environment(settings, secret_env or {})
    if any(path == HOME for _, path, _ in volumes) and not any(each["name"] == "HOME" for each in env):
        env.append({"name": "HOME", "value": HOME})
    ours = _given(
        name=FLOW,
        image=reference,
        imagePullPolicy=settings.image_pull_policy,
        args=list(settings.command or (python, f"{PROGRAM}/bootstrap.py", *_arguments())),
        env=env,
        workingDir=settings.workdir,
        resources=container.resources(settings, {"cpu": cpu_request, "memory": memory_request}),
        securityContext=container.security(settings),
        volumeMounts=[
            {"name": n, "mountPath": path, **({"readOnly": True} if n == "program" else {})} for n, path, _ in volumes
        ],
    )
    pod = _given(
        restartPolicy="Never",
        containers=[ours],
        volumes=[{"name": n, **source} for n, _, source in volumes],
        hostNetwork=True if settings.network_mode == "host" else None,
        serviceAccountName=None
        if service_account_name is None
        else check_subdomain(service_account_name, "service_account_name"),
        imagePullSecrets=[{"name": check_subdomain(each, "image_pull_secrets")} for each in image_pull_secrets],
        terminationGracePeriodSeconds=math.ceil(settings.stop_grace),
    )
    spec = _given(
        # A run is one attempt; who wants another asks for another run.
        backoffLimit=0,
        activeDeadlineSeconds=None if settings.timeout is None else math.ceil(settings.timeout),
        template={"metadata": {"labels": labels}, "spec": pod},
    )
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name, **where, "labels": labels},
        "spec": spec,
    }
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": config_name, **where, "labels": labels},
        "immutable": True,
        "data": data,
    }
    return {"apiVersion": "v1", "kind": "List", "items": [config, merged(job_template or {}, job)]}


def _check_kinds(**given: tuple[object, Any, str]) -> None:
    """``InputError`` for each value that is of none of its kinds; the last of the three is one that is."""
    problems = [
        wrong_type(value, name, _KINDS[kinds], f"write {name}={example}")
        for name, (value, kinds, example) in given.items()
        if not isinstance(value, kinds)
    ]
    if problems:
        raise InputError.join(problems)


def _settings(given: Mapping[str, Any] | RunSettings) -> RunSettings:
    if isinstance(given, RunSettings):
        return given
    return RunSettings.from_job_variables({name: value for name, value in given.items() if name != "image"})


def check_template(found: object) -> list[InputError]:
    """What keeps ``found`` from being a Job that something can be put into."""
    if found is None:
        return []
    if not isinstance(found, Mapping):
        return [wrong_type(found, "job_template", "a dict", _JOB)]
    return [
        InputError(f"job_template: its {key} is {found[key]!r}, and not {wanted}", hint=_JOB)
        for key, wanted in (("apiVersion", "batch/v1"), ("kind", "Job"))
        if found.get(key, wanted) != wanted
    ]


_JOB = "write a batch/v1 Job: {'spec': {'template': {'spec': {…}}}}"


def merged(below: Any, above: Any, at: str = "") -> Any:
    """``above`` put into ``below``: mappings by key, containers by their name, other lists one after the other.

    Raises ``InputError`` where one is a mapping or a list, and the other is not.
    """
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {key: merged(below[key], above[key], f"{at}.{key}") for key in below if key in above}
        return {**below, **above, **both}
    if below is not None and any(isinstance(below, kind) != isinstance(above, kind) for kind in (Mapping, list)):
        wanted = "mapping" if isinstance(above, Mapping) else "list" if isinstance(above, list) else "text or number"
        raise InputError(f"job_template: {at[1:]} is no {wanted}", hint=_JOB)
    if not isinstance(below, list) or not isinstance(above, list):
        return above
    if not at.endswith(".containers"):
        return [*below, *above]
    if not all(isinstance(each, Mapping) for each in below):
        raise InputError(f"job_template: {at[1:]} are no mappings", hint=_JOB)
    known = {each["name"]: each for each in below if "name" in each}
    others = [each for each in below if each.get("name") != FLOW]
    return [*(merged(known.get(FLOW, {}), each, at) for each in above), *others]


def manifest_text(document: Mapping[str, Any]) -> str:
    """``document`` as YAML, which ``kubectl apply -f -`` reads; programs stand in it line by line."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    text: str = yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _arguments() -> tuple[str, str]:
    return f"{PROGRAM}/request.json", f"{OUT}/{OUTCOME_FILE}"


def _key(path: str) -> str:
    # A key of a ConfigMap holds no slash; its path in the volume may.
    return path.replace("/", "..")


def _items(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [{"key": _key(path), "path": path} for path in sorted(files)]


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != {} and value != []}
