"""For whom a login is good: the server that it is known for; a netrc file's, for what is asked by name and by HTTPS."""

from __future__ import annotations

import pytest

from imagekit.lock.access import IndexAccess
from imagekit.lock.logins import Login, Logins
from imagekit.lock.refusals import denied
from imagekit.spec.image import Indexes

NETRC = {"corp.example.com": ("me", "of-netrc"), "other.example.com": ("me", "of-other"), "": ("any", "of-default")}
INDEX = "http://corp.example.com:8080/simple"
ACCESS = IndexAccess(indexes=Indexes(default=INDEX), logins=Logins(by_host=NETRC)).joined(Indexes())


@pytest.mark.parametrize(
    ("url", "password"),
    [
        (INDEX, "of-netrc"),
        ("http://corp.example.com:8080/files/x.whl", "of-netrc"),
        ("https://corp.example.com/x.whl", "of-netrc"),
        ("https://corp.example.com:8443/x.whl", "of-netrc"),
        ("https://unknown.example.com/x.whl", "of-default"),
        # In the clear, where a page or a redirection leads.
        ("http://corp.example.com/x.whl", None),
        ("http://corp.example.com:9999/x.whl", None),
        ("http://other.example.com/x.whl", None),
        ("http://unknown.example.com/x.whl", None),
        ("http://127.0.0.1:8080/x.whl", "of-default"),
    ],
)
def test_a_netrc_files_login(url: str, password: str | None) -> None:
    found = [login.password for login in ACCESS.logins.of(url)]
    assert found == ([password] if password is not None else [])
    error = denied(401, url, ACCESS)
    if password is None:
        assert "gets none from netrc in the clear" in error.message
        assert "https" in str(error.hint)
    else:
        assert "refuses the login from netrc" in error.message


def test_a_stage_gets_what_is_for_the_hosts_that_it_asks() -> None:
    assert ACCESS.netrc() == "machine corp.example.com login me password of-netrc\n"
    # Nobody has an entry: the one for any host is this one's.
    asked = IndexAccess(indexes=Indexes(default="https://x.example.com/simple"), logins=Logins(by_host=NETRC))
    assert asked.joined(Indexes()).netrc() == "machine x.example.com login any password of-default\n"
    assert IndexAccess(logins=Logins(by_host=NETRC)).joined(Indexes()).netrc() == ""


def test_of_two_servers_of_a_host_the_place_of_files_has_the_entry() -> None:
    """An index has its login by its name as well."""
    links, index = "https://corp.example.com:8443/files", "https://corp.example.com/simple"
    logins = (
        Login(url=index, user="me", password="of-index", origin="a test"),
        Login(url=links, user="me", password="of-links", origin="a test"),
    )
    access = IndexAccess(indexes=Indexes(default=index, find_links=(links,)), logins=Logins(by_url=logins))
    assert access.joined(Indexes()).netrc() == "machine corp.example.com login me password of-links\n"
