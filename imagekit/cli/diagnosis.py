"""What ``imagekit doctor`` looks at: each check gives one finding, and none stops the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from imagekit.cli.configuration_checks import configured
from imagekit.cli.finding import FAIL, OK, WARN, Finding, room, told
from imagekit.errors import EngineError, InputError

if TYPE_CHECKING:
    from imagekit.engine.client import EngineInfo
    from imagekit.settings import Settings

# COPY --link and file secrets need BuildKit, which is on by default from Engine 23 (API 1.42) on.
LOWEST_API = (1, 42)


def examine(*, offline: bool = False) -> Iterator[Finding]:
    """All checks, each finding as soon as it is known."""
    from imagekit.settings import Settings

    try:
        settings = Settings.load()
    except InputError as error:
        yield Finding(name="configuration", status=FAIL, message=told(error), mend=error.hint)
        return
    yield from configured(settings, Path())
    info, finding = engine(settings)
    yield finding
    if info is not None:
        yield api(info)
        yield image_store(info)
        yield engine_room(settings, info)
    from imagekit.cli.index_findings import package_indexes
    from imagekit.cli.surroundings import (
        buildx,
        ca_bundle,
        cache_room,
        credential_helpers,
        default_namespace,
    )

    yield buildx()
    yield cache_room(settings)
    yield ca_bundle(settings)
    yield from package_indexes(settings, offline=offline)
    yield default_namespace(settings)
    yield from credential_helpers(settings)


def engine(settings: Settings) -> tuple[EngineInfo | None, Finding]:
    """The engine: what it says of itself, or how it failed."""
    from imagekit.engine.client import Engine

    at = f"{settings.engine_address} ({settings.origin('engine')})"
    try:
        with Engine.connect(settings.engine_address, deadline=settings.engine_deadline) as connected:
            info = connected.info
    except EngineError as error:
        return None, Finding(
            name="engine", status=FAIL, message=f"{type(error).__name__}: {error.message}", mend=error.hint
        )
    kind = "Docker Engine" if info.is_docker else "an engine that speaks Docker's API"
    return info, Finding(
        name="engine",
        status=OK if info.is_docker else WARN,
        message=f"{kind} {info.version}, {info.platform}, {info.cpus} CPUs, at {at}",
        mend=None if info.is_docker else "imagekit is made for Docker Engine, and not tested with others",
    )


def api(info: EngineInfo) -> Finding:
    """Whether the engine's API is young enough."""
    version = tuple(int(n) for n in info.api_version.split(".")[:2])
    if version < LOWEST_API:
        lowest = ".".join(map(str, LOWEST_API))
        return Finding(
            name="engine API",
            status=FAIL,
            message=f"{info.api_version} is older than {lowest}",
            mend="install Docker Engine 23 or later",
        )
    return Finding(name="engine API", status=OK, message=info.api_version)


def image_store(info: EngineInfo) -> Finding:
    """Which of the two image stores the engine has."""
    if info.containerd_store:
        return Finding(name="image store", status=OK, message=f"containerd ({info.storage_driver})")
    if info.storage_driver == "vfs":
        return Finding(
            name="image store",
            status=WARN,
            message="classic with vfs, which copies every layer whole",
            mend='"storage-driver": "overlay2" in /etc/docker/daemon.json, if the filesystem allows it',
        )
    return Finding(name="image store", status=OK, message=f"classic ({info.storage_driver})")


def engine_room(settings: Settings, info: EngineInfo) -> Finding:
    """Room where the engine keeps its data, where that is on this machine."""
    name = "engine's disk"
    root = Path(info.data_root)
    if not settings.engine_address.startswith("unix://") or not root.is_dir():
        return Finding(name=name, status=OK, message=f"{info.data_root} is not on this machine: not looked at")
    return room(name, root, mend="docker system df shows what uses it; docker image prune removes unused images")
