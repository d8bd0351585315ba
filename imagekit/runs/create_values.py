"""What the values in ``container_create_kwargs`` may be, as far as docker-py does not look and the engine would.

Source: docker-py's ``containers.create`` and ``HostConfig``; Docker Engine API v1.41, ``POST /containers/create``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

from imagekit.errors import InputError

_PORT = re.compile(r"([0-9]{1,5})(-[0-9]{1,5})?")


def check_values(given: Mapping[str, Any]) -> None:
    """Raises ``InputError`` for all values that cannot be meant; ``None`` is none."""
    problems = []
    for names, is_meant, what, hint in _KINDS:
        for name in names.split():
            value = given.get(name)
            if value is not None and not is_meant(value):
                message = f"container_create_kwargs: {name}: {value!r} is not {what}"
                problems.append(InputError(message, hint=f"write {name}={hint}"))
    if problems:
        raise InputError.join(problems)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_text_or_whole(value: object) -> bool:
    return _is_text(value) or _is_whole(value)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


def _list_of(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(is_one, value))


def _mapping_of(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(is_one, value.values()))


_are_texts, _texts_by_name = _list_of(_is_text), _mapping_of(_is_text)


def _is_json(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_json(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, bool) or _is_text_or_whole(value)


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ip_address(value))
    except ValueError:
        return False


def _is_host(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[^:=\0\s]+[:=][^\0\s]+", value))


def _are_ports(value: object) -> bool:
    """``{"8080/tcp": 80}``, with what docker-py takes for a port of the host."""
    if not isinstance(value, Mapping):
        return False
    inside = (str(port).partition("/") for port in value)
    return all(
        _is_port(port) and (protocol if slash else "tcp") in ("tcp", "udp", "sctp") for port, slash, protocol in inside
    ) and all(map(_is_published, value.values()))


def _is_published(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_published, value))
    if isinstance(value, tuple):
        return len(value) in (1, 2) and _is_address(value[0]) and all(map(_is_published, value[1:]))
    return value is None or (_is_text_or_whole(value) and _is_port(value, least=0))


def _is_port(value: object, least: int = 1) -> bool:
    match = _PORT.fullmatch(str(value))
    return match is not None and all(least <= int(each) < 1 << 16 for each in str(value).split("-"))


_KINDS: tuple[tuple[str, Callable[[Any], bool], str, str], ...] = (
    (
        """hostname domainname mac_address stop_signal cpuset_cpus cpuset_mems pid_mode ipc_mode userns_mode uts_mode
        cgroup_parent runtime isolation volume_driver cgroupns""",
        _is_text,
        "a text",
        "'…'",
    ),
    ("network_disabled oom_kill_disable publish_all_ports init", _is_switch, "true or false", "true"),
    (
        """blkio_weight cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares
        mem_swappiness oom_score_adj""",
        _is_whole,
        "a whole number",
        "10",
    ),
    ("mem_reservation kernel_memory", _is_text_or_whole, "a size", "'512m'"),
    ("cap_drop dns_opt dns_search security_opt device_cgroup_rules", _are_texts, "a list of texts", "['…']"),
    ("dns", _list_of(_is_address), "a list of addresses", "['192.0.2.1']"),
    ("devices", _list_of(lambda each: _is_text(each) or _texts_by_name(each)), "a list of devices", "['/dev/fuse']"),
    ("group_add", _list_of(_is_text_or_whole), "a list of groups", "[1000]"),
    ("volumes_from entrypoint", lambda each: _is_text(each) or _are_texts(each), "a list of texts", "['…']"),
    (
        "extra_hosts",
        lambda each: _texts_by_name(each) or _list_of(_is_host)(each),
        "a list of hosts with their addresses",
        "['db.example.com:192.0.2.1']",
    ),
    ("tmpfs", lambda each: _texts_by_name(each) or _are_texts(each), "a mapping of paths", "{'/scratch': 'size=64m'}"),
    ("storage_opt", _texts_by_name, "a mapping of texts", "{'size': '10G'}"),
    ("sysctls", _mapping_of(_is_text_or_whole), "a mapping of texts", "{'net.core.somaxconn': '1024'}"),
    ("ports", _are_ports, "a mapping of ports", "{'8080/tcp': 80}"),
    (
        """healthcheck blkio_weight_device device_read_bps device_read_iops device_write_bps device_write_iops mounts
        lxc_conf ulimits""",
        _is_json,
        "of what JSON can hold",
        "[{…}], as docker-py's containers.create has it",
    ),
)
