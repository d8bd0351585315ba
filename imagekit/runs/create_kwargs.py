"""``container_create_kwargs``: further arguments of docker-py's ``containers.create``, as parts of the API's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import InputError, UnknownKeyword
from imagekit.nearest import nearest_hint
from imagekit.runs.create_values import check_values

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
# What would break the streams that the run's output comes by, or run a flow again that has ended.
_REFUSED = """tty stdin_open detach log_config remove stdout stderr stream platform links version
    restart_policy""".split()
_IGNORED = ("use_config_proxy",)
_CONFIG = """hostname domainname entrypoint healthcheck mac_address network_disabled stop_signal ports""".split()
_LISTS = ("Mounts", "CapAdd", "CapDrop", "ExtraHosts", "SecurityOpt", "GroupAdd")
# What shows a flow the host, or another container, with the values that do not.
_OF_THE_HOST: Mapping[str, tuple[str, ...]] = {
    "cgroupns": ("private",),
    "device_cgroup_rules": (),
    "devices": (),
    "ipc_mode": ("none", "private", "shareable"),
    "pid_mode": (),
    "userns_mode": (),
    "uts_mode": (),
    "volumes_from": (),
}


def check_names(given: Mapping[str, Any]) -> None:
    """Raises ``InputError`` for all names that cannot be used here."""
    problems: list[InputError] = []
    for name in given:
        if name in _OWN:
            hint = f"leave it out there, and give {_OWN[name]} (imagekit run --help lists its option)"
            problems.append(InputError(f"container_create_kwargs: {name!r} is a setting of its own", hint=hint))
        elif name in _REFUSED:
            hint = "leave it out: a run's output is streamed, and its container is made and ended by imagekit"
            problems.append(InputError(f"container_create_kwargs: {name!r} cannot be set for a run", hint=hint))
        elif name not in (known := _known()):
            hint = nearest_hint(name, {*known, *_OWN} - {*_REFUSED, *_IGNORED})
            problems.append(UnknownKeyword(f"container_create_kwargs: docker-py has no argument {name!r}", hint=hint))
    if problems:
        raise InputError.join(problems)


def converted(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body's own keys, and those of its ``HostConfig``. Raises ``InputError`` for values docker-py refuses."""
    if not given:
        return {}, {}
    check_names(given)
    check_values(given)
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


def check_isolation(given: Mapping[str, Any], *, privileged: bool, new_privileges: bool) -> None:
    """``InputError`` for what hands more of the host to a flow than was allowed by name."""
    problems = []
    for name, value in given.items():
        if name == "security_opt" and not (privileged or new_privileges) and any(map(_is_privilege, value or ())):
            hint = "leave it out; allow_new_privileges=True (--allow-new-privileges) allows it"
            problems.append(InputError(f"container_create_kwargs: security_opt={value!r} allows setuid", hint=hint))
        elif name in _OF_THE_HOST and value and value not in _OF_THE_HOST[name] and not privileged:
            hint = "leave it out; privileged=True (--privileged) allows it"
            problems.append(
                InputError(f"container_create_kwargs: {name}={value!r} hands the host's own to the flow", hint=hint)
            )
    if problems:
        raise InputError.join(problems)


def _is_privilege(option: object) -> bool:
    """Whether it takes ``no-new-privileges`` back (moby daemon/daemon_unix.go, parseSecurityOpt)."""
    name, _, value = str(option).replace(":", "=", 1).partition("=")
    return name.strip() == "no-new-privileges" and value not in ("", "1", "t", "T", "true", "True", "TRUE")


def merged(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """``HostConfig`` of both; lists are joined, and otherwise what was given by name goes before."""
    together = {**ours, **theirs}
    for name in _LISTS:
        if ours.get(name) and theirs.get(name):
            together[name] = [*ours[name], *theirs[name]]
    if ours.get("Tmpfs") and theirs.get("Tmpfs"):
        together["Tmpfs"] = {**ours["Tmpfs"], **theirs["Tmpfs"]}
    return together


def _known() -> tuple[str, ...]:
    from docker.models.containers import RUN_CREATE_KWARGS, RUN_HOST_CONFIG_KWARGS

    return (*RUN_CREATE_KWARGS, *RUN_HOST_CONFIG_KWARGS, "ports")
