"""A root filesystem of Debian packages, made once for all who look at it (``xdist_group("debian")``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.stages.debian import DebianBase, DebianRootfs, build_base, lock_base
from imagekit.stages.debian_lock import DebianLock

BASE = DebianBase(python="3.11")


@pytest.fixture(scope="session")
def debian_lock() -> DebianLock:
    return lock_base(BASE)


@pytest.fixture(scope="session")
def debian_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def debian_rootfs(debian_lock: DebianLock, debian_cache: Path) -> DebianRootfs:
    return build_base(BASE, cache=debian_cache, lock=debian_lock)
