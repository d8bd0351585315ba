"""Files that are put into a run's container before it starts, as if its image had them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from imagekit.engine.containers import Container
from imagekit.oci.config import DEFAULT_PATH
from imagekit.runs.body import host_config
from imagekit.runs.create_kwargs import converted, merged
from imagekit.runs.settings import RunSettings
from imagekit.spec.base import BaseImage, real_directory

# Puts files into the container, in which the flow's file has that text; ``Stopped`` when the last one says so.
Put = Callable[[Container, bytes, Callable[[], bool]], object]


class Stopped(Exception):
    """Somebody wants the run to end."""


def takes_files(settings: RunSettings, base: BaseImage, places: Iterable[str], *, cwd: str) -> bool:
    """Whether a container of a run in ``base`` can be given files at and below ``places``, and nothing else has them.

    It cannot where its root file system is read-only or has a bound, nor where something is mounted in the way: that
    may be the host's. One that is to stay is as its image is.
    """
    config, theirs = converted(settings.container_create_kwargs or {})
    host = merged(host_config(settings, cwd=cwd), theirs)
    if not settings.auto_remove or any(host.get(name) for name in ("ReadonlyRootfs", "StorageOpt", "VolumesFrom")):
        return False
    volumes = {**(base.config.settings.get("Volumes") or {}), **(config.get("Volumes") or {})}
    wanted = [f"{real_directory(place, base).rstrip('/')}/" for place in places]
    mounted = [f"{real_directory(target, base).rstrip('/')}/" for target in (*_targets(host), *volumes)]
    return not any(there.startswith(place) or place.startswith(there) for there in mounted for place in wanted)


def _targets(host: Mapping[str, Any]) -> Iterator[str]:
    for mount in host.get("Mounts") or ():
        yield posixpath.normpath(mount["Target"])
    for bind in host.get("Binds") or ():
        yield posixpath.normpath(bind.split(":")[1])
    yield from map(posixpath.normpath, host.get("Tmpfs") or ())


def has_program(container: Container, name: str, path: str | None) -> bool:
    """Whether a container that is not started has a file ``name`` on ``path`` (``PATH``)."""
    return any(container.has(posixpath.join(place, name)) for place in (path or DEFAULT_PATH).split(":") if place)
