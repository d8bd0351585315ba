"""The directory of ours in a container: what is put there before the start and read after the end.

``/.imagekit`` lies at the root: ``/tmp`` and ``/run`` may be covered by a tmpfs, which neither takes
files before the start nor gives them back after the end. Its files can be read by any user, and ``out`` and
``home`` can be written by any, as the image's user is not known by number. Where the root filesystem is
read-only, an anonymous volume is mounted there, which goes with the container.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Mapping
from typing import Any

from imagekit.engine.containers import Container

DIRECTORY = "/.imagekit"
OUT = f"{DIRECTORY}/out"
HOME = f"{DIRECTORY}/home"


def mounted(host_config: Mapping[str, Any]) -> dict[str, Any]:
    """``host_config`` with what makes the directory writable under a read-only root filesystem."""
    if not host_config.get("ReadonlyRootfs"):
        return dict(host_config)
    volume = {"Type": "volume", "Target": DIRECTORY}
    return {**host_config, "Mounts": [*host_config.get("Mounts", ()), volume]}


def put_files(container: Container, host_config: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Make the directory in a container that is not started yet, with ``files`` in it."""
    # The engine refuses to write above a volume of a read-only container.
    at = DIRECTORY if host_config.get("ReadonlyRootfs") else "/"
    container.put(at, archive(posixpath.relpath(DIRECTORY, at), files))


def archive(top: str, files: Mapping[str, bytes]) -> bytes:
    """A tar of the directory under the name ``top``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        below = {f"{top}/{posixpath.dirname(name)}": 0o755 for name in files if "/" in name}
        for name, mode in {top: 0o755, f"{top}/out": 0o1777, f"{top}/home": 0o1777, **below}.items():
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, mode
            tar.addfile(directory)
        for name, content in files.items():
            file = tarfile.TarInfo(f"{top}/{name}")
            file.size, file.mode = len(content), 0o444
            tar.addfile(file, io.BytesIO(content))
    return buffer.getvalue()
