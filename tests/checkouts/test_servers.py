"""Servers that ask who it is: https with a certificate of the tests' own, ssh; by secrets, netrc and git's helpers."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.checkouts.find import find_source
from imagekit.checkouts.read import read_source
from imagekit.checkouts.values import Checkout, SourceAccess
from imagekit.errors import InvalidSecret, RepositoryError
from tests.certificates import Authority
from tests.own_repositories import Repository, SshServer, git_server

Reach = Callable[..., SourceAccess]
TOKEN = "glpat-canaryXYZ012345"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def found(url: str, access: SourceAccess, secret: str | None = None) -> Checkout:
    return find_source(read_source(url, Path("/")), access, secret=secret)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_a_token_a_login_and_what_is_wrong(
    repository: Repository, reach: Reach, authority: Authority, tmp_path: Path
) -> None:
    secrets = {"token": TOKEN, "login": "me:can:ary", "wrong": "canary-wrong", "empty": "\n", "key": "-----BEGIN X"}
    with git_server(repository.path.parent, login=basic("oauth2", TOKEN), tls=authority.server()) as server:
        url = f"git+{server}/orders.git/.git@main"
        access = reach(secrets, ca_bundle=authority.bundle)
        with pytest.raises(RepositoryError, match="asks for credentials") as nothing:
            found(url, access)
        assert "imagekit secret set NAME; then --source-secret NAME" in str(nothing.value.hint)
        with pytest.raises(RepositoryError, match="refuses the credentials of the secret 'wrong'") as refused:
            found(url, access, "wrong")
        assert "canary" not in str(refused.value.to_json())
        for name in ("empty", "key"):
            with pytest.raises(InvalidSecret) as unusable:
                found(url, access, name)
            assert "BEGIN" not in str(unusable.value.to_json())
        checkout = found(url, access, "token")
        assert (checkout.project / "flow.py").is_file()
        assert "canary" not in repr(checkout) + repr(access)
        for path in access.cache.rglob("*"):
            assert not path.is_file() or b"canary" not in path.read_bytes(), path
        # Nobody vouches for it without the authority.
        with pytest.raises(RepositoryError, match="could not be read") as unknown:
            found(url, reach(secrets), "token")
        assert "certificate" in str(unknown.value.details)
    with git_server(repository.path.parent, login=basic("me", "can:ary"), tls=authority.server()) as server:
        assert found(f"git+{server}/orders.git/.git@main", access, "login").record["ref"] == "main"


def test_a_server_of_plain_files(repository: Repository, reach: Reach, authority: Authority) -> None:
    """It gives no single commits: all branches and tags come, and one of them holds it."""
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"helper.py": "value = 'two'\n"})
    repository.git("update-server-info")
    access = reach(ca_bundle=authority.bundle)
    with git_server(repository.path.parent, dumb=True, tls=authority.server()) as server:
        url = f"git+{server}/orders.git/.git"
        for ref, value in ((first, "one"), ("main", "two"), (first[:8], "one")):
            assert value in (found(f"{url}@{ref}", access).project / "helper.py").read_text()


def test_netrc_and_helpers(repository: Repository, reach: Reach, authority: Authority, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    access = reach(ca_bundle=authority.bundle)
    with git_server(repository.path.parent, login=basic("me", "canary"), tls=authority.server()) as server:
        (home / ".netrc").write_text("machine 127.0.0.1 login me password canary\n")
        assert found(f"git+{server}/orders.git/.git", access).is_fetched
        (home / ".netrc").unlink()
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\n[ $1 = get ] && grep -q '^host=127' && echo username=me && echo password=canary\n")
    helper.chmod(0o755)
    (home / ".gitconfig").write_text(f"[credential]\nhelper = {helper}\n[core]\nhooksPath = /nowhere\n")
    with git_server(repository.path.parent, login=basic("me", "canary"), tls=authority.server()) as server:
        assert found(f"git+{server}/orders.git/.git", access).is_fetched
    with git_server(repository.path.parent, login=basic("me", "other"), tls=authority.server()) as server:
        with pytest.raises(RepositoryError, match="asks for credentials, or refuses them") as refused:
            found(f"git+{server}/orders.git/.git", access)
        assert "canary" not in str(refused.value.to_json())


def test_a_login_goes_to_its_server_alone(
    repository: Repository, reach: Reach, authority: Authority, tmp_path: Path
) -> None:
    """One that sends its guests elsewhere does not send what they know along."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    seen: list[str | None] = []
    with git_server(repository.path.parent, login=basic("x", "y"), tls=authority.server(), seen=seen) as other:

        class Elsewhere(BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                if self.headers.get("Authorization") is None:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                else:
                    self.send_response(302)
                    self.send_header("Location", other.replace("127.0.0.1", "localhost") + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

        with HTTPServer(("127.0.0.1", 0), Elsewhere) as first:
            first.socket = authority.server().wrap_socket(first.socket, server_side=True)
            thread = threading.Thread(target=first.serve_forever, daemon=True)
            thread.start()
            url = f"git+https://127.0.0.1:{first.server_port}/orders.git/.git"
            with pytest.raises(RepositoryError):
                found(url, reach({"token": TOKEN}, ca_bundle=authority.bundle), "token")
            first.shutdown()
            thread.join()
    assert seen
    assert all(TOKEN not in base64.b64decode((each or "").removeprefix("Basic ")).decode() for each in seen)


def test_a_host_that_is_down(reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for url in (f"git+https://127.0.0.1:{port}/r@main", f"git+ssh://127.0.0.1:{port}/r@main"):
        with pytest.raises(RepositoryError, match=f"127.0.0.1:{port}/r could not be read") as caught:
            found(url, reach())
        assert caught.value.details


def test_ssh_by_a_key_that_is_a_secret(repository: Repository, reach: Reach, tmp_path: Path) -> None:
    with SshServer(tmp_path / "sshd") as server:
        known = tmp_path / "known"
        known.write_text(server.known_hosts())
        url = f"{server.url(repository.path)}@main"
        # ssh takes its own files from the account's home, whatever HOME says.
        command = f"ssh -F none -oBatchMode=yes -oIdentityAgent=none -oIdentityFile=none -oUserKnownHostsFile={known}"
        variables = {"GIT_SSH_COMMAND": command}
        access = reach({"deploy": server.key, "token": TOKEN}, variables=variables)
        with pytest.raises(RepositoryError, match="refuses every key that ssh has") as refused:
            found(url, access)
        assert "ssh-add" in str(refused.value.hint)
        with pytest.raises(InvalidSecret, match="takes one"):
            found(url, access, "token")
        checkout = found(url, access, "deploy")
        assert (checkout.project / "flow.py").is_file()
        assert f"git+{checkout.record['url']}@main" == url
        stranger = reach(variables={"GIT_SSH_COMMAND": command.replace(str(known), os.devnull)})
        with pytest.raises(RepositoryError) as unknown:
            found(url, stranger)
        assert "look at the host's key once: ssh 127.0.0.1" in str(unknown.value.hint)
