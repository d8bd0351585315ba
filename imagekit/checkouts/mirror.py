"""A bare repository for each URL in the cache: the commits that were asked for, each without its history."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imagekit.errors import RepositoryError
from imagekit.git.remote import Git
from imagekit.sharing.flock import LocksUnavailable, acquire
from imagekit.sharing.leases import mark_used

REPOSITORIES = "repositories"
_LOCK = "imagekit.lock"
_MARK = "imagekit.used"
# What a git that was killed leaves behind, and a later one stumbles over or never looks at again.
_LEFT = ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/tmp_*", "objects/??/tmp_*")
_PATIENCE = 120.0  # seconds, for another process that is at the same repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The repository of ``url`` in the cache directory ``cache``."""

    cache: Path
    url: str

    @property
    def path(self) -> Path:
        return self.cache / REPOSITORIES / hashlib.sha256(self.url.encode()).hexdigest()

    def write(self, git: Git, commit: str, into: Path) -> list[str]:
        """Write the files of ``commit`` into ``into``, fetched where they are not here; the paths of submodules.

        Raises ``RepositoryError`` and ``DiskFull``. What is damaged is begun anew.
        """
        with self._held() as held:
            if held is None:
                # Another process holds it for long, or there are no locks: without what is kept, then.
                with tempfile.TemporaryDirectory(prefix="imagekit-git-") as directory:
                    return self._written(git, Path(directory, "repository"), commit, into)
            # git keeps the lock, so that it lasts even where this process is killed.
            git = replace(git, holds=(held,))
            is_new = not (self.path / "HEAD").is_file()
            try:
                return self._written(git, self.path, commit, into)
            except RepositoryError as error:
                if is_new or error.asks_login or self._is_sound(git):
                    raise
                self._clear()
                shutil.rmtree(into, ignore_errors=True)
                return self._written(git, self.path, commit, into)

    def _written(self, git: Git, repository: Path, commit: str, into: Path) -> list[str]:
        if not (repository / "HEAD").is_file() or not git.has(repository, self.url, commit):
            git.fetch(repository, self.url, commit)
        git.write(repository, self.url, commit, into)
        return git.submodules(repository, self.url, commit)

    def _is_sound(self, git: Git) -> bool:
        return git.run(self.url, ["--git-dir", str(self.path), "fsck", "--connectivity-only"]).returncode == 0

    @contextmanager
    def _held(self) -> Iterator[int | None]:
        try:
            held = acquire(self.path / _LOCK, seconds=_PATIENCE)
        except LocksUnavailable:
            held = None
        if held is None:
            yield None
            return
        try:
            self._sweep()
            mark = self.path / _MARK
            mark.touch()
            mark_used(mark, self.cache)
            yield held
        finally:
            os.close(held)

    def _sweep(self) -> None:
        for pattern in _LEFT:
            for path in self.path.glob(pattern):
                if path.name != _LOCK:
                    _remove(path)

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.name not in (_LOCK, _MARK):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
