"""References: Docker's grammar, and what it must never let through."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InvalidReference
from imagekit.oci.reference import Reference

HEX = "0123456789abcdef" * 4

VALID = [
    "localhost:5000/x",
    "x:UPPER",
    "x:" + "t" * 128,
    f"x:1@sha256:{HEX}",
    f"x@sha256:{HEX}",
    "[::1]:5000/x",
    "a__b",
    "a--b",
    "a.b",
    "xn--n3h.com/x",
    "Host/x",
    "docker.io/library/x:1",
    "a/b/c:v1",
    "x:_",
    "a" * 255,
    "localhost:65535/x",
]

REFUSED = [
    "Uppercase",
    "docker/Docker",
    "x:" + "t" * 129,
    "a" * 256,
    "host.example/" + "a/" * 125 + "a",
    "x@sha256:abcdef1234567890",
    f"x@sha256:{HEX.upper()}",
    f"x@md5:{HEX[:32]}",
    f"x@sha256:{HEX}@sha256:{HEX}",
    "https://example.com/x",
    "x:",
    ":t",
    "x@",
    "@",
    "",
    "x:-a",
    "x:.a",
    " x",
    "x ",
    "x\n",
    "\nx",
    "x\t",
    "x\r\n",
    "x y",
    "x\x00",
    "x\u200b",
    "é",
    "x:é",
    "x:１",
    "a..b",
    "a___b",
    "a//b",
    "a/",
    "/a",
    "../x",
    "x$(id)",
    HEX,
    "-x",
    "--help",
    "localhost:65536/x",
    "localhost:0/x",
    "localhost:/x",
    "a._b",
    "[::1/x",
    "host-.example/x",
    "x:a:b",
]


@pytest.mark.parametrize("text", VALID)
def test_valid_references_come_out_as_written(text: str) -> None:
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize("text", REFUSED)
def test_refused_on_one_line_with_a_hint(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert caught.value.hint
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "user:s3cr3t@host/x",
        "user:s3/cr3t@host/x:1",
        "s3cr3t@host/x",
        "https://user:s3cr3t@host/x",
        "user:a@s3cr3t@host/x",
        f"user:s3cr3t@host/x@sha256:{HEX}",
        "user:s3cr3t@host:5000/X Y",
        "-user:s3cr3t@host/x",
    ],
)
def test_a_password_is_never_shown(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert "s3" not in str(caught.value.to_json())


def test_parts() -> None:
    reference = Reference.parse(f"registry.example.com/team/orders:v1@sha256:{HEX}")
    assert reference.registry == "registry.example.com"
    assert reference.repository == "team/orders"
    assert reference.tag == "v1"
    assert reference.digest == f"sha256:{HEX}"
    assert reference.name == "registry.example.com/team/orders"
    assert Reference.parse("team/orders").registry is None


def test_with_tag_drops_the_digest() -> None:
    assert str(Reference.parse(f"x:1@sha256:{HEX}").with_tag("2")) == "x:2"
    with pytest.raises(InvalidReference):
        Reference.parse("x").with_tag("-2")


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [
        ("x", "team", "team/x"),
        ("x:1", "registry.example.com/team/", "registry.example.com/team/x:1"),
        ("x:1", "localhost:5000", "localhost:5000/x:1"),
        ("own/x", "team", "own/x"),
        ("localhost:5000/x", "team", "localhost:5000/x"),
        ("x", "", "x"),
    ],
)
def test_default_namespace(text: str, namespace: str, expected: str) -> None:
    assert str(Reference.parse(text).with_default_namespace(namespace)) == expected


def test_a_bad_namespace_is_refused() -> None:
    with pytest.raises(InvalidReference):
        Reference.parse("x").with_default_namespace("Team Space")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker.io/library/x:1", "x:1"),
        ("docker.io/team/x", "team/x"),
        ("library/x", "x"),
        ("registry.example.com/library/x", "registry.example.com/library/x"),
    ],
)
def test_familiar(text: str, expected: str) -> None:
    assert Reference.parse(text).familiar == expected


@pytest.mark.parametrize("text", ["scratch", "scratch:1", "docker.io/library/scratch", f"x@sha256:{HEX}"])
def test_no_target_to_build(text: str) -> None:
    Reference.parse(text)
    with pytest.raises(InvalidReference):
        Reference.parse(text, target=True)


@given(st.text(max_size=40) | st.text(string.ascii_lowercase + ":/@.-_", max_size=40))
def test_any_text_is_a_reference_that_comes_out_as_written_or_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReference:
        return
    assert str(reference) == text
    assert Reference.parse(str(reference)) == reference
