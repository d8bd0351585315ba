"""The mounts in ``container_create_kwargs``: what of the host they hand to a flow.

Sources: Docker Engine API v1.41, ``Mount``; for the options of the driver ``local`` moby's
volume/local/local_unix.go, which hands them to mount(2).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagekit.errors import InputError
from imagekit.runs.volumes import checked_target

_HINT = 'write mounts=[{"Type": "bind", "Source": "/srv/data", "Target": "/data"}]'
_KINDS = ("bind", "volume", "tmpfs", "npipe", "cluster", "image")
# File systems that are of no file and no device of the engine's machine.
_APART = ("nfs", "nfs4", "cifs", "smb3", "tmpfs")


def bound_sources(mounts: object) -> list[str]:
    """The paths of the host that ``mounts`` show. Raises ``InputError`` for what is no mount."""
    found = []
    for mount in _read(mounts):
        if source := mount.get("source"):
            if mount["type"] != "bind" and not str(source).startswith("/"):
                continue
            found.append(_path(source, "Source"))
        driver, options = _driver(mount)
        if driver != "local":
            # What a plug-in makes of its options is not known.
            found += [value for value in options.values() if isinstance(value, str) and value.startswith("/")]
        elif _is_bind(options):
            found.append(_path(options.get("device"), "device"))
    return found


def file_systems(mounts: object) -> list[str]:
    """Types of file systems that ``mounts`` have the engine mount, and that may show any file of the host."""
    found = []
    for mount in _read(mounts):
        driver, options = _driver(mount)
        kind = options.get("type")
        if driver == "local" and (kind or options.get("device")) and kind not in _APART and not _is_bind(options):
            found.append(str(kind or options.get("device")))
    return found


def targets(given: Mapping[str, Any]) -> list[str]:
    """Where in the container ``mounts`` and ``tmpfs`` put something. Raises ``InputError`` where nothing can be put."""
    mounts, tmpfs = _read(given.get("mounts") or []), given.get("tmpfs") or {}
    found = [checked_target(mount.get("target"), "container_create_kwargs: a mount") for mount in mounts]
    paths = tmpfs if isinstance(tmpfs, Mapping) else [str(each).partition(":")[0] for each in tmpfs]
    return found + [checked_target(path, "container_create_kwargs: tmpfs") for path in paths]


def _read(mounts: object) -> list[dict[str, Any]]:
    if not isinstance(mounts, list):
        raise InputError("container_create_kwargs: mounts is not a list of mounts", hint=_HINT)
    found = [_fields(each, "mounts is not a list of mounts") for each in mounts]
    for mount in found:
        if mount.get("type") not in _KINDS:
            raise InputError(
                f"container_create_kwargs: {mount.get('type')!r} is no type of a mount", hint="bind, volume or tmpfs"
            )
    return found


def _driver(mount: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The name and the options of the driver of a mount's volume."""
    of_volume = _fields(mount.get("volumeoptions") or {}, "VolumeOptions of a mount is no mapping")
    of_driver = _fields(of_volume.get("driverconfig") or {}, "DriverConfig of a mount is no mapping")
    options = of_driver.get("options") or {}
    if not isinstance(options, Mapping) or not all(isinstance(each, str) for each in options.values()):
        raise InputError("container_create_kwargs: the Options of a mount's driver are no texts by name", hint=_HINT)
    return str(of_driver.get("name") or "local"), options


def _fields(value: object, otherwise: str) -> dict[str, Any]:
    """By lower names: the engine takes those of JSON's keys in any case, and the last of several."""
    if not isinstance(value, Mapping):
        raise InputError(f"container_create_kwargs: {otherwise}", hint=_HINT)
    found: dict[str, Any] = {}
    for name, each in value.items():
        # Go reads some letters beyond ASCII as those that they look like.
        if not isinstance(name, str) or not name.isascii() or name.lower() in found:
            raise InputError(f"container_create_kwargs: a mount has no {name!r}, or has it twice", hint=_HINT)
        found[name.lower()] = each
    return found


def _is_bind(options: Mapping[str, Any]) -> bool:
    return bool({"bind", "rbind"} & {each.strip() for each in str(options.get("o", "")).split(",")})


def _path(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise InputError(f"container_create_kwargs: the {name} {value!r} of a mount is no absolute path", hint=_HINT)
    return value
