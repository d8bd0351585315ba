"""The plan of a fixed project, against a golden file; and what its keys depend on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagekit.lock.values import Artifact, Lock, LockedPackage
from imagekit.oci.digest import Digest
from imagekit.oci.platform import Platform
from imagekit.plan.config import created_by, image_config, packages_of
from imagekit.plan.make import created_at, make_plan
from imagekit.plan.values import Plan
from imagekit.spec.base import BaseImage
from imagekit.spec.image import FileMapping, ImageSpec, Project

from ..layers.bases import base

GOLDEN = Path(__file__).parent / "golden" / "plan.json"

SPEC = ImageSpec(
    context=Path("/project"),
    platform=Platform("linux", "amd64"),
    env=(("TZ", "UTC"),),
    labels=(("team", "bakery"),),
    files=(FileMapping(source=Path("/project/settings.yml"), target="/etc/orders/settings.yml"),),
    project=Project(name="orders", version="1.2", import_root="src", scripts=(("orders", "orders:main"),)),
)


def _package(name: str, version: str, size: int, direct: bool = False) -> LockedPackage:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    digest = f"{sum(f'{name}{version}'.encode()):064x}"
    artifact = Artifact(filename=filename, url=f"https://example.com/{filename}", sha256=digest, size=size)
    return LockedPackage(name=name, version=version, artifact=artifact, direct=direct)


LOCK = Lock(
    packages=(
        _package("idna", "3.10", 70_000),
        _package("numpy", "2.4.6", 17_000_000),
        _package("pandas", "3.1.1", 12_000_000, direct=True),
        _package("rich", "13.9.4", 240_000, direct=True),
        _package("six", "1.17.0", 11_000),
    ),
    inputs=Digest("sha256:" + "1" * 64),
    python="3.11.2",
    platform="linux/amd64",
)


def _plan(spec: ImageSpec = SPEC, lock: Lock = LOCK, on: BaseImage | None = None, **changes: Any) -> Plan:
    given: dict[str, Any] = {
        "file_digests": {"/etc/orders/settings.yml": "-:" + "2" * 64},
        "source_digest": "sha256:" + "3" * 64,
        "labels": {"org.opencontainers.image.revision": "4" * 40},
        "created": None,
        **changes,
    }
    # One base for all Pythons that run this test.
    image = on or base()
    return make_plan(spec, lock, replace(image, python=replace(image.python, cache_tag="cpython-311")), **given)


def test_the_plan_is_the_golden_one() -> None:
    """A key that changes here meets no layer that was made before: then ``plan.values.FORMAT`` decides alike."""
    assert json.loads(GOLDEN.read_text()) == json.loads(json.dumps(_plan().to_json()))


def _keys(plan: Plan) -> dict[str, Digest]:
    return {f"{layer.kind} {layer.title}": layer.key for layer in plan.layers}


def _changed(plan: Plan) -> set[str]:
    before, after = _keys(_plan()), _keys(plan)
    return {title for title in before.keys() | after.keys() if before.get(title) != after.get(title)}


def test_each_change_moves_its_own_layer() -> None:
    assert _changed(_plan(source_digest="sha256:" + "5" * 64)) == {"source source"}
    assert _changed(_plan(file_digests={"/etc/orders/settings.yml": "x:" + "2" * 64})) == {"files 1 file"}
    moved = replace(LOCK, packages=(*LOCK.packages[:4], _package("six", "1.18.0", 11_000)))
    assert _changed(_plan(lock=moved)) == {"wheels six==1.17.0", "wheels six==1.18.0"}
    assert _changed(_plan(labels={}, created="2026-01-01T00:00:00Z")) == set()
    assert _changed(_plan(replace(SPEC, env=()))) == set()


@pytest.mark.parametrize("change", [{"links": (("/etc", "/usr/etc"),)}, {"directories": (("/etc", 0o700, 0, 0),)}])
def test_what_is_repeated_of_the_base_is_in_the_keys(change: Any) -> None:
    """Or the layer of one base would come from the cache for another, with that one's modes and places."""
    assert _changed(_plan(on=base(**change))) == {"environment environment", "files 1 file", "source source"}


def test_another_patch_release_has_its_own_bytecode() -> None:
    image = base()
    later = replace(image, python=replace(image.python, version="3.11.3"))
    assert _changed(_plan(on=later)) == {
        title for title in _keys(_plan()) if title.startswith(("wheels", "environment"))
    }


def test_the_configuration() -> None:
    plan = _plan(on=base(User="nobody:nogroup", Entrypoint=["/init"]), created=created_at(0))
    config = image_config(plan, [Digest(f"sha256:{n:064x}") for n in range(len(plan.layers))])
    assert config.settings["User"] == "nobody:nogroup"
    assert config.settings["Entrypoint"] == ["/init"]
    assert config.env["PATH"] == "/opt/venv/bin:/usr/bin:/bin"
    assert (config.env["TZ"], config.env["LANG"]) == ("UTC", "C.UTF-8")
    assert config.labels["team"] == "bakery"
    assert config.document["created"] == "1970-01-01T00:00:00Z"
    assert len(config.diff_ids) == 1 + len(plan.layers)


def test_layers_are_known_again_by_their_history() -> None:
    for layer in _plan().layers:
        title, packages = packages_of(created_by(layer))
        assert packages == layer.packages
        assert title == (layer.packages[0] if len(layer.packages) == 1 else layer.title)
    assert packages_of("RUN pip install rich==1") == ("RUN pip install rich==1", ())
