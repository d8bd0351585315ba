"""What a build is given of a repository or a directory: its files, what its tags say, and nothing from outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagekit.errors import SourceBuildFailed
from imagekit.git.remote import Git
from imagekit.lock.fetch import WheelStore
from imagekit.lock.values import Artifact, GitCommit, LockedPackage
from imagekit.spec.source_tree import scan
from imagekit.stages.source_place import place_source
from tests.own_repositories import Repository, package_files

GIT = Git(environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})


def placed(artifact: Artifact, tmp_path: Path) -> Path:
    """The directory that would be built."""
    into = tmp_path / "into"
    into.mkdir()
    package = LockedPackage(name="part", version="", artifact=artifact)
    return into / place_source(package, into, WheelStore(tmp_path / "wheels"), GIT)


def of_commit(repository: Repository, commit: str, subdirectory: str = "") -> Artifact:
    return Artifact.of_commit("part", GitCommit(url=repository.url, commit=commit, subdirectory=subdirectory))


def test_a_version_that_is_read_from_tags(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.commit({"inner/pyproject.toml": '[build-system]\nrequires = ["hatch-vcs"]\n'})
    repository.git("tag", "v1.2")
    commit = repository.commit({"inner/part.py": ""})
    place = placed(of_commit(repository, commit, "inner"), tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["part.py", "pyproject.toml"]
    said = (place.parent / ".git_archival.txt").read_text()
    assert said == f"node: {commit}\ndescribe-name: v1.2-1-g{commit[:7]}\n"
    assert not (place.parent / ".git").exists()


def test_a_version_that_is_not(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit(package_files("part", "1.0"))
    place = placed(of_commit(repository, commit), tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["backend.py", "part.py", "pyproject.toml"]


@pytest.mark.parametrize("subdirectory", ["missing", "file", "out", "out/inside"])
def test_a_subdirectory_that_is_none(tmp_path: Path, subdirectory: str) -> None:
    repository = Repository(tmp_path / "repository")
    (tmp_path / "elsewhere/inside").mkdir(parents=True)
    (repository.path / "out").symlink_to(tmp_path / "elsewhere")
    commit = repository.commit({"file": ""})
    with pytest.raises(SourceBuildFailed, match=f"part: .* has no directory '{subdirectory}'"):
        placed(of_commit(repository, commit, subdirectory), tmp_path)


def test_a_directory_without_what_is_nobodys_business(tmp_path: Path) -> None:
    root = tmp_path / "libs"
    (root / ".git").mkdir(parents=True)
    (root / "pyproject.toml").write_text("")
    (root / ".env").write_text("SECRET=1")
    (root / ".git/config").write_text("")
    (root / "link").symlink_to("/etc/passwd")
    artifact = Artifact.of_directory("part", root, scan(root).digest())
    place = placed(artifact, tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["link", "pyproject.toml"]
    assert os.readlink(place / "link") == "/etc/passwd"  # a link, and not what it leads to


def test_a_directory_that_changes_meanwhile(tmp_path: Path) -> None:
    root = tmp_path / "libs"
    root.mkdir()
    artifact = Artifact.of_directory("part", root, scan(root).digest())
    (root / "part.py").write_text("")
    with pytest.raises(SourceBuildFailed, match="changed while it was read"):
        placed(artifact, tmp_path)
