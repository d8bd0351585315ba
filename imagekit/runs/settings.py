"""How one run is to be run: the variables of Prefect's Docker worker, limits, and what is safe unless it is said.

The names and meanings of the first group are those of ``prefect_docker.worker.DockerWorkerJobConfiguration``; so a
deployment's ``job_variables`` mean here what they mean there. What differs is said at the field.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from imagekit.errors import InputError, UnknownKeyword
from imagekit.nearest import nearest_hint
from imagekit.runs import checks
from imagekit.runs.concealing import Holder, revealed, without_credentials
from imagekit.runs.create_kwargs import check_isolation, converted
from imagekit.runs.create_mounts import bound_sources, file_systems, targets
from imagekit.runs.credentials import RegistryCredentials
from imagekit.runs.sizes import LEAST_MEMORY, size_in_bytes
from imagekit.runs.volumes import ENGINE_SOCKETS, Volume, check_sources

UNLIMITED = -1
# What may hold a credential in some word of it.
_SHOWN = ("command", "labels", "container_create_kwargs")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a run is run. ``None`` leaves a setting at its default, which is said at it.

    Sizes are bytes or ``512m``, ``1.5g``, ``1GiB`` (powers of 1024). Times are in seconds.

    Raises ``InputError``'s kinds where it is made, for all that cannot be meant at once; nothing is asked.
    """

    # The worker's variables.
    command: Sequence[str] | str | None = None  #: instead of the Python that starts the flow; a text is split as by sh
    name: str | None = None  #: the container's; by default ``imagekit-run-FLOW-`` and six hex digits
    #: Variables. ``None`` takes one of the image's away; what is a ``Secret`` is shown nowhere, nor kept.
    env: Mapping[str, str | Holder | None] = field(default_factory=dict, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)  #: the container's; ``imagekit.…`` are imagekit's own
    image: str | None = None  #: a reference, or an ID (``sha256:…``); a call's own ``image`` goes before it
    #: ``username``, ``password`` and ``registry_url``, for pulling; by default what ``docker login`` keeps.
    registry_credentials: RegistryCredentials | Mapping[str, Any] | None = field(default=None, repr=False)
    #: ``Always``, ``IfNotPresent``, ``IfPossible`` or ``Never``; by default ``Always`` for ``:latest`` or no tag, else
    #: ``IfNotPresent``.
    image_pull_policy: str | None = None
    networks: Sequence[str] = ()  #: user-defined ones, all of which it joins
    network_mode: str | None = None  #: ``host``, ``bridge``, ``none``, ``container:NAME``; not with ``networks``
    auto_remove: bool = True  #: the worker's is False; a run here is recorded without its container
    volumes: Sequence[str] = ()  #: ``SOURCE:TARGET[:ro|rw]``; ``./SOURCE`` is below the working directory
    stream_output: bool = True  #: show what the flow prints; it is kept in any case
    mem_limit: str | int | None = None  #: a size; by default nine tenths of this machine's memory
    memswap_limit: str | int | None = None  #: memory and swap together, a size; -1 is any amount of swap
    privileged: bool = False  #: as Docker has it; an image's root stays root then
    #: Further arguments of docker-py's ``containers.create``.
    container_create_kwargs: Mapping[str, Any] | None = None

    # Further limits.
    cpus: float | str | None = None  #: processors, 0.01 at least; by default all
    pids: int = 4096  #: processes and threads at a time, 2 at least; -1 is any number
    gpus: str | int | None = None  #: ``all``, a number, ``device=ID,…``; by default none
    shm_size: str | int | None = None  #: of /dev/shm, a size; by default the engine's (64 MiB)
    timeout: float | None = None  #: seconds from the start; then SIGTERM. By default none
    stop_grace: float = 10  #: whole seconds from SIGTERM to SIGKILL
    user: str | int | None = None  #: ``USER[:GROUP]``; by default the image's, or 65534:65534 where that is root
    workdir: str | None = None  #: an absolute path in the container; by default the image's, or the source's
    read_only: bool = False  #: the root file system; /tmp is in memory then
    serializer: str = "json"  #: of the result: ``json``, ``pickle``, ``PACKAGE.MODULE:NAME``

    # What is off unless it is turned on by name.
    cap_add: Sequence[str] = ()  #: capabilities(7), such as ``NET_ADMIN``; a container has none
    allow_new_privileges: bool = False  #: setuid programs work
    allow_engine_socket: bool = False  #: a mount may hold the engine's socket
    allow_host_root: bool = False  #: a mount may be of ``/``

    def __post_init__(self) -> None:
        problems: list[InputError] = []
        for name, check in _CHECKS.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            try:
                object.__setattr__(self, name, check(value, name))
            except InputError as problem:
                problems.append(problem)
        if not problems:
            problems += self._contradictions()
        if problems:
            raise InputError.join(problems)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> RunSettings:
        """From values by name. Raises ``UnknownKeyword`` with the nearest name, or ``InputError``."""
        unknown = [
            UnknownKeyword(f"there is no run setting {name!r}", hint=nearest_hint(str(name), NAMES))
            for name in given
            if name not in NAMES
        ]
        if unknown:
            raise InputError.join(unknown)
        return cls(**given)

    @classmethod
    def from_job_variables(cls, variables: Mapping[str, Any]) -> RunSettings:
        """From a deployment's ``job_variables``: a value of ``None`` leaves the default."""
        return cls.of({name: value for name, value in variables.items() if value is not None})

    def with_(self, **changes: Any) -> RunSettings:
        """These, with some changed and all checked again."""
        return replace(self, **changes)

    def mounts(self, cwd: str | None = None) -> tuple[Volume, ...]:
        """The volumes, relative ones below ``cwd`` (the working directory)."""
        return tuple(Volume.parse(each, cwd or os.getcwd()) for each in self.volumes)

    @property
    def variables(self) -> dict[str, str | None]:
        """``env`` with the values of secrets."""
        return revealed(self.env)

    def check_mounts(self, sockets: Sequence[str]) -> None:
        """``InputError`` where a mount is of ``/``, or holds one of ``sockets``, and that is not allowed by name."""
        further = (self.container_create_kwargs or {}).get("mounts") or []
        check_sources(
            [*(str(mount.source) for mount in self.mounts() if mount.is_bind), *bound_sources(further)],
            sockets,
            host_root=self.allow_host_root,
            engine_socket=self.allow_engine_socket,
        )
        if not self.allow_host_root and (kinds := file_systems(further)):
            raise InputError(
                f"container_create_kwargs: a mount of the file system {kinds[0]!r} may show all of the host's files",
                hint="nfs, cifs and tmpfs may be mounted; allow_host_root=True (--allow-host-root) allows others",
            )

    @property
    def login(self) -> RegistryCredentials | None:
        """``registry_credentials``."""
        found = self.registry_credentials
        return found if isinstance(found, RegistryCredentials) else None

    @property
    def memory(self) -> int | None:
        """Bytes."""
        return None if self.mem_limit is None else size_in_bytes(self.mem_limit, "mem_limit")

    @property
    def shared_memory(self) -> int | None:
        """Bytes."""
        return None if self.shm_size is None else size_in_bytes(self.shm_size, "shm_size")

    @property
    def memory_and_swap(self) -> int | None:
        """Bytes, or ``UNLIMITED``."""
        if self.memswap_limit is None:
            return None
        return UNLIMITED if _is_unlimited(self.memswap_limit) else size_in_bytes(self.memswap_limit, "memswap_limit")

    def to_json(self) -> dict[str, Any]:
        """Those that are not the default; of the environment the names alone, and no credentials."""
        found: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            default = each.default_factory() if callable(each.default_factory) else each.default
            if each.name == "registry_credentials" or value == default:
                continue
            found[each.name] = sorted(value) if each.name == "env" else _plain(value)
            if each.name in _SHOWN:
                found[each.name] = without_credentials(found[each.name])
        return found

    def _contradictions(self) -> list[InputError]:
        found = []
        if self.networks and self.network_mode:
            found.append(
                InputError(
                    "networks (--network) and network_mode (--network-mode) contradict each other",
                    hint="give one of them",
                )
            )
        swap, memory = self.memory_and_swap, self.memory
        if swap is not None and memory is None:
            found.append(
                InputError(
                    "memswap_limit (--memory-swap) means nothing without mem_limit (--memory)",
                    hint="give mem_limit (--memory), too",
                )
            )
        if swap is not None and memory is not None and swap != UNLIMITED and swap < memory:
            hint = "it is memory and swap together: give the value of mem_limit (--memory) for no swap at all"
            found.append(InputError("memswap_limit (--memory-swap) is less than mem_limit (--memory)", hint=hint))
        try:
            taken = [mount.target for mount in self.mounts()] + targets(self.container_create_kwargs or {})
            if twice := next((target for target in taken if taken.count(target) > 1), None):
                found.append(InputError(f"volumes: two are mounted at {twice}", hint="give one of them"))
            self.check_mounts(ENGINE_SOCKETS)
        except InputError as problem:
            found.append(problem)
        try:
            check_isolation(
                self.container_create_kwargs or {},
                privileged=self.privileged,
                new_privileges=self.allow_new_privileges,
            )
        except InputError as problem:
            found.append(problem)
        return found


NAMES = tuple(each.name for each in fields(RunSettings))


def _memory(value: object, name: str) -> Any:
    size_in_bytes(value, name, least=LEAST_MEMORY)
    return value


def _memory_and_swap(value: object, name: str) -> Any:
    return value if _is_unlimited(value) else _memory(value, name)


def _shared_memory(value: object, name: str) -> Any:
    size_in_bytes(value, name)
    return value


def _is_unlimited(value: object) -> bool:
    return value == "-1" or (value == UNLIMITED and not isinstance(value, (bool, float)))


def _volumes(value: object, name: str) -> tuple[str, ...]:
    found = checks.texts(value, name)
    for each in found:
        Volume.parse(each, "/")
    return found


def _image(value: object, name: str) -> str:
    from imagekit.oci.digest import is_digest
    from imagekit.oci.reference import Reference

    found = value if isinstance(value, str) else checks.text(value, name)
    return found if is_digest(found) else str(Reference.parse(found))


def _credentials(value: object, name: str) -> RegistryCredentials:
    return RegistryCredentials.of(value)


def _create_kwargs(value: object, name: str) -> dict[str, Any]:
    found = checks.mapping(value, name)
    converted(found)
    return found


def _plain(value: Any) -> Any:
    return (
        {k: _plain(v) for k, v in value.items()}
        if isinstance(value, Mapping)
        else (
            [_plain(v) for v in value] if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
        )
    )


_CHECKS: Mapping[str, Callable[[object, str], Any]] = {
    "command": checks.command,
    "name": checks.container_name,
    "env": checks.environment,
    "labels": checks.labels,
    "image": _image,
    "registry_credentials": _credentials,
    "image_pull_policy": checks.pull_policy,
    "networks": checks.networks,
    "network_mode": checks.network,
    "auto_remove": checks.switch,
    "volumes": _volumes,
    "stream_output": checks.switch,
    "mem_limit": _memory,
    "memswap_limit": _memory_and_swap,
    "privileged": checks.switch,
    "container_create_kwargs": _create_kwargs,
    "cpus": checks.cpus,
    "pids": checks.pids,
    "gpus": checks.gpus,
    "shm_size": _shared_memory,
    "timeout": checks.seconds,
    "stop_grace": checks.grace,
    "user": checks.user,
    "workdir": checks.directory,
    "read_only": checks.switch,
    "serializer": checks.serializer,
    "cap_add": checks.capabilities,
    "allow_new_privileges": checks.switch,
    "allow_engine_socket": checks.switch,
    "allow_host_root": checks.switch,
}
_OPTIONAL = frozenset(each.name for each in fields(RunSettings) if each.default is None)
