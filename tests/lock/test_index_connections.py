"""Proxies, certificates of a site's own, client certificates: for resolving and for fetching alike."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imagekit.errors import IndexUnreachable, InvalidConfig
from imagekit.lock.target import Target
from tests.certificates import Authority
from tests.lock.faulty_index import FaultyIndex
from tests.lock.indexed import CANARY, Machine
from tests.own_proxy import OwnProxy

ALPHA = {"alpha": "1.0"}


@pytest.fixture
def machine(tmp_path: Path, target: Target) -> Iterator[Machine]:
    made = Machine(tmp_path / "machine", target)
    yield made
    assert made.leaks() == []


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def index() -> Iterator[Callable[..., FaultyIndex]]:
    running: list[FaultyIndex] = []

    def make(**options: object) -> FaultyIndex:
        made = FaultyIndex(**options)  # type: ignore[arg-type]
        made.add("alpha", "1.0")
        running.append(made)
        return made

    yield make
    for each in running:
        each.close()


Make = Callable[..., FaultyIndex]


# Certificates


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "IMAGEKIT_CA_BUNDLE"])
def test_a_sites_own_authority(machine: Machine, authority: Authority, index: Make, variable: str) -> None:
    variables = {"UV_DEFAULT_INDEX": index(tls=authority.server()).url, variable: str(authority.bundle)}
    assert machine.both("alpha", variables=variables) == ALPHA


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".config/pip/pip.conf", "[global]\nindex-url = {url}\ncert = {bundle}\n"),
        (".config/imagekit/config.toml", 'ca-bundle = "{bundle}"\n'),
    ],
)
def test_the_authority_of_a_configuration(
    machine: Machine, authority: Authority, index: Make, file: str, text: str
) -> None:
    url = index(tls=authority.server()).url
    machine.write(file, text.format(url=url, bundle=authority.bundle))
    variables = {"PIP_CONFIG_FILE": ""} if "pip" in file else {"UV_DEFAULT_INDEX": url}
    assert machine.both("alpha", variables=variables) == ALPHA


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        ("unknown", "is not trusted", "SSL_CERT_FILE"),
        ("expired", "has expired", "date"),
        ("name", "is for another name", "URL"),
        ("client", "asks for a client certificate", "SSL_CLIENT_CERT"),
    ],
)
@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_connection_that_is_refused_says_why(
    machine: Machine, authority: Authority, index: Make, tmp_path: Path, host: Target,
    fault: str, words: str, hint: str, resolver: str,
) -> None:  # fmt: skip
    machine.target = host
    tls = {
        "unknown": lambda: Authority(tmp_path / "another").server(),
        "expired": lambda: authority.server(expired=True),
        "name": lambda: authority.server("packages.example.com"),
        "client": lambda: authority.server(asks_client=True),
    }[fault]()
    broken = index(tls=tls)
    variables = {"SSL_CERT_FILE": str(authority.bundle), "UV_DEFAULT_INDEX": broken.url_as("reader", CANARY)}
    with pytest.raises(IndexUnreachable, match=words) as caught:
        machine.lock("alpha", variables=variables, resolver=resolver)
    assert broken.host in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "\n" not in caught.value.message
    assert CANARY not in f"{caught.value.to_json()}"
    # The same for a file, at once: no patience makes a certificate valid.
    well = index()
    lock = machine.lock("alpha", variables={"UV_DEFAULT_INDEX": well.url})
    moved = lock.packages[0].artifact.url.replace(f"http://{well.host}", f"https://{broken.host}")
    package = replace(lock.packages[0], artifact=replace(lock.packages[0].artifact, url=moved))
    with pytest.raises(IndexUnreachable, match=f"alpha: .*{words}"):
        machine.fetch(replace(lock, packages=(package,)), variables=variables)


@pytest.mark.parametrize("variable", ["SSL_CLIENT_CERT", "PIP_CLIENT_CERT", "IMAGEKIT_CLIENT_CERT"])
def test_a_client_certificate(machine: Machine, authority: Authority, index: Make, variable: str, host: Target) -> None:
    machine.target = host
    variables = {
        "UV_DEFAULT_INDEX": index(tls=authority.server(asks_client=True)).url,
        "SSL_CERT_FILE": str(authority.bundle),
        variable: str(authority.client()),
    }
    for resolver in ("uv", "pip-tools"):
        assert machine.both("alpha", variables=variables, resolver=resolver) == ALPHA


def test_a_client_certificate_that_is_not_there(machine: Machine) -> None:
    with pytest.raises(InvalidConfig, match=r"gone\.pem \(SSL_CLIENT_CERT\) is not there"):
        machine.lock("alpha", variables={"SSL_CLIENT_CERT": str(machine.home / "gone.pem")})
    with pytest.raises(InvalidConfig, match=r"IMAGEKIT_CLIENT_CERT.*gone\.pem is not there"):
        machine.lock("alpha", variables={"IMAGEKIT_CLIENT_CERT": str(machine.home / "gone.pem")})


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_host_whose_certificate_is_not_looked_at(
    machine: Machine, authority: Authority, index: Make, resolver: str, host: Target
) -> None:
    machine.target = host
    broken = index(tls=authority.server(expired=True))
    for variable in ("UV_INSECURE_HOST", "PIP_TRUSTED_HOST"):
        variables = {"UV_DEFAULT_INDEX": broken.url, variable: broken.host}
        assert machine.both("alpha", variables=variables, resolver=resolver) == ALPHA


# Proxies


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[OwnProxy]:
    running = OwnProxy(tmp_path / "proxy", login=("user", CANARY))
    yield running
    running.close()


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
@pytest.mark.parametrize("secure", [True, False])
def test_by_way_of_a_proxy_with_a_login(
    machine: Machine, authority: Authority, index: Make, proxy: OwnProxy, secure: bool, resolver: str, host: Target
) -> None:
    machine.target = host
    private = index(tls=authority.server() if secure else None, login=("reader", CANARY))
    variables = {
        "UV_DEFAULT_INDEX": private.url_as("reader", CANARY),
        "SSL_CERT_FILE": str(authority.bundle),
        "HTTPS_PROXY": proxy.url_as("user", CANARY),
        "http_proxy": proxy.url_as("user", CANARY),
    }
    lock = machine.lock("alpha", variables=variables, resolver=resolver)
    resolved = len(proxy.asked)
    assert all(private.host in asked for asked in proxy.asked)
    assert resolved > 0
    machine.fetch(lock, variables=variables)
    assert len(proxy.asked) > resolved


def test_hosts_that_no_proxy_leads_to(machine: Machine, index: Make, proxy: OwnProxy) -> None:
    variables = {"UV_DEFAULT_INDEX": index().url, "HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
    assert machine.both("alpha", variables=variables) == ALPHA
    assert proxy.asked == []


def test_the_proxy_of_pips_configuration(machine: Machine, index: Make, proxy: OwnProxy) -> None:
    path = machine.write("pip.conf", f"[global]\nproxy = {proxy.url_as('user', CANARY)}\nindex-url = {index().url}\n")
    assert machine.both("alpha", variables={"PIP_CONFIG_FILE": str(path)}) == ALPHA
    assert len(proxy.asked) > 1


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
@pytest.mark.parametrize("secure", [True, False])
def test_a_proxy_that_wants_another_login(
    machine: Machine, authority: Authority, index: Make, proxy: OwnProxy, secure: bool, resolver: str, host: Target
) -> None:
    """None is given, or a wrong one, to which tinyproxy says 401, as a server would."""
    machine.target = host
    url = index(tls=authority.server() if secure else None).url
    known = {"UV_DEFAULT_INDEX": url, "SSL_CERT_FILE": str(authority.bundle)}
    lock = machine.lock("alpha", variables=known)
    refuses = rf"the proxy http://\*\*\*@{proxy.host} refuses"
    for address, words, of_file in (
        (proxy.url, rf"the proxy {proxy.url} wants a login.*407", "alpha: the proxy .* wants a login"),
        (proxy.url_as("user", f"wrong-{CANARY}"), refuses, refuses),
    ):
        variables = {**known, "HTTPS_PROXY": address, "HTTP_PROXY": address}
        with pytest.raises(IndexUnreachable) as caught:
            machine.lock("alpha", variables=variables, resolver=resolver)
        assert re.search(words, f"{caught.value.message}\n{caught.value.hint}")
        assert CANARY not in f"{caught.value.to_json()}"
        if address == proxy.url:
            assert "HTTPS_PROXY=http://USER:PASSWORD@" in (caught.value.hint or "")
        with pytest.raises(IndexUnreachable) as caught:
            machine.fetch(lock, variables=variables)
        assert re.search(of_file, f"{caught.value.message}\n{caught.value.hint}")
        assert CANARY not in f"{caught.value.to_json()}"


def test_a_proxy_that_is_not_there(machine: Machine, authority: Authority, index: Make) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        url = index(tls=authority.server()).url
        proxied = {"HTTPS_PROXY": f"http://user:{CANARY}@{address}", "SSL_CERT_FILE": str(authority.bundle)}
        with pytest.raises(IndexUnreachable, match=rf"the proxy http://\*\*\*@{address} does not answer") as caught:
            machine.lock("alpha", variables={**proxied, "UV_DEFAULT_INDEX": url})
        assert "NO_PROXY=127.0.0.1" in (caught.value.hint or "")
        lock = machine.lock("alpha", variables={"UV_DEFAULT_INDEX": url, "SSL_CERT_FILE": str(authority.bundle)})
        with pytest.raises(IndexUnreachable, match=r"alpha: the proxy .* does not answer"):
            machine.fetch(lock, variables=proxied)
