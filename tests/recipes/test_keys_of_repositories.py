"""A repository's key is the one whose fingerprint is named, and no other one of its keyring is taken."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import BuildError
from imagekit.recipes.fitted import Fitted, Repository
from imagekit.recipes.keys import signing_keys
from imagekit.recipes.openpgp import NotAKey, fingerprints, only

from .keys import FINGERPRINT, KEY

# Of Debian 12: debian-archive-keyring, which every Debian machine has.
DEBIAN = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def packet(tag: int, body: bytes) -> bytes:
    """In the new format (RFC 4880, 4.2.2), its length in four bytes."""
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def key(body: bytes) -> tuple[str, bytes]:
    body = b"\x04" + body
    fingerprint = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper()
    return fingerprint, packet(6, body) + packet(13, b"somebody") + packet(2, b"signature")


def armored(data: bytes) -> bytes:
    text = base64.encodebytes(data)
    return (
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n" + text + b"=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
    )


def test_keys_of_gnupg() -> None:
    assert fingerprints(KEY.encode()) == [FINGERPRINT]
    kept = only(KEY.encode(), FINGERPRINT)
    assert kept is not None
    assert fingerprints(kept) == [FINGERPRINT]
    assert KEY.encode()[:5] not in kept


def test_the_keyring_of_debian() -> None:
    data = DEBIAN.read_bytes()
    found = fingerprints(data)
    assert len(found) > 3
    assert all(len(each) == 40 for each in found)
    parts = [only(data, each) or b"" for each in found]
    assert b"".join(parts) == data


@given(st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=4, unique=True), st.data())
def test_of_several_one_is_kept(bodies: list[bytes], data: st.DataObject) -> None:
    keys = [key(body) for body in bodies]
    whole = b"".join(packets for _, packets in keys)
    for form in (whole, armored(whole), b"".join(armored(packets) for _, packets in keys)):
        assert fingerprints(form) == [fingerprint for fingerprint, _ in keys]
        chosen, packets = data.draw(st.sampled_from(keys))
        assert only(form, chosen) == packets
        assert only(form, "0" * 40) is None


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    for form in (data, b"\x99" + data, armored(data)):
        try:
            assert fingerprints(form)
        except NotAKey:
            continue


def test_a_secret_key_is_refused() -> None:
    with pytest.raises(NotAKey, match="secret"):
        fingerprints(key(b"a")[1] + packet(5, b"\x04secret"))


def with_repository(fingerprint: str, place: str, where: str = "") -> Fitted:
    repository = Repository(
        url="https://example.com", suite="./", components=(), architectures=(), key=place, fingerprint=fingerprint,
        keyring="", where=where,
    )  # fmt: skip
    return Fitted(
        name="r", summary="", accepts="", packages=(), build=(), repositories=(repository,), debconf=(), env=(),
        build_env=(), path=(), files=(), edits=(), commands=(),
    )  # fmt: skip


def test_it_is_fetched_once_and_compared(tmp_path: Path) -> None:
    fingerprint, packets = key(b"right")
    asked: list[str] = []

    def fetch(url: str, name: str) -> bytes:
        asked.append(url)
        return armored(key(b"other")[1] + packets)

    recipe = with_repository(fingerprint, "https://example.com/key.asc")
    assert signing_keys([recipe, recipe], tmp_path, fetch) == {fingerprint: packets}
    assert signing_keys([recipe], tmp_path, fetch) == {fingerprint: packets}
    assert asked == ["https://example.com/key.asc"]
    # What lies in the cache is not trusted either.
    (tmp_path / f"{fingerprint}.gpg").write_bytes(key(b"other")[1])
    assert signing_keys([recipe], tmp_path, fetch) == {fingerprint: packets}
    assert len(asked) == 2


def test_another_key_is_refused(tmp_path: Path) -> None:
    other, packets = key(b"other")
    fingerprint, _ = key(b"right")
    recipe = with_repository(fingerprint, "https://example.com/key.asc")
    with pytest.raises(BuildError, match=f"gives the key {other}, and {fingerprint} is named"):
        signing_keys([recipe], tmp_path, lambda url, name: packets)
    with pytest.raises(BuildError, match="gives is no key"):
        signing_keys([recipe], tmp_path, lambda url, name: b"<html>404</html>")
    assert not list(tmp_path.iterdir())
    inline = with_repository(FINGERPRINT, KEY)
    assert list(signing_keys([inline], tmp_path, lambda url, name: b"")) == [FINGERPRINT]


def test_another_key_is_told_by_the_line_that_names_it(tmp_path: Path) -> None:
    _, packets = key(b"other")
    recipe = with_repository("A" * 40, "https://example.com/key.asc", "recipes/r.toml:9: apt.repository[0].key")
    with pytest.raises(BuildError) as raised:
        signing_keys([recipe], tmp_path, lambda url, name: packets)
    assert raised.value.message.startswith(
        "recipes/r.toml:9: apt.repository[0].key: https://example.com/key.asc gives the key "
    )


def test_several_that_are_other_ones_are_told_at_once(tmp_path: Path) -> None:
    fingerprint, packets = key(b"right")
    recipes = [
        with_repository("A" * 40, "https://example.com/key.asc", "a.toml:9: key"),
        with_repository(fingerprint, "https://example.com/key.asc"),
        with_repository("B" * 40, KEY, "b.toml:4: key"),
    ]
    with pytest.raises(BuildError) as raised:
        signing_keys(recipes, tmp_path, lambda url, name: packets)
    assert raised.value.message.startswith("2 problems: a.toml:9: key: https://example.com/key.asc gives the key ")
    told = (raised.value.details or "").splitlines()
    assert [line.partition(": ")[0] for line in told] == ["a.toml:9", "b.toml:4"]
    # The one that is right was kept, and an armored one is not: it stands in its recipe.
    assert [path.stem for path in tmp_path.iterdir()] == [fingerprint]


def test_words_before_an_armored_key_are_no_place_of_one(tmp_path: Path) -> None:
    inline = with_repository(FINGERPRINT, f"of https://example.com/key.asc\n{KEY}")
    assert list(signing_keys([inline], tmp_path, lambda url, name: b"<html>404</html>")) == [FINGERPRINT]
