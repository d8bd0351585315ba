"""A configuration inherits what it does not know, and adds to what it does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagekit.oci.config import DEFAULT_PATH, History, ImageConfig
from imagekit.oci.digest import Digest, digest_of

LAYER = Digest("sha256:" + "a" * 64)
BASE: dict[str, Any] = {
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "created": "2024-01-01T00:00:00Z",
    "container": "deadbeef",
    "docker_version": "26.1.5",
    "author": "Ann",
    "config": {
        "Env": ["PATH=/usr/bin", "EMPTY=", "B=1", "A=x=y"],
        "User": "ann",
        "Healthcheck": {"Test": ["CMD", "true"]},
        "StopSignal": "SIGINT",
        "Volumes": {"/data": {}},
        "ExposedPorts": {"80/tcp": {}},
        "Shell": ["/bin/bash", "-c"],
        "Entrypoint": ["/entry"],
        "Labels": {"kept": "1", "changed": "old"},
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "b" * 64]},
    "history": [{"created_by": "base", "created": "2024-01-01T00:00:00Z"}, {"created_by": "ENV", "empty_layer": True}],
}


def _extended(document: dict[str, Any], created: str | None = None, **env: str) -> dict[str, Any]:
    config = ImageConfig(document).extended(
        layers=[(LAYER, History("ours"))],
        settings={"User": "app"},
        env=env,
        labels={"changed": "new"},
        created=created,
    )
    found: dict[str, Any] = json.loads(config.to_bytes())
    assert config.digest == digest_of(config.to_bytes())
    return found


def test_what_is_not_known_is_inherited() -> None:
    found = _extended(BASE)
    for name in ("Healthcheck", "StopSignal", "Volumes", "ExposedPorts", "Shell", "Entrypoint"):
        assert found["config"][name] == BASE["config"][name]
    assert (found["architecture"], found["variant"], found["author"]) == ("arm64", "v8", "Ann")
    assert str(ImageConfig(found).platform) == "linux/arm64/v8"


def test_what_was_of_the_base_alone_is_not() -> None:
    assert not {"created", "container", "docker_version"} & set(_extended(BASE))


def test_settings_env_and_labels() -> None:
    found = _extended(BASE, B="2", NEW="3")["config"]
    assert found["User"] == "app"
    assert found["Env"] == ["PATH=/usr/bin", "EMPTY=", "B=2", "A=x=y", "NEW=3"]
    assert found["Labels"] == {"kept": "1", "changed": "new"}


def test_layers_and_history_go_on_top() -> None:
    found = _extended(BASE)
    assert found["rootfs"]["diff_ids"] == [*BASE["rootfs"]["diff_ids"], LAYER]
    assert found["history"] == [*BASE["history"], {"created_by": "ours", "comment": "imagekit"}]


@pytest.mark.parametrize("history", [None, [], [{"created_by": "ENV", "empty_layer": True}]])
def test_a_base_without_history_gets_an_entry_for_each_layer(history: list[Any] | None) -> None:
    found = _extended({**BASE, "history": history})
    layers = [entry["created_by"] for entry in found["history"] if not entry.get("empty_layer")]
    assert layers == ["unknown", "ours"]


def test_created_only_when_it_is_given() -> None:
    assert _extended(BASE, "2026-01-01T00:00:00Z")["created"] == "2026-01-01T00:00:00Z"
    assert "created" not in _extended(BASE)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"config": None, "rootfs": None, "history": None},
        {"config": {"Env": None, "Labels": None, "Volumes": None}, "rootfs": {"diff_ids": None}},
    ],
)
def test_null_is_as_good_as_nothing(document: dict[str, Any]) -> None:
    found = _extended(document, A="1")
    assert found["config"]["Env"] == ["A=1"]
    assert found["rootfs"] == {"type": "layers", "diff_ids": [LAYER]}
    assert (found["os"], found["architecture"]) == ("linux", "amd64")


def test_the_same_in_any_order_of_keys() -> None:
    backwards = dict(reversed(BASE.items()))
    assert ImageConfig(backwards).digest == ImageConfig(BASE).digest


@pytest.mark.parametrize(
    ("env", "path"),
    [(["PATH=/opt/bin"], "/opt/bin"), (["PATH="], DEFAULT_PATH), ([], DEFAULT_PATH), (None, DEFAULT_PATH)],
)
def test_a_configuration_without_a_path_has_that_of_engines(env: list[str] | None, path: str) -> None:
    assert ImageConfig({"config": {"Env": env}}).path == path
