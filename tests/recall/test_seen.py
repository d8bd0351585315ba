"""Files as they were seen: every change counts, and only the source's contents may change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.recall.seen import TICK, Sights


def _sights(root: Path) -> Sights:
    return Sights.of(
        [str(root / "pyproject.toml"), str(root / "missing.txt")],
        [str(root / "flow.py"), str(root / "pyproject.toml")],
        [str(root), str(root / "package")],
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    for name in ("pyproject.toml", "flow.py", "package/a.py"):
        (tmp_path / name).write_text("1")
    # A change within the same tick of the kernel's clock could not be seen; `settled` guards builds from it.
    time.sleep(3 * TICK / 1e9)
    return tmp_path


def test_nothing_changed(root: Path) -> None:
    sights = _sights(root)
    assert sights.changed() == []
    assert Sights.from_json(sights.to_json()).changed() == []  # type: ignore[arg-type]


def test_source_that_is_edited_is_named(root: Path) -> None:
    sights = _sights(root)
    (root / "flow.py").write_text("2")
    assert sights.changed() == [str(root / "flow.py")]
    # As editors write: a new file in the old one's place.
    (root / "flow.py.new").write_text("3")
    os.replace(root / "flow.py.new", root / "flow.py")
    assert sights.changed() == [str(root / "flow.py")]
    assert sights.again().changed() == []


def _same_size_and_time(root: Path) -> None:
    path = root / "pyproject.toml"
    before = path.stat()
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: list[Callable[[Path], object]] = [
    lambda root: (root / "pyproject.toml").write_text("2"),
    lambda root: (root / "pyproject.toml").unlink(),
    lambda root: (root / "pyproject.toml").chmod(0o600),
    lambda root: (root / "missing.txt").write_text("1"),
    lambda root: (root / "uv.lock").write_text("1"),
    lambda root: (root / "flow.py").unlink(),
    lambda root: (root / "package" / "b.py").write_text("1"),
    lambda root: (root / "package" / "a.py").rename(root / "package" / "c.py"),
    _same_size_and_time,
]


@pytest.mark.parametrize("change", CHANGES)
def test_any_other_change_is_one_too_many(root: Path, change: Callable[[Path], object]) -> None:
    sights = _sights(root)
    change(root)
    assert sights.changed() is None


def test_what_was_changed_a_moment_ago_is_not_settled(root: Path) -> None:
    assert _sights(root).settled(time.time_ns())
    (root / "flow.py").write_text("2")
    changed = (root / "flow.py").stat().st_ctime_ns
    assert not _sights(root).settled(changed + TICK)
    assert _sights(root).settled(changed + TICK + 1)
