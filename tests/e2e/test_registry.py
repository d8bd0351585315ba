"""A pushed image pulls and runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imagekit import DockerImage, run
from imagekit.engine.client import Engine
from imagekit.oci.digest import is_digest

from ..conftest import StartRegistry
from ..own_registry import OwnRegistry, with_password
from .conftest import Imagekit, Inside, WriteProject


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project(
        {"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": "import alpha\n\n\ndef etl(n):\n    return n * 2\n"}
    )


def test_a_pushed_image_pulls_and_runs(
    imagekit: Imagekit, inside: Inside, engine: Engine, shared_registry: OwnRegistry, root: Path
) -> None:
    reference = f"{shared_registry.name}/{imagekit.name()}:v1"
    built = imagekit.json("build", root, "--tag", reference)
    pushed = imagekit.json("push", reference)
    assert pushed["reference"] == reference
    assert is_digest(pushed["digest"])
    assert imagekit.json("push", reference)["digest"] == pushed["digest"]

    engine.remove_image(reference, force=True)
    assert engine.image(built["image_id"]) is None
    by_digest = f"{reference.rpartition(':')[0]}@{pushed['digest']}"
    for name in (reference, by_digest):
        subprocess.run(["docker", "--host", engine.address, "pull", "--quiet", "--", name], check=True)
    found = engine.image(reference)
    assert found is not None
    assert found.id == built["image_id"]
    assert inside(reference, "python", "-c", "import alpha; print(alpha.VERSION)").strip() == "1.0"
    assert imagekit.json("run", "flow.py:etl", "--image", reference, "-p", "n=4")["result"] == 8
    assert imagekit.json("inspect", reference)["digest"] == pushed["digest"]
    engine.remove_image(by_digest, force=True)


def test_build_and_push_in_one_go(imagekit: Imagekit, shared_registry: OwnRegistry, root: Path) -> None:
    reference = f"{shared_registry.name}/{imagekit.name()}:v2"
    built = imagekit.json("build", root, "--tag", reference, "--push")
    assert built["push"]["digest"] == imagekit.json("push", reference)["digest"]


def test_by_the_library(library: Imagekit, shared_registry: OwnRegistry, root: Path) -> None:
    image = DockerImage(f"{shared_registry.name}/{library.name()}", tag="v1", context=root, stream_progress_to=None)
    image.build()
    before = image.digest
    digest = image.push()
    assert is_digest(digest)
    assert image.digest == digest != before
    assert run("flow.py:etl", image=image, parameters={"n": 1}).result == 2


def test_a_registry_that_asks_for_a_password(
    imagekit: Imagekit, start_registry: StartRegistry, tmp_path: Path, root: Path
) -> None:
    host = start_registry(auth=with_password(tmp_path / "auth")).name
    reference = f"{host}/{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    error = imagekit.refused("push", reference)
    assert (error["error"], error["exit_code"]) == ("AuthError", 7)
    assert error["hint"] == f"docker login {host}"


def test_a_registry_that_is_not_there(imagekit: Imagekit, root: Path) -> None:
    reference = f"localhost:1/{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    error = imagekit.refused("push", reference)
    assert (error["error"], error["exit_code"]) == ("PushError", 7)


def test_what_is_not_built_is_not_pushed(imagekit: Imagekit) -> None:
    error = imagekit.refused("push", "localhost:1/never-built:v1")
    assert (error["error"], error["exit_code"]) == ("PushError", 7)
    assert "imagekit build" in error["hint"]
