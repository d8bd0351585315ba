"""One image at every destination, and built where there is no engine."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.layout import write_layout
from imagekit.oci.content import ImageContent
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.stages.probe import find_base

from ..base_blobs import base_blobs
from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("outputs")

NO_ENGINE = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``localhost:PORT``."""
    registry = OwnRegistry(tmp_path_factory.mktemp("registry"))
    yield registry.name
    registry.close()


@pytest.fixture(scope="module")
def base_layout(engine: Engine, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image as a layout, named as ``--base-image`` takes it."""
    directory = tmp_path_factory.mktemp("base")
    base = find_base(engine, python_image, "", Platform.host(), directory / "cache", SilentReporter())
    blobs = engine_base_blobs(engine, base, base_blobs(tmp_path_factory))
    write_layout([ImageContent(config=base.config, layers=blobs)], directory / "layout", python_image)
    return f"oci:{directory / 'layout'}:{python_image}"


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    flow = f"import alpha\n\n\ndef etl(n):\n    return n * 2, {secrets.token_hex(8)!r}\n"
    return project({"requirements.txt": f"{no_index}alpha==1.0\nbeta==1.0\n", "flow.py": flow})


def skopeo(*words: object) -> Any:
    done = subprocess.run(["skopeo", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout


def manifest_of(where: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The manifest and the configuration at a skopeo address."""
    return (
        skopeo("inspect", "--raw", "--tls-verify=false", where),
        skopeo("inspect", "--raw", "--config", "--tls-verify=false", where),
    )


def test_one_image_everywhere(
    imagekit: Imagekit, engine: Engine, inside: Inside, root: Path, registry: str, base_layout: str, tmp_path: Path
) -> None:
    reference = f"{registry}/team/{imagekit.name()}:v1"
    built = imagekit.json("build", root, "-t", reference)
    places = [f"oci:{tmp_path / 'layout'}", f"oci-archive:{tmp_path / 'oci.tar'}"]
    outputs = ["registry", *places, f"docker-archive:{tmp_path / 'docker.tar'}"]
    elsewhere = imagekit.json(
        *("build", root, "-t", reference, "--base-image", base_layout, "--python", "3.11"),
        *(word for output in outputs for word in ("--output", output)),
        env=NO_ENGINE,
    )
    (image,) = elsewhere["images"]
    assert image["digest"] == built["digest"]
    assert [layer["digest"] for layer in image["layers"]] == [layer["digest"] for layer in built["layers"]]
    assert all(layer["cached"] for layer in image["layers"])

    manifests, configs = zip(
        *(manifest_of(where) for where in (f"docker://{reference}", f"{places[0]}:{reference}", places[1])),
        strict=True,
    )
    assert manifests[0] == manifests[1] == manifests[2]
    assert configs[0] == configs[1] == configs[2]
    digests = {written["output"]: written["digest"] for written in elsewhere["written"]}
    assert len({digests["registry"], digests[places[0]], digests[places[1]]}) == 1
    assert digests[outputs[-1]] == built["digest"]

    # The engine pushes the same: nothing is sent.
    pushed = imagekit.json("push", reference)
    assert (pushed["digest"], pushed["sent"]) == (digests["registry"], 0)

    engine.remove_image(reference, force=True)
    subprocess.run(["docker", "pull", "--quiet", reference], check=True, capture_output=True)
    assert imagekit.json("run", "flow.py:etl", "-p", "n=3", "--image", reference)["result"][0] == 6
    engine.remove_image(reference, force=True)
    subprocess.run(["docker", "load", "--quiet", "--input", tmp_path / "docker.tar"], check=True, capture_output=True)
    loaded = engine.image(reference)
    assert loaded is not None
    assert loaded.id == built["image_id"]


def test_again_is_already_there_and_an_edit_sends_one_layer(
    imagekit: Imagekit, root: Path, registry: str, base_layout: str
) -> None:
    reference = f"{registry}/team/{imagekit.name()}:v1"
    words = ("build", root, "-t", reference, "--base-image", base_layout, "-o", "registry")
    first = imagekit.json(*words, env=NO_ENGINE)["written"][0]
    blobs = first["uploaded"] + first["mounted"]
    assert blobs > 2
    again = imagekit.json(*words, env=NO_ENGINE)["written"][0]
    assert (again["digest"], again["uploaded"], again["sent"]) == (first["digest"], 0, 0)
    (root / "flow.py").write_text("def etl(n):\n    return n\n")
    edited = imagekit.json(*words, env=NO_ENGINE)["written"][0]
    assert edited["digest"] != first["digest"]
    assert edited["uploaded"] == 2  # the source, and the configuration
    # Another repository takes all layers from the first, the base's out of a layout, too.
    other = imagekit.json(
        *("build", root, "-t", f"{registry}/other/{imagekit.name()}:v1"),
        *("--base-image", base_layout, "-o", "registry"),
        env=NO_ENGINE,
    )["written"][0]
    assert (other["digest"], other["mounted"]) == (edited["digest"], blobs - 1)
    assert other["uploaded"] == 1  # the configuration


def test_the_base_out_of_a_registry(imagekit: Imagekit, root: Path, registry: str, base_layout: str) -> None:
    base = f"{registry}/bases/python:3.11"
    skopeo("copy", "--quiet", "--dest-tls-verify=false", base_layout, f"docker://{base}")
    reference = f"{registry}/team/{imagekit.name()}:v1"
    built = imagekit.json("build", root, "-t", reference, "--base-image", base, "-o", "registry", env=NO_ENGINE)
    (written,) = built["written"]
    assert written["mounted"] >= 1  # the base's own layer, from the repository that has it
    assert built["images"][0]["base"] == base


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-o", "oci"], "InputError"),
        (["-o", "nowhere"], "InputError"),
        (["-o", "registry:x"], "InputError"),
        (["-o", "registry", "-o", "registry"], "InputError"),
        (["-o", "docker-archive:x.tar", "--platform", "linux/amd64,linux/arm64"], "InputError"),
        (["--platform", "linux/amd64,linux/arm64"], "InputError"),
        (["-o", "registry", "--platform", "linux/amd64,windows/amd64"], "InputError"),
        (["-o", "registry", "--base-image", "oci:"], "InvalidReference"),
        (["-o", "registry", "--base-image", "oci:/nowhere"], "BaseNotFound"),
    ],
)
def test_bad_outputs_are_refused(imagekit: Imagekit, root: Path, words: list[str], error: str) -> None:
    found = imagekit.refused("build", root, *words, env=NO_ENGINE)
    assert found["error"] == error
    assert found["hint"]
