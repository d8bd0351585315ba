"""The revision of real repositories, as git itself leaves them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from imagekit.spec.revision import Revision, read_revision

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def _git(directory: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=directory, env=_ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    directory = tmp_path / "repository"
    directory.mkdir()
    _git(directory, "init", "--quiet", "--initial-branch", "team/main")
    (directory / "below").mkdir()
    (directory / "below" / "flow.py").write_text("")
    _git(directory, "add", ".")
    _git(directory, "commit", "--quiet", "-m", "first")
    return directory


def _head(repository: Path) -> str:
    return _git(repository, "rev-parse", "HEAD")


def test_a_branch(repository: Path) -> None:
    assert read_revision(repository) == Revision(commit=_head(repository))
    assert read_revision(repository / "below") == Revision(commit=_head(repository))


def test_packed_references(repository: Path) -> None:
    _git(repository, "tag", "-a", "-m", "annotated", "v1")
    _git(repository, "pack-refs", "--all")
    assert not (repository / ".git/refs/heads/team/main").exists()
    assert read_revision(repository).commit == _head(repository)


def test_a_detached_head(repository: Path) -> None:
    first = _head(repository)
    _git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    _git(repository, "checkout", "--quiet", "--detach", first)
    assert read_revision(repository).commit == first


def test_a_worktree(repository: Path, tmp_path: Path) -> None:
    _git(repository, "remote", "add", "origin", "https://example.com/team/flows.git")
    _git(repository, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "tree"))
    _git(tmp_path / "tree", "commit", "--quiet", "--allow-empty", "-m", "in the worktree")
    found = read_revision(tmp_path / "tree")
    assert found.commit == _head(tmp_path / "tree") != _head(repository)
    assert found.source == "https://example.com/team/flows.git"


def test_before_the_first_commit(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    assert read_revision(tmp_path) == Revision()


def test_no_repository(tmp_path: Path) -> None:
    assert read_revision(tmp_path) == Revision()


@pytest.mark.parametrize("text", ["", "gitdir: /nowhere", "junk"])
def test_a_broken_link_to_a_repository(text: str, tmp_path: Path) -> None:
    (tmp_path / ".git").write_text(text)
    assert read_revision(tmp_path) == Revision()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/team/flows.git", "https://example.com/team/flows.git"),
        ("https://ann:s3cret@example.com/flows.git", "https://example.com/flows.git"),
        ("https://s3cret@example.com:8443/flows.git", "https://example.com:8443/flows.git"),
        ("https://example.com/flows.git?private_token=s3cret#s3cret", "https://example.com/flows.git"),
        ("ssh://git@example.com/flows.git", "ssh://example.com/flows.git"),
        ("git@example.com:team/flows.git", "git@example.com:team/flows.git"),
        ("/srv/repositories/flows.git", None),
        ("../flows.git", None),
        ("https://[example.com/flows.git", None),
    ],
)
def test_where_it_comes_from(url: str, expected: str | None, repository: Path) -> None:
    _git(repository, "remote", "add", "origin", url)
    assert read_revision(repository).source == expected
