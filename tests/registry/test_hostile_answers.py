"""What registries say is not believed unseen: any text in a header or body is taken, or refused in our own words."""

from __future__ import annotations

import json
import math
import secrets
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagekit.errors import RegistryError
from imagekit.network.passing import retry_after
from imagekit.registry.address import Origin, address, count_in, joined
from imagekit.registry.auth import Challenge
from imagekit.registry.client import Registry
from imagekit.registry.words import shown, words_of

from .fault_proxy import FaultProxy
from .images import PATIENCE, image, layer, push

OWN = Origin("https", "registry.example.com", 443)
DEEP = b"[" * 200_000
header_text = st.text(st.characters(max_codepoint=255), max_size=80)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/v2/a?b=c", (OWN, "/v2/a?b=c")),
        ("https://registry.example.com/v2/a", (OWN, "/v2/a")),
        ("https://registry.example.com:443/v2/a#x", (OWN, "/v2/a")),
        ("HTTPS://Registry.Example.com/v2/a", (OWN, "/v2/a")),
        # Behind a proxy that ends TLS.
        ("http://registry.example.com/v2/a", (OWN, "/v2/a")),
        ("https://storage.example.com:8443", (Origin("https", "storage.example.com", 8443), "/")),
        ("https://[::1]/x", (Origin("https", "::1", 443), "/x")),
    ],
)
def test_addresses(url: str, expected: tuple[Origin, str]) -> None:
    assert address(url, OWN) == expected


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://storage.example.com/x",
            "file:///etc/passwd",
            "ftp://a/b",
            "https://",
            "https:///x",
            "v2/a",
            "",
            "mailto:a",
        ),
        *("https://a:99999/", "https://a:b/", "https://[::1/", "https://user:pw@registry.example.com/", "https://@a/"),
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(RegistryError) as caught:
        address(url, OWN)
    assert "pw" not in caught.value.message


near_urls = st.from_regex(r"(https?|file)?:?/{0,3}[\[\]@:.a-z0-9-]{0,20}(:[0-9]{0,6})?/.{0,10}", fullmatch=True)


@given(header_text | near_urls)
@example("https://\u2100/x")
@example("https://a\u2488com/x")
def test_any_address_is_taken_or_refused(url: str) -> None:
    for find in (lambda: address(url, OWN), lambda: address(joined("https://registry.example.com/v2/a/", url), OWN)):
        try:
            origin, target = find()
        except RegistryError:
            continue
        assert origin.scheme == "https"
        assert target.startswith("/")


@pytest.mark.parametrize("location", ["../uploads/1", "1", "/v2/a/blobs/uploads/1", "//registry.example.com/v2/x"])
def test_places_are_told_from_where_they_are_said(location: str) -> None:
    origin, target = address(joined("https://registry.example.com/v2/a/blobs/uploads/", location), OWN)
    assert origin == OWN
    assert target in ("/v2/a/blobs/uploads/1", "/v2/x")


@given(header_text)
def test_any_challenge_is_taken_or_none(text: str) -> None:
    for header in (text, f"Bearer {text}", f'Bearer realm="{text}"', f"Basic {text}"):
        found = Challenge.parse(header)
        assert found is None or found.scheme in ("basic", "bearer")


@given(header_text | st.integers().map(str))
@example("²")
@example("9" * 5000)
@example("Thu, 01 Jan 0000 00:00:00 GMT")
@example("Thu, 01 Jan 99999 00:00:00 GMT")
def test_any_number_is_taken_or_none(text: str) -> None:
    count = count_in(text)
    assert count is None or count >= 0
    pause = retry_after(text)
    assert pause is None or (pause >= 0 and not math.isnan(pause))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


errors = st.builds(lambda v: {"errors": v}, json_values) | st.builds(lambda v: {"errors": [v]}, json_values)


@given(json_values | errors)
def test_any_words_are_one_line(value: Any) -> None:
    line = shown(words_of(json.dumps(value).encode()))
    assert line.isprintable()
    assert len(line) <= 400


@given(st.binary(max_size=50))
@example(DEEP)
@example(b'{"errors": [{"detail": ' + DEEP)
def test_any_bytes_are_one_line(body: bytes) -> None:
    assert shown(words_of(body)).isprintable()


def test_no_word_moves_the_terminal() -> None:
    said = json.dumps(
        {"errors": [{"code": "X", "message": "a\x1b[2Jb\nc\x07\u202ed", "detail": "https://u:pw@h/x?sig=s"}]}
    )
    assert shown(words_of(said.encode())) == "X a [2Jb c d https://***@h/x?***"


@pytest.mark.parametrize("body", [DEEP, b'{"layers": ' + DEEP, b"\xff\xfe{}", b"9" * 100_000])
def test_manifests_that_no_reader_survives(proxy: FaultProxy, repository: str, body: bytes) -> None:
    """At the tag before a push: it is nothing that names blobs."""
    proxy.fault("GET", "/manifests/v1", status=200, body=body)
    made = image(layer(secrets.token_hex(6)))
    assert push(f"{proxy.name}/{repository}:v1", made).uploaded == 2


@pytest.mark.parametrize(
    "location", ["http://[", "http://127.0.0.1:99999/", "\x01", "https://\u00b2/", "http://u:p@127.0.0.1/"]
)
def test_places_that_are_none(proxy: FaultProxy, repository: str, location: str) -> None:
    proxy.fault("POST", "", status=202, headers={"Location": location})
    with pytest.raises(RegistryError):
        push(f"{proxy.name}/{repository}:v1", image(layer(secrets.token_hex(6))))


def test_an_upload_without_a_place(proxy: FaultProxy, repository: str) -> None:
    proxy.fault("POST", "", status=202)
    with pytest.raises(RegistryError, match="named no place"):
        push(f"{proxy.name}/{repository}:v1", image(layer(secrets.token_hex(6))))


def test_a_digest_that_is_said_and_is_none(proxy: FaultProxy, repository: str) -> None:
    made = image(layer(secrets.token_hex(6)))
    push(f"{proxy.name}/{repository}:v1", made)
    proxy.fault("HEAD", "/manifests/", status=200, headers={"Docker-Content-Digest": "sha256:x"})
    with Registry(proxy.name, patience=PATIENCE) as registry:
        assert registry.manifest_digest(repository, "v1") == made.manifest.descriptor.digest
