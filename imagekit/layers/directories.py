"""Directories as a base has them: in an upper layer a directory replaces the lower one's mode and owner."""

from __future__ import annotations

from collections.abc import Iterable

from imagekit.layers import archive


class Directories:
    """Directory members for layers on a base whose ``special`` ones (path, mode, uid, gid) are not 0755 root's."""

    def __init__(self, special: Iterable[tuple[str, int, int, int]]) -> None:
        self._special = {path.lstrip("/"): (mode, uid, gid) for path, mode, uid, gid in special}

    def member(self, path: str) -> bytes:
        """The member for the directory ``path`` (no leading slash), with the base's mode and owner."""
        mode, uid, gid = self._special.get(path, (0o755, 0, 0))
        return archive.directory(path, mode=mode, uid=uid, gid=gid)
