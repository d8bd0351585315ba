"""Repositories: real ones, by files and by HTTP; refs, commits, and nothing of a configuration but ours."""

from __future__ import annotations

import base64
import os
import socket
import stat
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from imagekit.errors import ResolveError
from imagekit.git.remote import Git
from tests.own_repositories import Repository, git_server

GIT = Git(environment={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "served" / "repository")


def test_refs_become_commits(repository: Repository) -> None:
    first = repository.commit({"a": "1"})
    repository.git("tag", "light")
    repository.git("tag", "-a", "v1", "-m", "with a message")
    repository.git("branch", "feature/x")
    second = repository.commit({"a": "2"})
    url = repository.url
    repository.git("branch", "feature/x@y")
    assert GIT.commit(url, None) == second
    assert GIT.commit(url, "HEAD") == second
    assert GIT.commit(url, "feature/x@y") == second
    assert GIT.commit(url, "main") == second
    assert GIT.commit(url, "feature/x") == first
    assert GIT.commit(url, "light") == first
    assert GIT.commit(url, "v1") == first
    assert GIT.commit(url, "refs/tags/v1") == first
    assert GIT.commit(url, "heads/main") == second
    assert GIT.commit(url, first[:10]) == first
    assert GIT.commit(url, first) == first


def test_a_ref_that_is_not_there_and_one_that_is_two_things(repository: Repository) -> None:
    repository.commit({"a": "1"})
    repository.git("tag", "twice")
    repository.commit({"a": "2"})
    repository.git("branch", "twice")
    with pytest.raises(ResolveError, match="no branch, tag or commit 'nowhere'"):
        GIT.commit(repository.url, "nowhere")
    with pytest.raises(ResolveError, match="no branch, tag or commit 'abcdef1'"):
        GIT.commit(repository.url, "abcdef1")
    with pytest.raises(ResolveError, match="a tag and a branch 'twice', which differ") as caught:
        GIT.commit(repository.url, "twice")
    assert "refs/tags/twice" in str(caught.value.hint)


def test_the_files_of_a_commit_and_nothing_else(repository: Repository, tmp_path: Path) -> None:
    (repository.path / "run").write_text("#!/bin/sh\n")
    (repository.path / "run").chmod(0o755)
    (repository.path / "link").symlink_to("a/b")
    first = repository.commit({"a/b": "one\r\n", ".gitattributes": "a/b text eol=lf export-ignore filter=evil\n"})
    repository.commit({"a/b": "two"})
    into = tmp_path / "into"
    GIT.checkout(repository.url, first, into)
    assert sorted(p.relative_to(into).as_posix() for p in into.rglob("*")) == [
        ".gitattributes",
        "a",
        "a/b",
        "link",
        "run",
    ]
    assert (into / "a/b").read_text() == "one\n"
    assert (into / "run").stat().st_mode & stat.S_IXUSR
    assert os.readlink(into / "link") == "a/b"


@pytest.mark.parametrize("how", ["file", "http", "dumb"])
def test_the_last_tag_before_a_commit(repository: Repository, tmp_path: Path, how: str) -> None:
    untagged = repository.commit({"a": "1"})
    repository.git("tag", "latest")
    repository.commit({"a": "2"})
    repository.git("tag", "-a", "v1.2", "-m", "with a message")
    after = repository.commit({"a": "3"})
    repository.git("update-server-info")
    with git_server(tmp_path / "served", dumb=how == "dumb") as server:
        url = repository.url if how == "file" else f"{server}/repository/.git"
        assert GIT.describe(url, after) == f"v1.2-1-g{after[:7]}"
        assert GIT.describe(url, untagged) is None


def test_a_commit_that_no_branch_has_any_more(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": "1"})
    gone = repository.commit({"a": "2"})
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    GIT.checkout(repository.url, gone, tmp_path / "there")  # the server still gives it
    assert (tmp_path / "there" / "a").read_text() == "2"
    with pytest.raises(ResolveError, match=f"has no commit {'0' * 40}"):
        GIT.checkout(repository.url, "0" * 40, tmp_path / "missing")


@pytest.mark.parametrize("dumb", [False, True])
def test_over_http(repository: Repository, tmp_path: Path, dumb: bool) -> None:
    first = repository.commit({"a": "1"})
    repository.commit({"a": "2"})
    repository.git("update-server-info")
    with git_server(tmp_path / "served", dumb=dumb) as server:
        url = f"{server}/repository/.git"
        assert GIT.commit(url, "main") != first
        GIT.checkout(url, first, tmp_path / "into")
        assert (tmp_path / "into" / "a").read_text() == "1"
        with pytest.raises(ResolveError, match=r"no repository|could not be read"):
            GIT.commit(f"{server}/other.git", "main")


def test_a_login_comes_from_netrc_and_nothing_asks_for_one(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a": "1"})
    login = "Basic " + base64.b64encode(b"me:s3cr3t").decode()
    with git_server(tmp_path / "served", login=login) as server:
        url = f"{server}/repository/.git"
        with pytest.raises(ResolveError, match="asks for credentials") as caught:
            GIT.commit(url, "main")
        assert "netrc" in str(caught.value.hint)
        home = tmp_path / "home"
        home.mkdir()
        (home / ".netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
        known = Git(environment={"PATH": os.environ["PATH"], "HOME": str(home)})
        assert known.commit(url, "main") == commit
        (home / ".netrc").write_text("machine 127.0.0.1 login me password wr0ng\n")
        with pytest.raises(ResolveError) as refused:
            known.commit(url, "main")
        assert "wr0ng" not in str(refused.value.to_json())


def test_no_configuration_hook_filter_or_submodule_is_run(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.commit({"s": "1"})
    ran = tmp_path / "ran"
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.url, "sub")
    commit = repository.commit({"a": "1", ".gitattributes": "a filter=evil\n"})
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {ran}\n")
        (hooks / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    config = f'[core]\nhooksPath = {hooks}\nfsmonitor = "touch {ran}"\n[filter "evil"]\nsmudge = touch {ran}\n'
    (home / ".gitconfig").write_text(config + f'[url "/nowhere/"]\ninsteadOf = "{repository.url}"\n')
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hooks),
        "GIT_DIR": "/nowhere",
        "GIT_EXTERNAL_DIFF": f"touch {ran}",
        "GIT_SSH_COMMAND": f"touch {ran}",
        "GIT_ALLOW_PROTOCOL": "ext",
    }
    GIT_OF_USER = Git(environment=variables)
    GIT_OF_USER.checkout(repository.url, commit, tmp_path / "into")
    assert not ran.exists()
    assert (tmp_path / "into" / "a").read_text() == "1"
    assert list((tmp_path / "into" / "sub").iterdir()) == []


@pytest.mark.parametrize("url", ["ext::sh -c true", "fd::7", "--upload-pack=touch x", "ftp://127.0.0.1/r"])
def test_other_protocols_are_refused_by_git_too(url: str) -> None:
    with pytest.raises(ResolveError):
        GIT.commit(url, "main")


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/r.git"
        with pytest.raises(ResolveError, match="within 1 seconds"):
            Git(environment=GIT.environment, deadline=1).commit(url, "main")


def test_what_is_under_way_can_be_ended() -> None:
    git = Git(environment=GIT.environment)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as pool:
        asked = pool.submit(git.commit, f"http://127.0.0.1:{silent.getsockname()[1]}/r.git", "main")
        silent.accept()  # it has begun
        git.end()
        with pytest.raises(CancelledError):
            asked.result()
    with pytest.raises(CancelledError):
        git.commit("https://example.com/r", "main")


def test_without_git_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match="git is not installed"):
        Git(environment={"PATH": str(tmp_path)}).commit("https://example.com/r", "main")


def test_offline_only_this_machine_is_asked(repository: Repository, tmp_path: Path) -> None:
    git = Git(environment=GIT.environment, offline=True)
    url = "https://me@127.0.0.1:1/team/x"
    for ask in (
        lambda: git.commit(url, "main"),
        lambda: git.checkout(url, "0" * 40, tmp_path / "out"),
        lambda: git.describe(url, "0" * 40),
    ):
        with pytest.raises(ResolveError, match=r"offline, and https://127.0.0.1:1/team/x is asked for") as caught:
            ask()
        assert "kept" in str(caught.value.hint)
    assert git.commit(url, "0" * 40) == "0" * 40
