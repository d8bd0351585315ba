"""The lock of conda's packages that a base was made of, kept by the base: for locks of what lies above it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tomli_w

from imagekit.atomic import write_whole
from imagekit.conda.lock_table import KEY, lock_of, table_of
from imagekit.conda.values import CondaLock
from imagekit.errors import InvalidProject
from imagekit.lock.values import Lock
from imagekit.spec.base import BaseImage
from imagekit.spec.toml import read_toml


def keep_lock(cache: Path, base: BaseImage, lock: CondaLock) -> None:
    """Keep ``lock`` in ``cache`` as that of ``base``."""
    path = _path(cache, base)
    text = tomli_w.dumps({KEY: table_of(lock)}).encode()
    if not path.is_file() or path.read_bytes() != text:
        write_whole(path, text)


def with_conda(lock: Lock, base: BaseImage, cache: Path) -> Lock:
    """``lock`` with conda's packages of the base that it was made on, under ``[tool.imagekit.conda]``."""
    found = conda_lock(cache, base)
    return lock if found is None else replace(lock, extra={**lock.extra, KEY: table_of(found)})


def conda_lock(cache: Path, base: BaseImage) -> CondaLock | None:
    """conda's packages of ``base``, or of the one that it was made of; ``None`` where there are none."""
    for each in filter(None, (base, base.origin)):
        path = _path(cache, each)
        if path.is_file():
            try:
                return lock_of(read_toml(path, InvalidProject).get(KEY), str(path))
            except InvalidProject:
                continue
    return None


def _path(cache: Path, base: BaseImage) -> Path:
    return cache / "bases" / f"{base.image_id.removeprefix('sha256:')}.conda.toml"
