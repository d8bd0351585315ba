"""Pull policies against real registries, and images that move or go while they are wanted."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine, EngineImage
from imagekit.errors import AuthError, EngineError
from imagekit.oci.reference import Reference
from imagekit.progress import SilentReporter
from imagekit.registry.access import Access
from imagekit.runs import runner
from imagekit.runs.credentials import RegistryCredentials
from imagekit.runs.pulling import default_policy, login, present

from ..own_registry import PASSWORD, USER, OwnRegistry, with_password
from .ordering import ordered

LOGIN = {"username": USER, "password": PASSWORD}


@pytest.fixture
def registry(start_registry: Callable[..., OwnRegistry], tmp_path: Path) -> OwnRegistry:
    return start_registry(auth=with_password(tmp_path / "auth"))


@pytest.fixture
def published(engine: Engine, build_image: Callable[..., str], registry: OwnRegistry) -> Iterator[Callable[[], str]]:
    """``published()``: an image that is in the registry at a tag, always the same one, and in no engine."""
    reference = f"{registry.name}/flows:1"

    def publish() -> str:
        made = build_image(f"FROM scratch\nLABEL test={secrets.token_hex(8)}\nCOPY x /x\n", {"x": secrets.token_hex(8)})
        image = engine.image(made)
        assert image is not None
        engine.tag(image.id, reference)
        for event in engine.push(reference, LOGIN):
            assert "error" not in event, event
        engine.remove_image(reference)
        return image.id

    yield publish
    engine.remove_image(reference, force=True)


def got(engine: Engine, reference: str, policy: str | None, **more: Any) -> EngineImage:
    return present(engine, reference, policy=policy, **{"access": Access(), "reporter": SilentReporter(), **more})


def test_the_policies(engine: Engine, registry: OwnRegistry, published: Callable[[], str]) -> None:
    reference = f"{registry.name}/flows:1"
    by_name = {"credentials": RegistryCredentials.of({**LOGIN, "registry_url": f"http://{registry.name}"})}
    first = published()
    with pytest.raises(EngineError, match="is not in the engine"):
        got(engine, reference, "Never", **by_name)
    assert got(engine, reference, "IfNotPresent", **by_name).id == first
    second = published()
    engine.tag(first, reference)
    assert got(engine, reference, "IfNotPresent", **by_name).id == first
    assert got(engine, reference, None, **by_name).id == first
    assert got(engine, reference, "Never").id == first
    assert got(engine, reference, "Always", **by_name).id == second
    pinned = got(engine, reference, "Never").repo_digests[0]
    third = published()
    assert got(engine, reference, "IfPossible", **by_name).id == third
    # The digest goes before whatever the tag has come to name.
    digest = pinned.partition("@")[2]
    assert got(engine, f"{reference}@{digest}", None, **by_name).id == second
    registry.close()
    assert got(engine, reference, "IfPossible", **by_name).id == third
    with pytest.raises(EngineError, match="cannot be pulled") as caught:
        got(engine, reference, "Always", **by_name)
    assert "IfPossible" in str(caught.value.hint)


@pytest.mark.parametrize("policy", [None, "Always", "IfNotPresent", "IfPossible"])
def test_what_is_made_here_is_pulled_from_nowhere(
    engine: Engine, build_image: Callable[..., str], policy: str | None
) -> None:
    reference = f"imagekit/extras:{secrets.token_hex(16)}"
    with pytest.raises(EngineError, match="names that begin with imagekit/ are never pulled"):
        got(engine, reference, policy)
    image = engine.image(build_image(f"FROM scratch\nLABEL test={secrets.token_hex(8)}\n", {}))
    assert image is not None
    engine.tag(image.id, reference)
    try:
        assert got(engine, reference, policy).id == image.id
    finally:
        engine.remove_image(reference)


def test_logins(engine: Engine, registry: OwnRegistry, published: Callable[[], str], tmp_path: Path) -> None:
    image, reference = published(), f"{registry.name}/flows:1"
    with pytest.raises(AuthError) as caught:
        got(engine, reference, "Always")
    assert caught.value.hint == f"docker login {registry.name}, or --registry-credentials FILE (registry_credentials)"
    wrong = RegistryCredentials(username=USER, password="canary-wrong", registry_url=registry.name)
    with pytest.raises(AuthError) as caught:
        got(engine, reference, "Always", credentials=wrong)
    assert "canary-wrong" not in str(caught.value.to_json())
    kept = {"auths": {registry.name: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert got(engine, reference, "Always", access=Access(docker_config=tmp_path)).id == image


def test_a_login_goes_to_its_own_registry_alone() -> None:
    credentials = RegistryCredentials(username="u", password="p", registry_url="https://registry.example.com")
    own = login(Reference.parse("registry.example.com/x:1"), Access(), credentials)
    assert own == {"username": "u", "password": "p", "serveraddress": "registry.example.com"}
    assert login(Reference.parse("other.example.com/x:1"), Access(), credentials) == {}


@pytest.mark.parametrize(
    ("reference", "repo_digests", "expected"),
    [
        ("x", None, "Always"),
        ("x:latest", None, "Always"),
        ("x:latest", ("x@sha256:1",), "Always"),
        ("x:latest", (), "IfNotPresent"),
        ("x:1", None, "IfNotPresent"),
        (f"x@sha256:{'0' * 64}", None, "IfNotPresent"),
        (f"x:latest@sha256:{'0' * 64}", None, "IfNotPresent"),
    ],
)
def test_the_default_policy(
    engine: Engine, python_image: str, reference: str, repo_digests: tuple[str, ...] | None, expected: str
) -> None:
    image = engine.image(python_image)
    assert image is not None
    found = None if repo_digests is None else replace(image, repo_digests=repo_digests)
    assert default_policy(Reference.parse(reference), found) == expected


def test_a_tag_that_moves_before_the_container_is_made(engine: Engine, flow_image: str, python_image: str) -> None:
    reference = f"imagekit-test/{secrets.token_hex(6)}:1"
    meant, other = engine.image(flow_image), engine.image(python_image)
    assert meant is not None
    assert other is not None
    engine.tag(meant.id, reference)
    try:
        order = ordered(engine, "flow.py:give", image=reference, parameters={"value": 1})
        engine.tag(other.id, reference)
        result = runner.run_flow(engine, order)
        assert (result.state, result.image, result.reference) == ("completed", meant.id, reference)
    finally:
        engine.remove_image(reference)


def test_an_image_that_goes_before_the_container_is_made(engine: Engine, build_image: Callable[..., str]) -> None:
    reference = build_image("FROM scratch\nCOPY x /x\n", {"x": secrets.token_hex(8)})
    order = ordered(engine, "flow.py:give", image=reference, parameters={"value": 1})
    engine.remove_image(reference, force=True)
    with pytest.raises(EngineError, match=rf"(?m)^{reference} is not in the engine$"):
        runner.run_flow(engine, order)
