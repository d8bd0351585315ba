"""A run's settings as a pod has them. Pure.

Each setting is carried over, changes nothing in a cluster, or is refused with what is used there instead; a test holds
that every one of ``RunSettings`` is among them. Source: the Kubernetes API, ``core/v1`` ``Container`` and ``PodSpec``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from imagekit.errors import CredentialExposed, InputError
from imagekit.kubernetes.names import secret_key
from imagekit.runs.concealing import is_held
from imagekit.runs.own_directory import HOME
from imagekit.runs.request import check_environment
from imagekit.runs.settings import RunSettings
from imagekit.secrets.telling import credential

_TEMPLATE = "it is the cluster's own affair: give it by job_template (--job-template FILE)"
CARRIED = frozenset(
    """command name env labels image image_pull_policy network_mode mem_limit privileged cpus gpus shm_size timeout
    stop_grace user workdir read_only serializer cap_add allow_new_privileges""".split()
)
# The engine's part of them, or the machine's that waits for a run.
WITHOUT_MEANING = frozenset({"auto_remove", "stream_output", "allow_engine_socket", "allow_host_root"})
REFUSED: Mapping[str, str] = {
    "registry_credentials": "a pod pulls with a secret: image_pull_secrets=['NAME'] (--image-pull-secret NAME)",
    "networks": _TEMPLATE,
    "volumes": _TEMPLATE,
    "memswap_limit": "a node's kubelet decides about swap: leave it out",
    "container_create_kwargs": "they are docker-py's; job_template (--job-template FILE) takes what a Job may have",
    "pids": "a node's kubelet limits processes: leave it out",
}


def refused(settings: RunSettings) -> list[InputError]:
    """What of ``settings`` cannot be carried over."""
    problems = []
    for each in fields(RunSettings):
        if each.name in REFUSED and getattr(settings, each.name) != _default(each):
            problems.append(InputError(f"{each.name} has no equivalent in Kubernetes", hint=REFUSED[each.name]))
    if settings.image_pull_policy == "IfPossible":
        problems.append(
            InputError("Kubernetes has no image_pull_policy IfPossible", hint="write IfNotPresent, Always or Never")
        )
    if settings.network_mode not in (None, "host", "bridge"):
        problems.append(InputError(f"network_mode: a pod has no network {settings.network_mode!r}", hint=_TEMPLATE))
    if settings.user is not None and not all(part.isdigit() for part in str(settings.user).split(":")):
        problems.append(InputError(f"user: a pod's user is a number, not {settings.user!r}", hint="write user='1000'"))
    if settings.gpus is not None and not str(settings.gpus).isdigit():
        problems.append(
            InputError(f"gpus: a pod asks for a number of them, not for {settings.gpus!r}", hint="write gpus=1")
        )
    return problems


def environment(settings: RunSettings, secret_env: Mapping[str, str]) -> list[dict[str, Any]]:
    """The container's variables in order of their names. Raises ``InputError``, all at once."""
    problems: list[InputError] = []
    found: dict[str, dict[str, Any]] = {}
    for name, value in settings.env.items():
        if name in secret_env:
            continue
        if value is None:
            problems.append(
                InputError(
                    f"env: a pod cannot take {name} of the image away", hint="give an empty text, if that will do"
                )
            )
        elif is_held(value) or (isinstance(value, str) and credential(name, value) is not None):
            problems.append(
                CredentialExposed(
                    f"env: {name} is a credential, and a manifest is read by many",
                    hint=f"put it into a secret of the cluster, and write secret_env={{{name!r}: 'SECRET/KEY'}} "
                    f"(--secret-env {name}=SECRET/KEY)",
                )
            )
        else:
            found[name] = {"name": name, "value": value}
    for name, value in secret_env.items():
        try:
            check_environment({name: ""})
            found[name] = {"name": name, "valueFrom": {"secretKeyRef": secret_key(value, f"secret_env: {name}")}}
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise InputError.join(problems)
    return [found[name] for name in sorted(found)]


def resources(settings: RunSettings, requests: Mapping[str, str | None]) -> dict[str, Any]:
    """Limits of the settings, and ``requests`` where they are given. Memory is in bytes, exactly."""
    limits = {
        "cpu": None if settings.cpus is None else f"{math.ceil(float(settings.cpus) * 1000)}m",
        "memory": None if settings.memory is None else str(settings.memory),
        # The name that NVIDIA's device plug-in gives its resource.
        "nvidia.com/gpu": None if settings.gpus is None else str(settings.gpus),
    }
    return _given(limits=_given(**limits), requests=_given(**requests))


def security(settings: RunSettings) -> dict[str, Any]:
    """As safe as a run's container is, unless it is said."""
    uid, _, gid = ("" if settings.user is None else str(settings.user)).partition(":")
    found = _given(
        runAsUser=int(uid) if uid else None,
        runAsGroup=int(gid) if gid else None,
        readOnlyRootFilesystem=settings.read_only or None,
    )
    if settings.privileged:
        return {"privileged": True, **found}
    capabilities = _given(drop=["ALL"], add=list(settings.cap_add))
    return {"allowPrivilegeEscalation": settings.allow_new_privileges, "capabilities": capabilities, **found}


def scratch(settings: RunSettings) -> list[tuple[str, str, dict[str, Any]]]:
    """Volumes that a pod has while it runs: name, path, ``emptyDir``."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    if settings.shared_memory is not None:
        found.append(("shm", "/dev/shm", {"medium": "Memory", "sizeLimit": str(settings.shared_memory)}))  # noqa: S108
    if settings.read_only:
        found.append(("tmp", "/tmp", {}))  # noqa: S108 - in the container
    if settings.user is not None:
        # Many programs keep something at home, and this user may have none in the image.
        found.append(("home", HOME, {}))
    return found


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {}, [])}


def _default(each: Any) -> Any:
    return each.default_factory() if callable(each.default_factory) else each.default
