"""Which lock is used: the user's own, a cached one, or a new one; and when one is stale."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from imagekit.errors import InvalidProject, StaleLock, Unsatisfiable
from imagekit.lock.inputs import inputs_digest
from imagekit.lock.pylock import dump
from imagekit.lock.resolve import obtain
from imagekit.lock.uv import find_uv
from imagekit.progress import SilentReporter
from imagekit.spec.image import Indexes, RequirementLine

QUIET = SilentReporter()


def test_the_second_time_nothing_is_asked(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0")
    spec = wanted("alpha", indexes=wheels.indexes)
    first = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    wheels.add("alpha", "2.0")
    again = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    assert again == first
    moved = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET, upgrade=True)
    assert [p.version for p in moved.packages] == ["2.0"]
    assert obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET) == moved


def test_the_same_inputs_give_the_same_bytes(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0", ["beta"])
    wheels.add("beta", "1.0")
    specs = [wanted("alpha", "beta", indexes=wheels.indexes), wanted("beta", "alpha", indexes=wheels.indexes)]
    texts = {dump(obtain(s, target, cache_dir=tmp_path / f"cache{n}", reporter=QUIET)) for n, s in enumerate(specs)}
    assert len(texts) == 1


def test_a_kept_lock_is_private_and_a_broken_one_is_made_anew(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0")
    spec = wanted("alpha", indexes=wheels.indexes)
    lock = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    (kept,) = (tmp_path / "cache" / "locks").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    kept.write_text("lock-version = ")
    assert obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET) == lock


def test_many_at_once_agree(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0")
    spec = wanted("alpha", indexes=wheels.indexes)
    with ThreadPoolExecutor(4) as pool:
        locks = list(pool.map(lambda _: obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET), range(4)))
    assert len({lock.digest for lock in locks}) == 1
    assert [p.name[0] for p in (tmp_path / "cache" / "locks").iterdir()] != ["."]


@pytest.mark.parametrize(
    "change",
    [
        {"requirements": (RequirementLine(text="alpha>=1", origin="packages"),)},
        {"requirements": (RequirementLine(text="alpha[x]", origin="packages"),)},
        {"requirements": (RequirementLine(text="alpha", origin="packages", hashes=("sha256:" + "0" * 64,)),)},
        {"constraints": (RequirementLine(text="beta<2", origin="c.txt:1"),)},
        {"indexes": Indexes(default="https://a.example/simple")},
        {"indexes": Indexes(no_index=True)},
        {"source_builds": ("alpha",)},
        {"resolver": "pip-tools"},
        {"requires_hashes": True},
    ],
)
def test_everything_that_decides_a_resolution_is_in_the_digest(wanted, target, change):
    spec = wanted("alpha")
    assert inputs_digest(replace(spec, **change), target) != inputs_digest(spec, target)


def test_what_must_be_built_is_in_the_digest_where_all_may_be(wanted, target):
    spec = replace(wanted("alpha"), source_builds=("*",))
    assert inputs_digest(replace(spec, no_binary=("alpha",)), target) != inputs_digest(spec, target)


def test_the_target_is_in_the_digest(wanted, target, other_target):
    spec = wanted("alpha")
    others = [
        other_target("3.12.1"),
        other_target(architecture="arm64"),
        other_target(libc="musl", libc_version="1.2"),
    ]
    assert len({inputs_digest(spec, t) for t in [target, *others]}) == 4
    # A base's patch release and glibc move without the lock being made anew.
    alike = [other_target("3.11.3"), other_target(libc_version="2.37")]
    assert {inputs_digest(spec, t) for t in alike} == {inputs_digest(spec, target)}


def test_where_it_was_written_and_credentials_are_not_in_the_digest(wanted, target):
    spec = wanted("alpha", indexes=Indexes(default="https://a.example/simple"))
    moved = replace(spec, requirements=(RequirementLine(text="alpha", origin="requirements.txt:9"),))
    token = replace(spec, indexes=Indexes(default="https://user:canary@a.example/simple"))
    assert inputs_digest(spec, target) == inputs_digest(moved, target) == inputs_digest(token, target)


def test_the_users_own_lock_is_used_until_its_inputs_change(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0")
    spec = wanted("alpha", indexes=wheels.indexes)
    lock = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    path = tmp_path / "pylock.toml"
    path.write_text(dump(lock, relative_to=tmp_path))
    assert 'path = "wheels/alpha-1.0-py3-none-any.whl"' in path.read_text()
    wheels.add("alpha", "2.0")
    locked = replace(spec, lock_file=path)
    used = obtain(locked, target, cache_dir=tmp_path / "other", reporter=QUIET)
    assert used.packages == lock.packages
    assert used.digest == lock.digest
    assert not (tmp_path / "other").exists()
    changed = replace(locked, requirements=(RequirementLine(text="alpha>1", origin="packages"),))
    with pytest.raises(StaleLock) as caught:
        obtain(changed, target, cache_dir=tmp_path / "other", reporter=QUIET)
    assert "imagekit lock" in (caught.value.hint or "")
    assert str(path) in caught.value.message
    assert caught.value.hint == "make it anew: imagekit lock"


def test_a_lock_of_another_platform_is_not_made_anew_by_the_same_word(wheels, wanted, target, other_target, tmp_path):
    wheels.add("alpha", "1.0")
    spec = wanted("alpha", indexes=wheels.indexes)
    path = tmp_path / "pylock.toml"
    path.write_text(dump(obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET), relative_to=tmp_path))
    other = other_target(architecture="arm64")
    with pytest.raises(StaleLock) as caught:
        obtain(replace(spec, lock_file=path), other, cache_dir=tmp_path / "other", reporter=QUIET)
    assert caught.value.hint is not None
    assert "imagekit lock --platform linux/arm64" in caught.value.hint


def test_a_lock_that_uv_wrote_is_used_and_must_answer(wheels, wanted, target, tmp_path):
    wheels.add("alpha", "1.0", ["beta; sys_platform == 'win32'"])
    wheels.add("alpha", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    wheels.add("beta", "1.0")
    (tmp_path / "in.txt").write_text("alpha\n")
    path = tmp_path / "pylock.toml"
    subprocess.run(
        [find_uv(), "pip", "compile", "--universal", "--no-config", "--no-index", "--find-links", wheels.path,
         "--python-version", "3.11", "--python", sys.executable, "-o", path, tmp_path / "in.txt"],
        check=True, capture_output=True,
    )  # fmt: skip
    assert len(re.findall(r"\.whl", path.read_text())) == 3
    spec = wanted("alpha", lock_file=path)
    lock = obtain(spec, target, cache_dir=tmp_path / "cache", reporter=QUIET)
    assert [(p.artifact.filename, p.direct) for p in lock.packages] == [
        ("alpha-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", True)
    ]
    for text, said in (("gamma", "no gamma"), ("alpha>=2", "alpha 1.0")):
        asked = replace(spec, requirements=(RequirementLine(text=text, origin="requirements.txt:3"),))
        with pytest.raises(StaleLock, match=said) as caught:
            obtain(asked, target, cache_dir=tmp_path / "cache", reporter=QUIET)
        assert "requirements.txt:3" in caught.value.message


def test_a_lock_file_that_is_not_there_is_said(wanted, target, tmp_path):
    with pytest.raises(InvalidProject, match="pylock"):
        obtain(wanted("alpha", lock_file=tmp_path / "pylock.toml"), target, cache_dir=tmp_path, reporter=QUIET)


def test_the_projects_own_python_requirement_is_held(wanted, target, tmp_path):
    with pytest.raises(Unsatisfiable, match=r">=3\.12.*3\.11\.2"):
        obtain(wanted("alpha", requires_python=">=3.12"), target, cache_dir=tmp_path, reporter=QUIET)


def test_nothing_is_left_where_it_ran(wheels, wanted, target, tmp_path, monkeypatch):
    wheels.add("alpha", "1.0")
    here = tmp_path / "project"
    here.mkdir()
    monkeypatch.chdir(here)
    obtain(wanted("alpha", indexes=wheels.indexes), target, cache_dir=tmp_path / "cache", reporter=QUIET)
    assert list(here.iterdir()) == []
