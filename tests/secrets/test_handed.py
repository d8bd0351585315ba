"""Secrets for steps: how they are written, what is refused before anything runs, what is looked for afterwards."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagekit import DockerImage, Secret
from imagekit.errors import InputError, InvalidSecret
from imagekit.secrets.handed import Handed
from imagekit.secrets.needles import needles

CANARY = "Zq8Xv2-canary/+&=" + "7Yw3"


def read(secrets: object = None, ssh: object = None, **variables: str) -> Handed:
    def load(name: str) -> Secret:
        if name != "stored":
            raise InvalidSecret(f"there is no secret {name!r}", hint="set it")
        return Secret(CANARY)

    return Handed.read(secrets, ssh, variables=variables, load=load)  # type: ignore[arg-type]


def test_every_form(tmp_path: Path) -> None:
    file = tmp_path / "a, b.txt"
    file.write_text(CANARY)
    specs = ["id=a,env=TOKEN", "type=env,id=b,src=TOKEN", "id=TOKEN", f'id=c,"src={file}"', "id=d,name=stored"]
    handed = read(specs, TOKEN=CANARY, HOME="/home/x")
    assert [secret.value.decode() for secret in handed.secrets] == [CANARY] * 5
    words, environment = handed.arguments(), handed.environment()
    assert CANARY not in " ".join(words)
    assert words[6:8] == ["--secret", f'id=c,"src={file}"']
    assert environment is not None
    assert environment["HOME"] == "/home/x"
    for number in (0, 1, 2, 4):
        assert words[2 * number + 1].endswith(f",env=IMAGEKIT_STEP_SECRET_{number}")
        assert environment[f"IMAGEKIT_STEP_SECRET_{number}"] == CANARY
    assert CANARY not in repr(handed)
    assert handed.mounts()[0] == "--mount=type=secret,id=a"


def test_one_text_and_a_mapping() -> None:
    assert read("id=a,env=T", T="value-t").secrets[0].value == b"value-t"
    assert read({"a": Secret(CANARY)}).secrets[0].id == "a"
    assert not read()
    assert read().environment() is None
    assert read().arguments() == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "empty, or not one line"),
        ("id=a,env=T\n", "empty, or not one line"),
        (CANARY, "is none that is known"),
        ("just-a-value", "field 1 is not NAME=VALUE"),
        ("id=a", "the file .* is not there"),
        ("env=T", "no id is given"),
        ("id=a b,env=T", "an id has letters"),
        ("id=../a,env=T", "an id has letters"),
        ("id=a,env=NONE", "the variable NONE is not set"),
        ("id=a,env=EMPTY", "it is empty"),
        ("id=a,src=/not/there", "the file /not/there is not there"),
        ("id=a,src=/", "the file / is not there"),
        ("id=a,name=other", "there is no secret 'other'"),
        ("id=a,src=x,env=T", "two places"),
        ("id=a,id=b,env=T", "id is there twice"),
        ("id=a,type=command,src=x", "type is file or env"),
        ("id=a,env=", "env is empty"),
        ("id=a,evn=T", "is none that is known"),
    ],
)
def test_refused(spec: str, words: str) -> None:
    with pytest.raises(InvalidSecret, match=words) as caught:
        read([spec], T="value-t", EMPTY="")
    assert CANARY not in str(caught.value) + str(caught.value.hint)


def test_all_at_once_and_no_id_twice(tmp_path: Path) -> None:
    with pytest.raises(InvalidSecret, match="2 problems"):
        read(["id=a,env=NONE", "id=b,src=/not/there"])
    with pytest.raises(InvalidSecret, match="there twice"):
        read(["id=a,env=T", "id=a,name=stored"], T="x1")
    large = tmp_path / "large"
    large.write_bytes(b"x" * 512_001)
    with pytest.raises(InvalidSecret, match="larger than 500 kB"):
        read([f"id=a,src={large}"])
    with pytest.raises(InvalidSecret, match="a variable cannot hold it"):
        read({"a": Secret("x" * 130_000)})
    with pytest.raises(InvalidSecret, match="an id has letters"):
        read({"a b": Secret("x")})


def test_ssh(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(CANARY)
    assert read(ssh=f"deploy={key}").arguments() == ["--ssh", f"deploy={key}"]
    assert read(ssh=["default"], SSH_AUTH_SOCK=str(key)).arguments() == ["--ssh", "default"]
    assert read(ssh=[f"a={key}", f"b={key}"]).mounts() == ["--mount=type=ssh,id=a", "--mount=type=ssh,id=b"]
    assert read(ssh=f"default={key}").needles.found_in(CANARY.encode())
    for spec, words in (
        ("default", "SSH_AUTH_SOCK is not set"),
        ("a b", "an id has letters"),
        ("=x", "no id is given"),
        ("default=/not/there", "is no key and no agent's socket"),
        (f"default={tmp_path}", "is no key and no agent's socket"),
    ):
        with pytest.raises(InvalidSecret, match=words):
            read(ssh=spec)
    with pytest.raises(InvalidSecret, match="which is not there"):
        read(ssh="default", SSH_AUTH_SOCK="/not/there")
    with pytest.raises(InvalidSecret, match="twice"):
        read(ssh=[f"a={key}", f"a={key}"])


def test_own_values_travel_likewise_and_only_their_secret_parts_are_concealed() -> None:
    netrc = f"machine index.example.com login me password {CANARY}\n"
    settings = json.dumps({"UV_INDEX": "https://me:s3cretpw@other.example.com/simple", "NO_PROXY": "localhost"})
    handed = read().with_own({"netrc": netrc, "settings": settings, "none": ""})
    assert len(handed.arguments()) == 4
    assert not handed
    said = f"GET https://me:s3cretpw@other.example.com/simple index.example.com localhost {CANARY} password"
    assert handed.needles.concealed(said) == (
        "GET https://me:***@other.example.com/simple index.example.com localhost *** password"
    )


def test_of_own_values_hosts_and_users_are_not_secret() -> None:
    netrc = f"machine pkgs-1a2b3c4d5e6f.example.com login svc-9f8e7d6c5b4a3210 password {CANARY}\n"
    settings = "export UV_INDEX_CORP_USERNAME='svc-9f8e7d6c5b4a3210'\nexport UV_INDEX_CORP_PASSWORD='Tr0ub4dor&3'\n"
    looked_for = read().with_own({"netrc": netrc, "settings": settings}).needles
    assert not looked_for.found_in(b"pkgs-1a2b3c4d5e6f.example.com svc-9f8e7d6c5b4a3210")
    assert looked_for.found_in(CANARY.encode())
    assert looked_for.found_in(b"Tr0ub4dor&3")


def test_build_arguments_that_are_allowed_are_no_arguments_of_the_process() -> None:
    handed = read().with_arguments({"URL": CANARY})
    assert handed.arguments() == ["--build-arg", "URL"]
    assert (handed.environment() or {})["URL"] == CANARY
    assert handed.needles.found_in(CANARY.encode())


@given(st.text(min_size=8, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_found_in_every_form(value: str, before: bytes, after: bytes) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        return
    data = data.strip()
    if len(data) < 8 or data.isalpha() or data.replace(b".", b"").isdigit():
        return
    looked_for = needles([data])
    text = data.decode()
    assert looked_for.found_in(before + data + after)
    assert looked_for.found_in(base64.b64encode(before + data + after))
    assert looked_for.found_in(base64.urlsafe_b64encode(before + data + after))
    assert looked_for.found_in((before + data + after).hex().encode())
    for encoding in ("utf-16-le", "utf-16-be"):
        assert looked_for.found_in(data.decode().encode(encoding))
    for encoded in (quote(text), quote(text, safe=""), quote_plus(text)):
        assert looked_for.found_in(encoded.encode())
        assert looked_for.found_in(re.sub("%..", lambda found: found[0].lower(), encoded).encode())
    assert looked_for.found_in(json.dumps(text).encode())
    assert text not in looked_for.concealed(f"a {text} b") or text in "a *** b"


def test_each_line_of_a_key_is_looked_for() -> None:
    lines = [base64.b64encode(os.urandom(48)).decode() for _ in range(3)]
    key = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + "\n".join(lines) + "\n-----END OPENSSH " + "PRIVATE KEY-----\n"
    looked_for = needles([key.encode()])
    assert all(looked_for.found_in(line.encode()) for line in lines)
    assert not looked_for.found_in(b"-----BEGIN OPENSSH " + b"PRIVATE KEY-----")


@pytest.mark.parametrize("value", ["", "short", "production", "8080", "127.0.0.1"[:8]])
def test_plain_words_are_not_looked_for(value: str) -> None:
    assert not needles([value.encode()])


PASSWORD = "Tr0ub4dor-and-3"


@pytest.mark.parametrize(
    "document",
    [
        f"//registry.example.com/:_authToken={PASSWORD}",
        f"PGPASSWORD={PASSWORD}",
        f"export PGPASSWORD='{PASSWORD}'",
        json.dumps({"user": "me", "password": PASSWORD}),
        json.dumps(
            {"a": [{"b": {"client_secret": "q8Jd2Lq9sPz0XwVbN4", "password": PASSWORD}}]}, separators=(",", ":")
        ),
        json.dumps({"auths": {"example.com": {"auth": base64.b64encode(f"me:{PASSWORD}".encode()).decode()}}}),
        f"user: me\npassword: {PASSWORD}\n",
        f'password = "{PASSWORD}"',
        f"{{password: {PASSWORD}}}",
        f"me:{PASSWORD}",
        f"db.example.com:5432:*:app:{PASSWORD}\n",
        f"Server=db;Uid=sa;Pwd={PASSWORD};",
        f"host=db user=app password={PASSWORD}",
        f"https://me:{quote(PASSWORD)}@example.com/x",
        f"machine example.com login me password {PASSWORD}",
    ],
)
def test_what_is_a_secret_within_a_value_is_looked_for_alone(document: str) -> None:
    looked_for = needles([document.encode()])
    assert looked_for.found_in(f"it is {PASSWORD}.".encode())
    assert not looked_for.found_in(b"example.com me user password auths registry db.example.com server=db")


def test_a_document_of_ordinary_fields_is_looked_for_as_a_whole_alone() -> None:
    document = json.dumps({"url": "https://example.com/simple", "no_proxy": "localhost,.example.com", "level": "info"})
    assert not needles([document.encode()]).found_in(b"https://example.com/simple localhost,.example.com info")


@pytest.mark.parametrize(
    ("keywords", "words", "hint"),
    [
        ({"secrets": {"t": {}}}, r"secrets\['t'\] must be a Secret, not a dict", "Secret.load"),
        ({"secrets": {"t": "value"}}, r"secrets\['t'\] must be a Secret, not a string", "Secret.load"),
        ({"secrets": {3: Secret("x")}}, "an id in secrets must be a string, not 3", "Secret.load"),
        ({"dockerfile": None}, "dockerfile must be a path, not None", "dockerfile='PATH'"),
    ],
)
def test_what_is_no_secret_is_said_in_plain_words(keywords: dict[str, object], words: str, hint: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        DockerImage("x", **keywords)  # type: ignore[arg-type]
    assert hint in str(caught.value.hint)


def test_a_secret_that_is_no_text() -> None:
    class Holds:
        def get(self) -> bytes:
            return b"x"

    for holder, words in ((Secret("a\udcff"), "no valid text"), (Holds(), "holds no text")):
        with pytest.raises(InvalidSecret, match=words) as caught:
            read({"t": holder})
        assert caught.value.hint
