"""Wheels that were built here, kept by what they were built from."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from imagekit.errors import DiskFull
from imagekit.lock.values import Artifact
from imagekit.oci.digest import Digest
from imagekit.sharing.leases import mark_used


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWheel:
    """A wheel on this machine's disk."""

    path: Path
    sha256: str  # 64 hex digits
    filename: str

    @property
    def version(self) -> str:
        return str(parse_wheel_filename(self.filename)[1])

    @property
    def artifact(self) -> Artifact:
        """The wheel as a lock names one."""
        return Artifact(
            filename=self.filename, url=self.path.as_uri(), sha256=self.sha256, size=self.path.stat().st_size
        )


class BuiltWheels:
    """A directory of ``<key>/<sha256>/<filename>``; a key's directory appears whole, or not at all.

    Several processes may share it. Where two build the same, the first to finish is kept and
    used by both, so that an image never mixes two builds of one source.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, key: Digest) -> LocalWheel | None:
        """The wheel kept for ``key``; one whose content changed on disk counts as none, and is dropped."""
        place = self._directory / key.removeprefix("sha256:")
        path = next(iter(sorted(place.glob("*/*.whl"))), None)
        if path is None:
            return None
        mark_used(path, self._directory.parent)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 != path.parent.name:
            shutil.rmtree(place, ignore_errors=True)
            return None
        return LocalWheel(path=path, sha256=sha256, filename=path.name)

    def put(self, key: Digest, wheel: Path) -> LocalWheel:
        """Keep ``wheel`` for ``key``; what is kept is returned, which may be another process's."""
        place = self._directory / key.removeprefix("sha256:")
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._directory))
            try:
                (temporary / sha256).mkdir()
                shutil.copyfile(wheel, temporary / sha256 / wheel.name)
                with contextlib.suppress(OSError):  # there already, and not empty: another was first
                    os.rename(temporary, place)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no space left for {place}", hint="free some space") from error
            raise
        kept = self.get(key)
        return kept if kept is not None else LocalWheel(path=wheel, sha256=sha256, filename=wheel.name)
