"""A flow's source put into its container: mounted where the engine sees this machine's files, else copied in."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from imagekit.checkouts.values import Checkout
from imagekit.engine.client import Engine
from imagekit.engine.containers import Container, ContainerSpec
from imagekit.errors import EngineError
from imagekit.runs.own_directory import DIRECTORY
from imagekit.spec.source_tree import scan

NAME = "source"
SOURCE = f"{DIRECTORY}/{NAME}"
_PIECE = 1 << 18
# What an engine says that has other files than this process: one in a virtual machine, or behind a container's socket.
_NOT_THERE = "bind source path does not exist"


def workdir(checkout: Checkout) -> str:
    """The source's project in the container: the flow's working directory, unless another is asked for."""
    return posixpath.join(SOURCE, checkout.subdirectory).rstrip("/")


def sees_files(engine: Engine) -> bool:
    """Whether the engine may have this machine's files; where it has not, it says so when it is to mount one."""
    return engine.address.startswith(("unix:", "npipe:"))


def create(engine: Engine, spec: ContainerSpec, checkout: Checkout) -> Container:
    """The container of ``spec`` with the source in it, which can only be read there; not started."""
    spec = spec if spec.workdir is not None else replace(spec, workdir=workdir(checkout))
    if sees_files(engine):
        mount = {"Type": "bind", "Source": str(checkout.directory), "Target": SOURCE, "ReadOnly": True}
        host_config = {**spec.host_config, "Mounts": [*spec.host_config.get("Mounts", ()), mount]}
        try:
            return Container.create(engine, replace(spec, host_config=host_config))
        except EngineError as error:
            if _NOT_THERE not in error.message or str(checkout.directory) not in error.message:
                raise
    container = Container.create(engine, spec)
    try:
        # The engine refuses to write above a volume of a read-only container.
        at = DIRECTORY if spec.host_config.get("ReadonlyRootfs") else "/"
        with tempfile.TemporaryFile(prefix="imagekit-") as file:
            _write(checkout, posixpath.relpath(SOURCE, at), file)
            file.seek(0)
            container.put(at, _pieces(file))
    except BaseException:
        container.remove()
        raise
    return container


def _write(checkout: Checkout, top: str, file: IO[bytes]) -> None:
    """A tar of the source under the name ``top``, for all to read and nobody but root to write.

    Of a working tree what a build would take: no version control, no virtual environments, nothing that its
    ``.dockerignore`` names.
    """
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(1, len(parts := top.split("/")) + 1):
            directory = tarfile.TarInfo("/".join(parts[:number]))
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(directory)
        rules = Path(os.devnull) if checkout.is_fetched else None
        for entry in scan(checkout.directory, rules).files:
            tar.add(checkout.directory / entry.path, f"{top}/{entry.path}", recursive=False, filter=_for_all)


def _for_all(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
