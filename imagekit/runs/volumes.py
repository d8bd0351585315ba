"""Mounts as people write them, ``SOURCE:TARGET[:ro|rw]``, and those that are refused unless they are allowed."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from imagekit.errors import InputError
from imagekit.runs.own_directory import DIRECTORY

# What the engine takes as a volume's name (moby volume/names, RestrictedNamePattern).
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_HINT = "write SOURCE:TARGET or SOURCE:TARGET:ro, such as ./data:/data:ro"
# Where an engine listens: whoever can write there has the whole machine.
ENGINE_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One mount: a directory or file of the host, a named volume, or (``source`` is ``None``) an anonymous one."""

    source: str | None
    target: str
    read_only: bool = False

    @classmethod
    def parse(cls, text: object, cwd: str) -> Volume:
        """Raises ``InputError``. A source that starts with ``./`` or ``../`` is a path below ``cwd``."""
        if not isinstance(text, str) or not text or "\0" in text or not text.isprintable():
            raise InputError(f"volumes: {text!r} is not a mount", hint=_HINT)
        source, colon, rest = text.partition(":")
        if not colon:
            return cls(source=None, target=checked_target(text, f"volumes: {text!r}"))
        target, _, options = rest.partition(":")
        if options not in ("", "ro", "rw"):
            raise InputError(f"volumes: {text!r} has the option {options!r}", hint="ro and rw are known")
        return cls(
            source=_source(source, text, cwd),
            target=checked_target(target, f"volumes: {text!r}"),
            read_only=options == "ro",
        )

    @property
    def is_bind(self) -> bool:
        return self.source is not None and self.source.startswith("/")

    def __str__(self) -> str:
        """As the API's ``Binds`` have it."""
        return f"{self.source}:{self.target}{':ro' if self.read_only else ''}"


def checked_target(target: object, what: str) -> str:
    """The path in the container that something is mounted at, in its normal form. Raises ``InputError``."""
    if not isinstance(target, str) or not target.startswith("/") or "\0" in target:
        raise InputError(f"{what} has no absolute path in the container", hint=_HINT)
    path = PurePosixPath(posixpath.normpath("/" + target.lstrip("/")))
    if str(path) == "/" or path.is_relative_to(DIRECTORY):
        raise InputError(f"{what}: nothing can be mounted at {target}", hint="choose another path in the container")
    return str(path)


def check_sources(
    sources: list[str], sockets: Sequence[str], *, host_root: bool, engine_socket: bool, what: str = "volumes"
) -> None:
    """Refuse to mount ``/``, or what holds an engine's socket, unless that is allowed. Raises ``InputError``.

    Links are followed where the paths are there: ``/proc/1/root`` is ``/``. One that cannot be followed may be, too.
    """
    for source in sources:
        try:
            path = PurePosixPath(os.path.realpath(source))
        except OSError as error:
            if host_root:
                continue
            raise InputError(
                f"{what}: where {source} leads to cannot be seen: {error.strerror}",
                hint="mount the directory itself; allow_host_root=True (--allow-host-root) allows it",
            ) from None
        if str(path) == "/":
            if not host_root:
                raise InputError(
                    f"{what}: {source} is all of the host's files",
                    hint="mount the directory that is needed; allow_host_root=True (--allow-host-root) allows it",
                )
            continue
        held = [socket for socket in sockets if PurePosixPath(os.path.realpath(socket)).is_relative_to(path)]
        if held and not engine_socket:
            raise InputError(
                f"{what}: {source} hands the engine's socket {held[0]} to the flow, and with it the machine",
                hint="leave it out; allow_engine_socket=True (--allow-engine-socket) allows it",
            )


def _source(source: str, text: str, cwd: str) -> str:
    if source.startswith("/"):
        return posixpath.normpath(source)
    if source in (".", "..") or source.startswith(("./", "../")):
        return posixpath.normpath(posixpath.join(cwd, source))
    if not _NAME.fullmatch(source):
        hint = f"write ./{source}" if "/" in source else _HINT
        raise InputError(f"volumes: {text!r} mounts {source!r}, which is no path and no volume's name", hint=hint)
    return source
