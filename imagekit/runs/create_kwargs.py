"""``container_create_kwargs``: further arguments of docker-py's ``containers.create``, as parts of the API's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import InputError, UnknownKeyword
from imagekit.nearest import nearest_hint

# docker-py's name for what is a setting of its own here.
_OWN = {
    "environment": "env",
    "working_dir": "workdir",
    "pids_limit": "pids",
    "nano_cpus": "cpus",
    "device_requests": "gpus",
    "network": "networks",
    **{
        name: name
        for name in """command name labels image network_mode auto_remove volumes mem_limit memswap_limit privileged
        shm_size user read_only cap_add""".split()
    },
}
# What would break the streams that the run's output comes by.
_REFUSED = ("tty", "stdin_open", "detach", "log_config", "remove", "stdout", "stderr", "stream", "platform", "links")
_IGNORED = ("use_config_proxy",)
_CONFIG = """hostname domainname entrypoint healthcheck mac_address network_disabled stop_signal ports""".split()
_LISTS = ("Mounts", "CapAdd", "ExtraHosts", "SecurityOpt", "GroupAdd")


def check_names(given: Mapping[str, Any]) -> None:
    """Raises ``InputError`` for all names that cannot be used here."""
    problems: list[InputError] = []
    for name in given:
        if name in _OWN:
            hint = f"give {_OWN[name]} beside container_create_kwargs"
            problems.append(InputError(f"container_create_kwargs: {name!r} is a setting of its own", hint=hint))
        elif name in _REFUSED:
            hint = "leave it out: a run's output is streamed and its container made as imagekit needs it"
            problems.append(InputError(f"container_create_kwargs: {name!r} cannot be set for a run", hint=hint))
        elif name not in (known := _known()):
            hint = nearest_hint(name, [*known, *_OWN])
            problems.append(UnknownKeyword(f"container_create_kwargs: docker-py has no argument {name!r}", hint=hint))
    if problems:
        raise InputError.join(problems)


def converted(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body's own keys, and those of its ``HostConfig``. Raises ``InputError`` for values docker-py refuses."""
    check_names(given)
    if not given:
        return {}, {}
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.errors import DockerException
    from docker.types import ContainerConfig, HostConfig

    given = {name: value for name, value in given.items() if name not in _IGNORED and value is not None}
    config = {name: given[name] for name in _CONFIG if name in given}
    host = {name: value for name, value in given.items() if name not in _CONFIG}
    if "ports" in config:
        host["port_bindings"] = config.pop("ports")
        config["ports"] = [tuple(str(port).split("/", 1)) for port in host["port_bindings"]]
    version = DEFAULT_DOCKER_API_VERSION
    try:
        unset = HostConfig(version=version)
        in_host = {key: value for key, value in HostConfig(version=version, **host).items() if value != unset.get(key)}
        body = dict(ContainerConfig(version, None, None, **config)) if config else {}
        plain = dict(ContainerConfig(version, None, None)) if config else {}
    except (DockerException, TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"container_create_kwargs: {error}", hint="see docker-py's containers.create") from error
    return {key: value for key, value in body.items() if value is not None and value != plain.get(key)}, in_host


def bound_sources(given: Mapping[str, Any]) -> list[str]:
    """The paths of the host in ``mounts``. Raises ``InputError`` for what is no mount."""
    found = []
    mounts = converted(given)[1].get("Mounts") or []
    for each in mounts if isinstance(mounts, list) else [mounts]:
        if each is mounts or not isinstance(each, Mapping):
            hint = 'write mounts=[{"Type": "bind", "Source": "/srv/data", "Target": "/data"}]'
            raise InputError("container_create_kwargs: mounts is not a list of mounts", hint=hint)
        # The engine takes the names of JSON's keys in any case.
        told = {str(name).lower(): value for name, value in each.items()}
        if told.get("type") == "bind" and told.get("source"):
            found.append(str(told["source"]))
    return found


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """``HostConfig`` of both; lists are joined, and otherwise what was given by name goes before."""
    together = {**ours, **theirs}
    for name in _LISTS:
        if ours.get(name) and theirs.get(name):
            together[name] = [*ours[name], *theirs[name]]
    return together


def _known() -> tuple[str, ...]:
    from docker.models.containers import RUN_CREATE_KWARGS, RUN_HOST_CONFIG_KWARGS

    return (*RUN_CREATE_KWARGS, *RUN_HOST_CONFIG_KWARGS, "ports")
