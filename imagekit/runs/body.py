"""A run's settings as the engine's API takes them. Pure.

Source: Docker Engine API v1.41 and later, ``POST /containers/create``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagekit.engine.containers import ContainerSpec
from imagekit.runs.create_kwargs import converted, merged
from imagekit.runs.localhost import EXTRA_HOST, is_apart, mapped
from imagekit.runs.own_directory import HOME, mounted
from imagekit.runs.settings import RunSettings
from imagekit.runs.volumes import Volume

# Who runs where an image's user is root: nobody, as nearly all systems have it.
NON_ROOT = "65534:65534"
_ROOT = ("", "root", "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What is to be known of an image before a container is made of it: parts of its configuration."""

    user: str = ""
    env: Sequence[str] = ()
    added: Mapping[str, str] = field(default_factory=dict)  # variables that count as the image's own, and it lacks


def container_user(settings: RunSettings, image: ImageFacts) -> str | None:
    """Who the flow runs as; ``None``: the image's own user."""
    if settings.user is not None:
        return str(settings.user)
    is_root = image.user.partition(":")[0] in _ROOT
    # Extended privileges are asked for to be used, and only root has them.
    return NON_ROOT if is_root and not settings.privileged else None


def is_demoted(settings: RunSettings, image: ImageFacts) -> bool:
    """Whether the image's user is root, and the flow's is not for that reason alone."""
    return settings.user is None and container_user(settings, image) is not None


def environment(settings: RunSettings, image: ImageFacts) -> dict[str, str | None]:
    """The variables that are set beyond the image's own."""
    env = {**image.added, **mapped(settings.variables, settings.network_mode)}
    if is_demoted(settings, image):
        known = {entry.partition("=")[0] for entry in image.env}
        # Many programs keep something at home, and this user has none in the image.
        env = {**{name: value for name, value in _AT_HOME.items() if name not in known}, **env}
    return env


_AT_HOME = {"HOME": HOME, "USER": "imagekit"}


def host_config(settings: RunSettings, *, cwd: str, memory: int | None = None) -> dict[str, Any]:
    """The body's ``HostConfig``. ``memory``: the limit in bytes where none was asked for."""
    limit = settings.memory or memory
    found: dict[str, Any] = {
        "PidsLimit": settings.pids,
        "Memory": limit,
        "MemorySwap": settings.memory_and_swap,
        "NanoCpus": round(settings.cpus * 1e9) if isinstance(settings.cpus, float) else None,
        "ShmSize": settings.shared_memory,
        "DeviceRequests": device_requests(settings.gpus),
        "NetworkMode": settings.networks[0] if settings.networks else settings.network_mode,
        "Mounts": [mount(volume) for volume in settings.mounts(cwd)] or None,
        "ExtraHosts": [EXTRA_HOST] if is_apart(settings.network_mode) else None,
    }
    if settings.privileged:
        found["Privileged"] = True
    else:
        found["CapDrop"] = ["ALL"]
        found["CapAdd"] = list(settings.cap_add) or None
        found["SecurityOpt"] = None if settings.allow_new_privileges else ["no-new-privileges"]
    if settings.read_only:
        found |= {"ReadonlyRootfs": True, "Tmpfs": {"/tmp": "mode=1777"}}  # noqa: S108 - in the container
    return {name: value for name, value in found.items() if value is not None}


def container_spec(
    settings: RunSettings,
    image: ImageFacts,
    *,
    reference: str,
    called: str,
    command: Sequence[str],
    name: str,
    labels: Mapping[str, str],
    cwd: str,
    memory: int | None = None,
) -> ContainerSpec:
    """The container of a run in the image ``reference`` (an ID), which messages call ``called``."""
    config, theirs = converted(settings.container_create_kwargs or {})
    entrypoint = config.pop("Entrypoint", ())
    return ContainerSpec(
        image=reference,
        called=called,
        command=settings.command or command,
        entrypoint=entrypoint,
        kind="run",
        env=environment(settings, image),
        user=container_user(settings, image),
        workdir=settings.workdir,
        name=name,
        networks=settings.networks,
        labels={**settings.labels, **labels},
        keeps_output=True,
        host_config=mounted(merged(host_config(settings, cwd=cwd, memory=memory), theirs)),
        more=config,
    )


def mount(volume: Volume) -> dict[str, Any]:
    """One of ``Mounts``: unlike ``Binds``, it makes no directory on the host where there is none."""
    kind = "bind" if volume.is_bind else "volume"
    found = {"Type": kind, "Target": volume.target, "ReadOnly": volume.read_only}
    return {**found, "Source": volume.source} if volume.source is not None else found


def device_requests(gpus: str | int | None) -> list[dict[str, Any]] | None:
    """As ``docker run --gpus`` asks for them."""
    if gpus is None:
        return None
    asked: dict[str, Any] = {"Capabilities": [["gpu"]]}
    text = str(gpus)
    if text.startswith("device="):
        return [{**asked, "DeviceIDs": text[7:].split(",")}]
    return [{**asked, "Count": -1 if text == "all" else int(text)}]
