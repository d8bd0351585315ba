"""Which host, by which scheme, through which proxy, and whose certificate."""

from __future__ import annotations

import dataclasses
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import RegistryError
from imagekit.network.proxies import Proxies
from imagekit.oci.reference import Reference
from imagekit.registry.access import Access
from imagekit.registry.hosts import address_of, home_of, login_of, may_be_plain, split_port

from ..conftest import StartRegistry
from ..own_registry import OwnRegistry
from .images import PATIENCE, content_of, image, layer, pulled, push
from .token_server import make_certificate


@pytest.mark.parametrize(
    ("reference", "home", "address"),
    [
        ("python", "docker.io/library/python", "registry-1.docker.io"),
        ("team/app:v1", "docker.io/team/app", "registry-1.docker.io"),
        ("docker.io/python", "docker.io/library/python", "registry-1.docker.io"),
        ("index.docker.io/team/app", "docker.io/team/app", "registry-1.docker.io"),
        ("registry.example.com/app", "registry.example.com/app", "registry.example.com"),
        ("Registry.Example.com:5000/a/b", "registry.example.com:5000/a/b", "registry.example.com:5000"),
        ("localhost/app", "localhost/app", "localhost"),
        ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000"),
    ],
)
def test_where_a_reference_is(reference: str, home: str, address: str) -> None:
    parsed = Reference.parse(reference)
    assert home_of(parsed) == home
    registry = home.partition("/")[0]
    assert address_of(registry) == address
    assert login_of(registry) == ("https://index.docker.io/v1/" if registry == "docker.io" else registry)


@pytest.mark.parametrize(
    ("registry", "insecure", "plain"),
    [
        ("localhost", (), True),
        ("localhost:5000", (), True),
        ("127.0.0.1:5000", (), True),
        ("127.8.9.10", (), True),
        ("[::1]:5000", (), True),
        ("128.0.0.1", (), False),
        ("127.0.0.1.example.com", (), False),
        ("localhost.example.com", (), False),
        ("registry.example.com", (), False),
        ("registry.example.com:5000", ("registry.example.com:5000",), True),
        ("registry.example.com", ("registry.example.com:5000",), False),
        ("registry.example.com:5000", ("Registry.example.com:5000",), True),
        ("10.1.2.3:5000", ("10.0.0.0/8",), True),
        ("11.1.2.3:5000", ("10.0.0.0/8",), False),
        ("[fd00::1]:5000", ("fd00::/8",), True),
        ("docker.io", ("10.0.0.0/8",), False),
    ],
)
def test_who_may_be_without_tls(registry: str, insecure: tuple[str, ...], plain: bool) -> None:
    assert may_be_plain(registry, insecure) is plain


@given(st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10}){0,3}", fullmatch=True), st.integers(1, 65535))
def test_ports(host: str, port: int) -> None:
    assert split_port(f"{host}:{port}") == (host, port)
    assert split_port(host) == (host, None)
    assert split_port(f"[::1]:{port}") == ("::1", port)
    assert split_port("[::1]") == ("::1", None)


PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("variables", "scheme", "host", "expected"),
    [
        ({}, "https", "a.example.com", None),
        ({"https_proxy": PROXY}, "https", "a.example.com", PROXY),
        ({"HTTPS_PROXY": PROXY}, "https", "a.example.com", PROXY),
        ({"https_proxy": "proxy.example.com:3128"}, "https", "a.example.com", PROXY),
        ({"https_proxy": PROXY}, "http", "a.example.com", None),
        ({"all_proxy": PROXY}, "http", "a.example.com", PROXY),
        ({"https_proxy": PROXY, "no_proxy": "example.com"}, "https", "a.example.com", None),
        ({"https_proxy": PROXY, "no_proxy": "x, .example.com"}, "https", "a.example.com", None),
        ({"https_proxy": PROXY, "NO_PROXY": "*.example.com"}, "https", "a.example.com", None),
        ({"https_proxy": PROXY, "no_proxy": "ample.com"}, "https", "a.example.com", PROXY),
        ({"https_proxy": PROXY, "no_proxy": "*"}, "https", "a.example.com", None),
        ({"https_proxy": PROXY, "no_proxy": "a.example.com:443"}, "https", "a.example.com", None),
        ({"https_proxy": PROXY, "no_proxy": "a.example.com:5000"}, "https", "a.example.com", PROXY),
        ({"https_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "https", "10.1.2.3", None),
        ({"https_proxy": PROXY, "no_proxy": "10.0.0.0/8"}, "https", "11.1.2.3", PROXY),
        ({"https_proxy": PROXY, "http_proxy": PROXY}, "http", "127.0.0.1", None),
        ({"https_proxy": PROXY}, "https", "localhost", None),
    ],
)
def test_proxies(variables: dict[str, str], scheme: str, host: str, expected: str | None) -> None:
    assert Access(proxies=Proxies.of(variables)).proxy_to(scheme, host, 443) == expected


class Tunnel:
    """A forward proxy: whatever host it is asked for, it leads to ``target``; what it was asked is in ``asked``."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://user:canary@127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.asked.append(head.decode())
        with suppress(OSError), socket.create_connection(self._target) as upstream, client:
            if head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                upstream.sendall(head)
            while True:
                for one in select.select([client, upstream], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (upstream if one is client else client).sendall(data)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make_certificate(key, made, "tests", alternative="DNS:registry.example.com,IP:127.0.0.1")
    return key, made


@pytest.fixture
def secure(start_registry: StartRegistry, certificate: tuple[Path, Path]) -> OwnRegistry:
    return start_registry(tls={"key": str(certificate[0]), "certificate": str(certificate[1])})


@pytest.fixture
def tunnel(secure: OwnRegistry) -> Iterator[Tunnel]:
    made = Tunnel(("127.0.0.1", secure.port))
    yield made
    made.close()


def test_this_machine_may_have_any_certificate(secure: OwnRegistry) -> None:
    made = image(layer("any"))
    push(f"{secure.name}/app:v1", made)
    assert pulled(f"{secure.name}/app:v1")[1] == content_of(made)


def test_through_a_proxy_with_a_bundle(tunnel: Tunnel, certificate: tuple[Path, Path]) -> None:
    access = Access(ca_bundle=certificate[1], proxies=Proxies(https=tunnel.url))
    made = image(layer("any"), layer("large", 2 << 20))
    push("registry.example.com/app:v1", made, access=access)
    assert pulled("registry.example.com/app:v1", access=access)[1] == content_of(made)
    assert {line.split("\r\n")[0] for line in tunnel.asked} == {"CONNECT registry.example.com:443 HTTP/1.0"} or {
        line.split("\r\n")[0] for line in tunnel.asked
    } == {"CONNECT registry.example.com:443 HTTP/1.1"}
    assert all("Proxy-Authorization: Basic " in head for head in tunnel.asked)


def test_a_certificate_that_nobody_knows(tunnel: Tunnel) -> None:
    access = Access(proxies=Proxies(https=tunnel.url))
    with pytest.raises(RegistryError, match=r"certificate of registry\.example\.com is not trusted") as caught:
        push("registry.example.com/app:v1", image(layer("any")), access=access)
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert len(tunnel.asked) == 1
    insecure = dataclasses.replace(access, insecure=("registry.example.com",))
    assert push("registry.example.com/app:v1", image(layer("any")), access=insecure).uploaded == 2


def test_a_certificate_for_another_name(tunnel: Tunnel, certificate: tuple[Path, Path]) -> None:
    access = Access(ca_bundle=certificate[1], proxies=Proxies(https=tunnel.url))
    with pytest.raises(RegistryError, match="is not trusted"):
        push("other.example.com/app:v1", image(layer("any")), access=access)


def test_plain_http_is_for_those_that_are_named(shared_registry: OwnRegistry, repository: str) -> None:
    tunnel = Tunnel(("127.0.0.1", shared_registry.port))
    access = Access(proxies=Proxies(http=tunnel.url, https=tunnel.url))
    patience = dataclasses.replace(PATIENCE, attempts=2)
    with pytest.raises(RegistryError, match="TLS failed"):
        push(f"registry.example.com/{repository}:v1", image(layer("any")), access=access, patience=patience)
    tunnel.asked.clear()
    access = dataclasses.replace(access, insecure=("registry.example.com",))
    made = image(layer("any"))
    push(f"registry.example.com/{repository}:v1", made, access=access)
    assert pulled(f"{shared_registry.name}/{repository}:v1")[1] == content_of(made)
    assert any(head.startswith("GET http://registry.example.com/v2/") for head in tunnel.asked)
    tunnel.close()


def test_a_proxy_that_is_not_there() -> None:
    access = Access(proxies=Proxies(https="http://user:canary@127.0.0.1:1"))
    with pytest.raises(RegistryError, match="connection refused") as caught:
        push("registry.example.com/app:v1", image(layer("any")), access=access)
    assert "canary" not in str(caught.value) + repr(access)


def test_a_proxy_of_a_kind_that_is_not_known() -> None:
    access = Access(proxies=Proxies(https="socks5://user:canary@127.0.0.1:1"))
    with pytest.raises(RegistryError, match="is not supported") as caught:
        push("registry.example.com/app:v1", image(layer("any")), access=access)
    assert "canary" not in str(caught.value)


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(RegistryError, match=r"there is no host registry\.invalid|no answer|resolution"):
        push("registry.invalid/app:v1", image(layer("any")))
