"""Registries that want to know who asks: passwords, tokens, helpers; and what is never shown."""

from __future__ import annotations

import base64
import dataclasses
import json
import secrets
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagekit.errors import AuthError, ImagekitError, PushError
from imagekit.oci.content import Blob
from imagekit.oci.reference import Reference
from imagekit.registry import credentials
from imagekit.registry.access import Access
from imagekit.registry.auth import Challenge
from imagekit.registry.client import Registry

from ..conftest import StartRegistry
from ..own_registry import PASSWORD, USER, OwnRegistry, with_password
from .docker_config import access, login, write_helper
from .fault_proxy import FaultProxy
from .images import PATIENCE, Layer, Slow, content_of, image, layer, pulled, push
from .token_server import IDENTITY, TokenServer


def shown(error: BaseException) -> str:
    """All that anybody could come to see of ``error``."""
    words = "".join(traceback.format_exception(error))
    return words + repr(error) + (json.dumps(error.to_json()) if isinstance(error, ImagekitError) else "")


def assert_hidden(text: str, *more: str) -> None:
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, IDENTITY, pair, base64.b64encode(PASSWORD.encode()).decode(), *more):
        assert secret not in text


@pytest.fixture
def locked(start_registry: StartRegistry, tmp_path: Path) -> OwnRegistry:
    """A registry with a password."""
    return start_registry(auth=with_password(tmp_path / "auth"))


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    server = TokenServer(tmp_path / "tokens")
    yield server
    server.close()


@pytest.fixture
def tokened(start_registry: StartRegistry, tokens: TokenServer) -> OwnRegistry:
    """A registry that wants tokens."""
    return start_registry(auth=tokens.auth)


def test_a_password(locked: OwnRegistry, tmp_path: Path) -> None:
    known = login(tmp_path / "docker", locked.name)
    made = image(layer(secrets.token_hex(6)))
    pushed = push(f"{locked.name}/app:v1", made, access=known)
    assert pulled(f"{locked.name}/app:v1", access=known) == (pushed.digest, content_of(made))


@pytest.mark.parametrize("entry", ["https://{}/v1/", "http://{}", "{}/", "https://{}"])
def test_the_spellings_of_a_registry(locked: OwnRegistry, tmp_path: Path, entry: str) -> None:
    known = login(tmp_path / "docker", entry.format(locked.name))
    assert push(f"{locked.name}/app:v1", image(layer("any")), access=known).uploaded == 2


def test_without_a_password(locked: OwnRegistry, tmp_path: Path) -> None:
    proxy = FaultProxy(locked.name)
    with pytest.raises(AuthError, match="none are kept") as caught:
        push(f"{proxy.name}/app:v1", image(layer("any")), access=access(tmp_path / "docker"))
    assert caught.value.hint == f"docker login {proxy.name}"
    assert len(proxy.seen) == 1
    proxy.close()


def test_a_wrong_password(locked: OwnRegistry, tmp_path: Path) -> None:
    proxy = FaultProxy(locked.name)
    known = login(tmp_path / "docker", proxy.name, password="canary-wrong")
    with pytest.raises(AuthError, match="refused the credentials") as caught:
        push(f"{proxy.name}/app:v1", image(*(layer(n) for n in range(20))), access=known)
    assert len(proxy.seen) == 2
    assert_hidden(shown(caught.value), "canary-wrong", base64.b64encode(f"{USER}:canary-wrong".encode()).decode())
    proxy.close()


@pytest.mark.parametrize("step", ["GET", "POST", "PUT", "HEAD"])
def test_a_refusal_is_no_storm(shared_registry: OwnRegistry, proxy: FaultProxy, repository: str, step: str) -> None:
    old = image(layer(secrets.token_hex(6)))
    push(f"{shared_registry.name}/{repository}:v1", old)
    body = b'{"errors": [{"code": "DENIED", "message": "requested access is denied"}]}'
    proxy.fault(step, "", status=403, body=body)
    made = image(*old_layers(old), *(layer(secrets.token_hex(6)) for _ in range(30)))
    with pytest.raises(AuthError, match="does not allow it"):
        push(f"{proxy.name}/{repository}:v1", made)
    # Those that were under way, and for each that could not be mounted a plain try.
    assert proxy.count(step) <= 30
    assert pulled(f"{shared_registry.name}/{repository}:v1")[1] == content_of(old)


def old_layers(old: object) -> list[Layer]:
    return [Layer(blob, blob.descriptor.digest) for blob in old.layers]  # type: ignore[attr-defined]


def test_one_token_for_a_push(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    known = login(tmp_path / "docker", tokened.name)
    made = image(*(layer(f"{secrets.token_hex(6)}", 10_000) for _ in range(20)))
    pushed = push(f"{tokened.name}/team/app:v1", made, access=known)
    assert tokens.asked == [["repository:team/app:pull,push"]]
    assert pulled(f"{tokened.name}/team/app:v1", access=known) == (pushed.digest, content_of(made))
    assert tokens.asked[1:] == [["repository:team/app:pull"]]


def test_a_token_for_mounting(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    known = login(tmp_path / "docker", tokened.name)
    base = layer(secrets.token_hex(6))
    push(f"{tokened.name}/base:v1", image(base), access=known)
    tokens.asked.clear()
    held = Layer(dataclasses.replace(base.blob, held_by=(f"{tokened.name}/base",)), base.diff_id)
    assert push(f"{tokened.name}/app:v1", image(held), access=known).mounted == 1
    assert tokens.asked == [["repository:app:pull,push", "repository:base:pull"]]


@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_what_must_not_be_mounted_is_sent(
    tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path, all_or_nothing: bool
) -> None:
    known = login(tmp_path / "docker", tokened.name)
    base = [layer(secrets.token_hex(6)) for _ in range(5)]
    push(f"{tokened.name}/base:v1", image(*base), access=known)
    tokens.refuses, tokens.all_or_nothing = {"base"}, all_or_nothing
    tokens.asked.clear()
    held = [Layer(dataclasses.replace(one.blob, held_by=(f"{tokened.name}/base",)), one.diff_id) for one in base]
    pushed = push(f"{tokened.name}/app:v1", image(*held), access=known)
    assert (pushed.uploaded, pushed.mounted) == (6, 0)
    assert len(tokens.asked) <= 2 + len(base)


def test_a_token_that_ends_in_the_middle(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    known = login(tmp_path / "docker", tokened.name)
    # The registry takes the first for a moment (busy machines have long ones), and the second for long.
    tokens.first_seconds = 4.0
    large = layer(secrets.token_hex(6), 1 << 21)
    data = b"".join(large.blob.content.chunks())

    def wait() -> None:
        time.sleep(5)

    slow = Slow(data, (len(data) + 1) // 2, wait)
    made = image(
        Layer(Blob(descriptor=large.blob.descriptor, content=slow), large.diff_id), layer(secrets.token_hex(6))
    )
    pushed = push(f"{tokened.name}/app:v1", made, access=known)
    assert len(tokens.asked) == 2
    assert pulled(f"{tokened.name}/app:v1", access=known) == (pushed.digest, content_of(made))


def test_tokens_that_never_do(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    tokens.seconds = -10.0
    proxy = FaultProxy(tokened.name)
    with pytest.raises(AuthError, match="refused the credentials") as caught:
        push(f"{proxy.name}/app:v1", image(layer("any")), access=login(tmp_path / "docker", proxy.name))
    assert (len(proxy.seen), len(tokens.asked)) == (2, 1)
    assert_hidden(shown(caught.value), *tokens.granted)
    proxy.close()


def test_a_token_service_that_fails(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    tokens.status = 503
    with pytest.raises(PushError, match="the token service of"):
        push(f"{tokened.name}/app:v1", image(layer("any")), access=login(tmp_path / "docker", tokened.name))
    assert len(tokens.asked) == PATIENCE.attempts


def test_a_wrong_password_for_tokens(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    known = login(tmp_path / "docker", tokened.name, password="canary-wrong")
    with pytest.raises(AuthError, match="refused the credentials that are kept") as caught:
        push(f"{tokened.name}/app:v1", image(layer("any")), access=known)
    assert_hidden(shown(caught.value), "canary-wrong")


def test_the_anonymous_may_pull(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    made = image(layer(secrets.token_hex(6)))
    push(f"{tokened.name}/app:v1", made, access=login(tmp_path / "docker", tokened.name))
    tokens.is_open = True
    assert pulled(f"{tokened.name}/app:v1")[1] == content_of(made)
    with pytest.raises(AuthError) as caught:
        push(f"{tokened.name}/app:v2", image(layer(secrets.token_hex(6))))
    assert caught.value.hint == f"docker login {tokened.name}"


def test_an_identity_token(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    auths = {tokened.name: {"auth": base64.b64encode(b"<token>:").decode(), "identitytoken": IDENTITY}}
    assert push(f"{tokened.name}/app:v1", image(layer("any")), access=access(tmp_path / "d", auths=auths)).uploaded == 2
    auths[tokened.name]["identitytoken"] = "canary-other"
    with pytest.raises(AuthError) as caught:
        push(f"{tokened.name}/app:v2", image(layer("other")), access=access(tmp_path / "d", auths=auths))
    assert_hidden(shown(caught.value), "canary-other")


def test_a_token_that_is_ready(tokened: OwnRegistry, tokens: TokenServer, tmp_path: Path) -> None:
    _, answer = tokens.answer(["repository:app:pull,push"], USER)
    auths = {tokened.name: {"registrytoken": answer["token"]}}
    assert push(f"{tokened.name}/app:v1", image(layer("any")), access=access(tmp_path / "d", auths=auths)).uploaded == 2


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper(locked: OwnRegistry, tmp_path: Path, key: str) -> None:
    answer = json.dumps({"ServerURL": "any", "Username": USER, "Secret": PASSWORD})
    write_helper(tmp_path, "good", f"cat > {tmp_path}/asked; echo \"$@\" > {tmp_path}/argv; echo '{answer}'")
    config = {"credsStore": "good"} if key == "credsStore" else {"credHelpers": {locked.name: "good"}}
    assert push(f"{locked.name}/app:v1", image(layer("any")), access=access(tmp_path, **config)).uploaded == 2
    assert (tmp_path / "asked").read_text() == locked.name
    assert (tmp_path / "argv").read_text() == "get\n"


def test_a_helper_with_an_identity_token(tokened: OwnRegistry, tmp_path: Path) -> None:
    answer = json.dumps({"Username": "<token>", "Secret": IDENTITY})
    write_helper(tmp_path, "good", f"echo '{answer}'")
    known = access(tmp_path, credsStore="good")
    assert push(f"{tokened.name}/app:v1", image(layer("any")), access=known).uploaded == 2


def test_a_helper_that_knows_nothing(locked: OwnRegistry, tmp_path: Path) -> None:
    write_helper(tmp_path, "empty", "echo credentials not found in native keychain; exit 1")
    with pytest.raises(AuthError, match="none are kept"):
        push(f"{locked.name}/app:v1", image(layer("any")), access=access(tmp_path, credsStore="empty"))


JUNK = "canary-2718281828"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"echo {JUNK}; echo {JUNK} >&2; exit 1", r"failed for .* \(exit status 1\)"),
        (f"echo {JUNK}", "gave no credentials that can be read"),
        (f'echo \'{{"Username": "u", "Secret": ["{JUNK}"]}}\'', "gave no credentials that can be read"),
        (f"echo '[\"{JUNK}\"]'", "gave no credentials that can be read"),
        ("head -c 100000 /dev/urandom", "gave no credentials that can be read"),
        (f"echo {JUNK}; cat; sleep 1000", "came to no end"),
        (f"echo {JUNK}; sleep 1000 & echo started", "came to no end"),
        ("kill -9 $$", r"exit status -9"),
        ("cat /dev/zero", "came to no end"),
    ],
)
def test_a_helper_that_fails(
    locked: OwnRegistry, tmp_path: Path, script: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The others end by themselves.
    monkeypatch.setattr(credentials, "HELPER_SECONDS", 1.0 if words == "came to no end" else 60.0)
    write_helper(tmp_path, "bad", script)
    proxy = FaultProxy(locked.name)
    with pytest.raises(AuthError, match=words) as caught:
        push(f"{proxy.name}/app:v1", image(layer("any")), access=access(tmp_path, credsStore="bad"))
    assert str(caught.value.hint).startswith(f"docker login {proxy.name}")
    assert_hidden(shown(caught.value), JUNK)
    assert len(proxy.seen) == 1
    proxy.close()


@pytest.mark.parametrize("name", ["missing", "../bad", "a b", "$(id)", "-x", ""])
def test_a_helper_that_is_none(locked: OwnRegistry, tmp_path: Path, name: str) -> None:
    write_helper(tmp_path / "elsewhere", "bad", "exit 0")
    with pytest.raises(AuthError):
        push(f"{locked.name}/app:v1", image(layer("any")), access=access(tmp_path, credsStore=name))


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"auths": 3}', '{"auths": {"HOST": 3}}', '{"auths": {"HOST": {"auth": "%%"}}}']
)
def test_a_docker_configuration_that_is_none(locked: OwnRegistry, tmp_path: Path, text: str) -> None:
    known = access(tmp_path)
    (tmp_path / "config.json").write_text(text.replace("HOST", locked.name))
    with pytest.raises(AuthError) as caught:
        push(f"{locked.name}/app:v1", image(layer("any")), access=known)
    assert caught.value.hint


def test_nothing_is_read_where_nobody_asks(shared_registry: OwnRegistry, repository: str, tmp_path: Path) -> None:
    write_helper(tmp_path, "bad", f"touch {tmp_path}/asked")
    push(f"{shared_registry.name}/{repository}:v1", image(layer("any")), access=access(tmp_path, credsStore="bad"))
    assert not (tmp_path / "asked").exists()


def test_credentials_do_not_follow_a_redirect(locked: OwnRegistry, tmp_path: Path, proxy: FaultProxy) -> None:
    front = FaultProxy(locked.name)
    known = login(tmp_path / "docker", front.name)
    made = image(layer(secrets.token_hex(6)))
    push(f"{front.name}/app:v1", made, access=known)
    # The other one holds the same blobs, and is another host.
    push(f"{proxy.name}/app:v1", made)
    proxy.seen.clear()
    blob = made.layers[0].descriptor
    front.fault("GET", "/blobs/", status=307, headers={"Location": f"http://{proxy.name}/v2/app/blobs/{blob.digest}"})
    with Registry(front.name, known, patience=PATIENCE) as registry:
        assert b"".join(registry.read_blob("app", blob)) == content_of(made)[0]
    assert [seen.authorization for seen in proxy.seen] == [""]
    front.close()


def test_uploads_to_elsewhere_are_not_signed(locked: OwnRegistry, tmp_path: Path, proxy: FaultProxy) -> None:
    front = FaultProxy(locked.name)
    location = {"Location": f"http://{proxy.name}/v2/app/blobs/uploads/1"}
    front.fault("POST", "/blobs/uploads/", status=202, headers=location)
    with pytest.raises(PushError):
        push(f"{front.name}/app:v1", image(layer(secrets.token_hex(6))), access=login(tmp_path / "docker", front.name))
    assert {seen.authorization for seen in proxy.seen} == {""}
    front.close()


def test_what_a_registry_says_is_shown_without_secrets(locked: OwnRegistry, tmp_path: Path) -> None:
    front = FaultProxy(locked.name)
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    said = {
        "errors": [
            {"code": "X", "message": f"you sent Basic {pair}", "detail": f"https://u:{PASSWORD}@h/?sig={IDENTITY}"}
        ]
    }
    front.fault("PUT", "/manifests/", status=400, body=json.dumps(said).encode())
    with pytest.raises(PushError, match="you sent") as caught:
        push(f"{front.name}/app:v1", image(layer("any")), access=login(tmp_path / "docker", front.name))
    assert_hidden(shown(caught.value))
    front.close()


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    known = login(tmp_path / "docker", "registry.example.com")
    found = credentials.find_credentials("registry.example.com", known)
    assert found is not None
    assert (found.user, found.password) == (USER, PASSWORD)
    assert_hidden(repr(found) + repr(known))


def test_docker_hub_is_known_by_its_old_address(tmp_path: Path) -> None:
    known = login(tmp_path / "docker", "https://index.docker.io/v1/")
    for name in ("team/app", "docker.io/team/app", "index.docker.io/team/app"):
        registry = Registry(Reference.parse(name).registry, known)
        assert registry.name == "docker.io"
        found = credentials.find_credentials(registry.name, known)
        assert found is not None
        assert found.password == PASSWORD
    assert credentials.find_credentials("registry.example.com", known) is None
    assert credentials.find_credentials("docker.io", Access()) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a:pull,push"',
            ("bearer", "https://auth.example.com/token", "registry.example.com"),
        ),
        ('Basic realm="a, b"', ("basic", "a, b", "")),
        ("basic realm=x", ("basic", "x", "")),
        ('Basic realm="x", Bearer realm="https://y/z"', ("bearer", "https://y/z", "")),
        ('Bearer realm="https://y/z", Basic realm="x"', ("bearer", "https://y/z", "")),
        (r'Bearer realm="a\"b"', ("bearer", 'a"b', "")),
        ("Basic", ("basic", "", "")),
    ],
)
def test_challenges(header: str, expected: tuple[str, str, str]) -> None:
    found = Challenge.parse(header)
    assert found is not None
    assert (found.scheme, found.realm, found.service) == expected


@pytest.mark.parametrize("header", ["", "Negotiate abc", "Digest realm=x"])
def test_challenges_that_are_not_known(header: str) -> None:
    assert Challenge.parse(header) is None


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "", "http://user:pw@127.0.0.1/", "//x"])
def test_token_services_that_are_not_asked(proxy: FaultProxy, tmp_path: Path, realm: str) -> None:
    proxy.fault(".*", "", status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    with pytest.raises(AuthError, match="token service"):
        push(f"{proxy.name}/app:v1", image(layer("any")), access=login(tmp_path / "docker", proxy.name))
