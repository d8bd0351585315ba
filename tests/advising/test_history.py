"""How often a project changes, by repositories as git makes them."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from imagekit.advising.history import Commit, History, changes, commits_of, read

NOW = datetime.now(timezone.utc)


def git(root: Path, *words: str, days_ago: float = 0.0) -> None:
    moment = (NOW - timedelta(days=days_ago)).isoformat()
    env = {
        **os.environ,
        "GIT_AUTHOR_DATE": moment,
        "GIT_COMMITTER_DATE": moment,
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *settings, "-C", str(root), *words], env=env, check=True, capture_output=True)


def commit(root: Path, days_ago: float, **files: str) -> None:
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "x", days_ago=days_ago)


def look(root: Path) -> History:
    return read(
        root,
        names_dependencies=lambda path: path == "requirements.txt",
        is_source=lambda path: path.endswith(".py"),
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    commit(root, 200, requirements__txt="a", flow__py="a", notes__md="a")
    return root


def test_days_with_changes_are_counted(repository: Path) -> None:
    commit(repository, 100, flow__py="too long ago")
    # At noon, so that both are of one day.
    days_ago = 40 + (NOW - NOW.replace(hour=12)) / timedelta(days=1)
    commit(repository, days_ago, requirements__txt="b")
    commit(repository, days_ago - 0.01, requirements__txt="c", flow__py="c")
    commit(repository, 20, flow__py="d")
    commit(repository, 10, notes__md="no source")
    assert look(repository) == History(days=90.0, dependencies=1, source=2, is_repository=True)


def test_a_merge_is_one_change_of_the_main_line(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "side")
    for day in (30, 29, 28):
        commit(repository, day, flow__py=f"{day}")
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "side", days_ago=5)
    assert look(repository).source == 1


def test_paths_are_those_of_the_project(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "one two").mkdir()
    (tmp_path / "requirements.txt").write_text("of another")
    commit(tmp_path / "one two", 50, flow__py="a")
    (tmp_path / "requirements.txt").write_text("of another, changed")
    commit(tmp_path, 10)
    commit(tmp_path / "one two", 5, flow__py="b", requirements__txt="b")
    found = look(tmp_path / "one two")
    assert (found.dependencies, found.source) == (1, 1)
    assert found.days == pytest.approx(50, abs=0.1)


def test_a_shallow_clone_has_no_telling(repository: Path, tmp_path: Path) -> None:
    commit(repository, 5, flow__py="b")
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), "shallow")
    found = look(tmp_path / "shallow")
    assert found.unknown is not None
    assert "git fetch --unshallow" in found.unknown
    assert found.is_repository


def test_without_git(tmp_path: Path) -> None:
    assert look(tmp_path).unknown == "the project is in no git repository that git can read"
    assert not look(tmp_path).is_repository


def test_files_that_git_does_not_have(repository: Path) -> None:
    (repository / "new").mkdir()
    (repository / "new" / "flow.py").write_text("")
    assert look(repository / "new").unknown == "none of the project's files is in git"


def test_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "flow.py").write_text("")
    git(tmp_path, "add", ".")
    found = look(tmp_path)
    assert found.unknown == "git could not list the commits of the project's files"


def test_a_young_history_says_nothing_of_a_month(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    commit(tmp_path, 3, flow__py="a")
    commit(tmp_path, 1, flow__py="b")
    assert look(tmp_path).unknown == "its history is 3 days old"


def test_what_git_prints_is_read_byte_for_byte() -> None:
    listed = b"\x0117\0\na b.py\0\xff\nx.py\0\x0118\0\x01no time\0\n"
    assert commits_of(listed) == [
        Commit(time=17.0, paths=("a b.py", os.fsdecode(b"\xff\nx.py"))),
        Commit(time=18.0, paths=()),
    ]


def test_the_first_commit_is_no_change() -> None:
    found = changes(
        [Commit(time=0.0, paths=("a",)), Commit(time=86400.0, paths=("a",))],
        began=0.0,
        now=40 * 86400.0,
        names_dependencies=lambda _: False,
        is_source=lambda _: True,
    )
    assert (found.source, found.days) == (1, 40.0)
    assert found.a_month(found.source) == 0.75
