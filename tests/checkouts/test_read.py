"""Sources as people write them, and what is refused before anybody is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.checkouts.find import check_source
from imagekit.checkouts.read import read_source
from imagekit.checkouts.values import GitSource, MountedSource
from imagekit.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TAKEN = [
    ("git+https://example.com/o/r.git", "https://example.com/o/r.git", None, ""),
    ("git+https://example.com/o/r.git@main", "https://example.com/o/r.git", "main", ""),
    ("git+https://example.com:8443/r@v1.0/x#subdirectory=a/b", "https://example.com:8443/r", "v1.0/x", "a/b"),
    (f"git+https://example.com/r@{COMMIT}#egg=r&subdirectory=./a/", "https://example.com/r", COMMIT, "a"),
    ("git+https://example.com/a%20b@v1", "https://example.com/a%20b", "v1", ""),
    ("git+ssh://git@example.com/o/r@refs/tags/v1", "ssh://git@example.com/o/r", "refs/tags/v1", ""),
    ("git+ssh://example.com:2222/r", "ssh://example.com:2222/r", None, ""),
    ("git+file:///srv/r.git@main#subdirectory=.", "file:///srv/r.git", "main", ""),
    ("git+https://example.com/r@feat/x%40y", "https://example.com/r", "feat/x@y", ""),
    ("git+https://example.com/a%40b", "https://example.com/a%40b", None, ""),
    ("git+file:///srv/a%40b@feat/x%40y", "file:///srv/a%40b", "feat/x@y", ""),
    ("git+file:///srv/r@HEAD", "file:///srv/r", "HEAD", ""),
    ("git+file://localhost/srv/r", "file:///srv/r", None, ""),
]
REFUSED = [
    ("", "empty"),
    ("nowhere", "is not there"),
    ("a\n.", "control"),
    ("--upload-pack=touch x", "an option"),
    ("-c", "an option"),
    ("ext::sh -c true", "a program of git's"),
    ("git+ext::sh -c true", "a program of git's"),
    ("fd::7", "a program of git's"),
    ("git+fd::17/foo", "a program of git's"),
    ("git+ext://sh", "unknown scheme"),
    ("git+ftp://example.com/r", "unknown scheme"),
    ("hg+https://example.com/r", "no directory, and no"),
    ("https://example.com/r.git", "no directory, and no"),
    ("git+http://example.com/r", "unencrypted"),
    ("git@example.com:o/r.git", "short form of ssh"),
    ("git+ssh://git@example.com:o/r", "is not a URL"),
    ("git+https://example.com/r@--upload-pack=x", "no usable ref"),
    ("git+https://example.com/r@-c", "no usable ref"),
    ("git+https://example.com/r@a..b", "no usable ref"),
    ("git+https://example.com/r@main~1", "no usable ref"),
    ("git+https://example.com/r@a b", "no usable ref"),
    ("git+https://example.com/r@x.lock", "no usable ref"),
    ("git+https://example.com/-r", "names no repository"),
    ("git+ssh://-oProxyCommand=x/r", "no valid host"),
    ("git+https:///r", "no valid host"),
    ("git+https://example.com/", "names no repository"),
    ("git+https://example.com/a/../b", "'..'"),
    ("git+https://example.com/r?x=1", "a query"),
    ("git+https://example.com/r#subdirectory=../x", "outside the repository"),
    ("git+https://example.com/r#subdirectory=/etc", "outside the repository"),
    ("git+https://example.com/r#subdirectory=a/%2e%2e/b", "outside the repository"),
    ("git+https://example.com/r#subdirectory=-x", "outside the repository"),
    ("git+https://example.com/r#branch=x", "is not honoured"),
    ("git+https://example.com/r#sha256=" + "0" * 64, "sha256"),
    ("git+file://otherhost/srv/r", "another machine"),
]
LOGINS = [
    "git+https://canary@example.com/r",
    "git+https://me:canary@example.com/r@v1",
    "git+https://:canary@example.com/r",
    "git+ssh://me:canary@example.com/r",
    "https://me:canary@example.com/r",
    "git+https://me:can@ry@example.com/r",
]


@pytest.mark.parametrize(
    ("written", "url", "ref", "subdirectory"),
    TAKEN,
)
def test_repositories(written: str, url: str, ref: str | None, subdirectory: str, tmp_path: Path) -> None:
    found = read_source(written, tmp_path)
    assert found == GitSource(url=url, ref=ref, subdirectory=subdirectory)
    assert read_source(str(found), tmp_path) == found


def test_a_repository_below_the_working_directory(tmp_path: Path) -> None:
    assert read_source("git+file:vendor/r@v1", tmp_path) == GitSource(url=f"{tmp_path.as_uri()}/vendor/r", ref="v1")


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "link").symlink_to("flows")
    for written in ("flows", "./flows", tmp_path / "flows", str(tmp_path / "flows"), "link", Path("link")):
        assert read_source(written, tmp_path) == MountedSource(directory=tmp_path / "flows")
    assert read_source(".", tmp_path) == MountedSource(directory=tmp_path)


@pytest.mark.parametrize(
    ("written", "words"),
    REFUSED,
)
def test_refused(written: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_source(written, tmp_path)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    LOGINS,
)
def test_logins_are_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_source(url, tmp_path)
    assert "canary" not in str(caught.value.to_json())
    assert "can@ry" not in str(caught.value.to_json())


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("https://me:canary@example.com/o/r", "write git+https://example.com/o/r for a repository, and keep the login"),
        ("https://example.com/r?token=canary", "write git+https://example.com/r for a repository"),
        ("ssh://git@example.com/r", "write git+ssh://git@example.com/r for a repository"),
        ("ssh://me:canary@example.com/r", "write git+ssh://USER@example.com/r for a repository"),
        ("git@example.com:o/r", "write git+ssh://git@example.com/o/r"),
    ],
)
def test_what_a_hint_says_is_taken(written: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_source(written, tmp_path)
    assert str(caught.value.hint).startswith(hint)
    read_source(str(caught.value.hint).split()[1], tmp_path)


def test_secrets_where_none_is_wanted(tmp_path: Path) -> None:
    for written, secret in ((".", "token"), ("git+file:///srv/r", "token"), ("git+https://example.com/r", "No Name")):
        with pytest.raises(InputError):
            check_source(read_source(written, tmp_path), secret)
    check_source(read_source("git+https://example.com/r", tmp_path), "token")


@given(st.text(max_size=40) | st.from_regex(r"(git\+)?[a-z+:]{0,8}/?/?[a-z@.:/#=&%-]{0,30}", fullmatch=True))
def test_anything_is_a_source_or_refused(text: str) -> None:
    """What is taken for a repository has no option, no program, no login, and no way out in it."""
    try:
        found = read_source(text, Path(os.sep))
    except InputError:
        return
    if isinstance(found, GitSource):
        assert found.url.startswith(("https://", "ssh://", "file:///"))
        assert not (found.ref or "").startswith("-")
        assert not found.subdirectory.startswith(("-", "/"))
        assert ".." not in found.subdirectory.split("/")
        assert "::" not in found.url
