"""Caches of BuildKit: what buildx is told, and what it is not."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit.errors import InputError, InvalidReference
from imagekit.stages.cache_options import cache_fault, cache_sources, cache_targets

GITHUB = {"ACTIONS_RUNTIME_TOKEN": "a secret", "ACTIONS_RESULTS_URL": "https://example.com/"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("registry.example.com/app:cache", "type=registry,ref=registry.example.com/app:cache"),
        ("type=registry,ref=localhost:5000/app", "type=registry,ref=localhost:5000/app"),
        ("type=local,src=some/where", "type=local,src=some/where"),
        ('type=local,"src=a,b"', 'type=local,"src=a,b"'),
        ("type=gha,scope=main", "type=gha,scope=main"),
    ],
)
def test_sources(given: str, meant: str) -> None:
    assert cache_sources([given], GITHUB) == (meant,)


@pytest.mark.parametrize(
    "given",
    [
        "type=inline",
        "type=registry,ref=example.com/app:cache,mode=max,compression=zstd,compression-level=3",
        "type=local,dest=cache,mode=min,oci-mediatypes=true",
        "type=gha,mode=max,ignore-error=true",
    ],
)
def test_targets(given: str) -> None:
    assert cache_targets([given], GITHUB) == (given,)


@pytest.mark.parametrize(
    ("bad", "words", "hint"),
    [
        ("type=regisrty,ref=x", "no cache of type 'regisrty'", "registry"),
        ("type=s3,bucket=x", "no cache of type 's3'", "registry"),
        ("type=registry", "has no ref", "type=registry,ref="),
        ("type=registry,ref=", "not an image reference|empty", None),
        ("type=registry,ref=x/Upper", "Upper", None),
        ("type=registry,rf=x", "has no 'rf'", "ref"),
        ("type=local", "has no dest", "dest=DIRECTORY"),
        ("type=local,src=x", "has no 'src'", "dest"),
        ("type=registry,ref=x,mode=full", "mode is min or max", "max"),
        ("type=registry,ref=x,ignore-error=yes", "true or false", None),
        ("type=registry,ref=x,compression=lz4", "compression is", None),
        ("type=registry,ref=x,compression-level=99", "compression-level", None),
        ("type=registry,ref=x,ref=y", "there twice", None),
        ("ref=x", "has no type", "type="),
        ("type=registry,ref", "NAME=VALUE", None),
        ("type=inline,ref=x", "has no 'ref'", None),
        ("", "empty", None),
        ("type=local,dest=a\nb", "one line", None),
        ("-x", "-x", None),
    ],
)
def test_refused(bad: str, words: str, hint: str | None) -> None:
    with pytest.raises(InputError, match=words) as caught:
        cache_targets([bad], GITHUB)
    assert "\n" not in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


def test_inline_is_no_source() -> None:
    with pytest.raises(InputError) as caught:
        cache_sources(["type=inline"], {})
    assert "type=registry,ref=IMAGE" in (caught.value.hint or "")


def test_github_only_where_it_is() -> None:
    # Without the variables buildx builds on, without a cache and without a word.
    with pytest.raises(InputError, match="ACTIONS_RUNTIME_TOKEN is not set"):
        cache_targets(["type=gha"], {})


def test_a_token_is_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        cache_targets(["type=gha,token=hunter2"], GITHUB)
    assert "hunter2" not in caught.value.message + (caught.value.hint or "")
    with pytest.raises(InvalidReference) as caught:
        cache_sources(["type=registry,ref=user:hunter2@example.com/x"], {})
    assert "hunter2" not in caught.value.message + (caught.value.hint or "")


@pytest.mark.parametrize(
    "given",
    [
        "type=s3,bucket=x,secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYzXkL",
        "type=azblob,account_url=https://example.com,secret_access_key=hunter22",
        "type=gha,url=https://me:hunter22@example.com/",
        'type=registry,"ref=example.com/x,password=hunter22"',
    ],
)
def test_a_credential_is_refused_and_not_shown(given: str) -> None:
    for read in (cache_sources, cache_targets):
        with pytest.raises(InputError) as caught:
            read([given], {"ACTIONS_RUNTIME_TOKEN": "x"})
        assert not any(word in f"{caught.value}{caught.value.hint}" for word in ("hunter22", "wJalr"))


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_a_directory_goes_as_it_is(path: str) -> None:
    (written,) = cache_targets([f'type=local,"dest={path.replace(chr(34), chr(34) * 2)}"'], {})
    assert next(csv.reader([written])) == ["type=local", f"dest={path}"]


def test_what_a_driver_cannot_do_has_its_own_error() -> None:
    words = "ERROR: Cache export is not supported for the docker driver.\nSwitch to a different driver"
    fault = cache_fault(words)
    assert fault is not None
    assert "docker buildx create" in (fault.hint or "")
    assert cache_fault("ERROR: something else") is None
