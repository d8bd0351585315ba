"""URLs without what is nobody's to see."""

from __future__ import annotations

import pytest

from imagekit.network.urls import bare, has_login, without_login


@pytest.mark.parametrize(
    ("url", "without"),
    [
        ("https://user:secret@mirror.example.com/debian", "https://mirror.example.com/debian"),
        ("https://token@example.com:8443/a?b=c#d", "https://example.com:8443/a?b=c#d"),
        ("https://one@two:three@example.com/", "https://example.com/"),
        ("ssh://git@example.com/team/repo.git", "ssh://example.com/team/repo.git"),
    ],
)
def test_a_login_is_taken_out_and_nothing_else(url: str, without: str) -> None:
    assert has_login(url)
    assert without_login(url) == without
    assert not has_login(without)


@pytest.mark.parametrize(
    "url", ["https://example.com/a@b", "file:///srv/a%20b", "/srv/a@b", "git@example.com:team/repo"]
)
def test_what_has_none_stays(url: str) -> None:
    assert not has_login(url)
    assert without_login(url) == url


def test_a_place_has_no_query_and_no_fragment() -> None:
    assert bare("https://user:secret@example.com/a.whl?token=b#sha256=c") == "https://example.com/a.whl"


def test_what_is_a_url_by_its_login_alone() -> None:
    """Python finds both brackets, and a host between them; without the login there is one."""
    assert bare("https://a]b@[::1/x") == "https://[::1/x"


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="IPv6"):
        bare("https://[example.com/")
