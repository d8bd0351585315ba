"""What a run is given in secret is in its container, and nowhere in what is shown and kept of it."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit import Secret
from imagekit.errors import InputError
from imagekit.runs.body import ImageFacts, environment
from imagekit.runs.concealing import Masking, concealed, needles_of
from imagekit.runs.settings import RunSettings
from imagekit.secrets.needles import needles
from tests.secrets.examples import TOKENS

VALUE = "pa55/w0rd+of&mine"
GITHUB = TOKENS[0][1]


def test_a_secret_is_a_variable_that_is_shown_nowhere() -> None:
    settings = RunSettings(env={"A": Secret(VALUE), "B": "plain", "C": None})
    assert environment(settings, ImageFacts(user="app")) == {"A": VALUE, "B": "plain", "C": None}
    again = settings.with_(timeout=3.0)
    for shown in (repr(settings), repr(again), json.dumps(again.to_json())):
        assert VALUE not in shown
    assert again.to_json()["env"] == ["A", "B", "C"]
    with pytest.raises(InputError, match="environment variable 'A' has a NUL"):
        RunSettings(env={"A": Secret("a\0b")})
    for value in (3, 0, b"x", ["x"], {"get": "x"}, Secret):
        with pytest.raises(InputError, match="environment variable A must be a string"):
            RunSettings(env={"A": value})  # type: ignore[dict-item]


def test_a_registrys_password_may_be_a_secret() -> None:
    login = {"username": "me", "password": Secret(VALUE), "registry_url": "registry.example.com"}
    settings = RunSettings(registry_credentials=login)
    assert settings.login is not None
    assert settings.login.password == VALUE
    assert VALUE not in repr(settings) + repr(settings.login) + json.dumps(settings.to_json())


def test_what_is_concealed_is_in_secret_or_a_credential_by_form_or_name() -> None:
    env: Any = {
        "A": Secret(VALUE),
        "B": GITHUB,
        "DB_PASSWORD": "hunter22",
        "URL": "redis://u:s3same99@h/1",
        "STAGE": "prod99",
    }
    found = needles_of(env)
    said = f"{VALUE} {GITHUB} hunter22 s3same99 prod99 {quote(VALUE, safe='')} "
    said += base64.b64encode(b"me:" + VALUE.encode()).decode()
    shown = concealed({"a": [said], said: 1, "n": None}, found)
    for text in (shown["a"][0], *shown):
        assert not any(word in text for word in (VALUE, GITHUB, "hunter22", "s3same99", quote(VALUE, safe="")))
    assert "prod99" in shown["a"][0]
    assert base64.b64encode(b"me:" + VALUE.encode()).decode() not in shown["a"][0]
    assert needles_of({"STAGE": "production", "HOME": "/app", "GONE": None}) is None
    # Of a container that was left behind the names of what was given in secret are known.
    assert needles_of({"A": VALUE}) is None
    assert needles_of({"A": VALUE}, ["A"]) is not None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"command": ["serve", "--port", "80"]}, {"command": ["serve", "--port", "80"]}),
        ({"command": "curl -u me:hunter22 h"}, {"command": ["curl", "***"]}),
        ({"command": ["a", f"--x={GITHUB}"]}, {"command": ["a", "***"]}),
        ({"command": ["a", "--password", "hunter22"]}, {"command": ["a", "***"]}),
        ({"labels": {"team": "data", "api.token": GITHUB}}, {"labels": {"team": "data", "api.token": "***"}}),
        (
            {"container_create_kwargs": {"entrypoint": ["mysqld", "--password=hunter22"], "hostname": "h"}},
            {"container_create_kwargs": {"entrypoint": ["mysqld", "***"], "hostname": "h"}},
        ),
    ],
)
def test_a_setting_that_shows_a_credential_is_not_written_down(given: dict[str, object], kept: object) -> None:
    assert RunSettings.of(given).to_json() == kept


_TEXT = st.text(alphabet="pa5/w0rd+\nXY", max_size=30)


@given(pieces=st.lists(st.one_of(_TEXT, st.sampled_from((VALUE, quote(VALUE, safe="")))), max_size=8), data=st.data())
def test_output_in_pieces_is_masked_as_the_whole_is(pieces: list[str], data: st.DataObject) -> None:
    found = needles([VALUE.encode(), b"pa5/w0"])
    whole = "".join(pieces).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    masking, out = Masking(found), b""
    for first, last in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        piece = whole[first:last]
        out += masking.passed(1, piece)
        # Whole lines are shown at once.
        assert out.endswith(b"\n") or not piece.endswith(b"\n")
    out += b"".join(rest for _, rest in masking.rest())
    assert out == found.taken_out(whole)
    assert VALUE.encode() not in out


def test_streams_are_apart() -> None:
    masking = Masking(needles([VALUE.encode()]))
    half = len(VALUE) // 2
    assert masking.passed(1, VALUE[:half].encode()) == b""
    assert masking.passed(2, b"other\n") == b"other\n"
    assert masking.passed(1, VALUE[half:].encode() + b"!") == b"***!"
    assert [*masking.rest()] == []
