"""The same build for a registry and a layout again: told by a look at each, and made where anything is another."""

from __future__ import annotations

import http.client
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import BuildImage
from ..own_registry import OwnRegistry
from .conftest import Imagekit, WriteProject

# What only a build reads; in the log of a Python that is asked for it.
READING = "imagekit.spec.read"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[OwnRegistry]:
    registry = OwnRegistry(tmp_path / "registry")
    yield registry
    registry.close()


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    flow = f"MARK = {secrets.token_hex(8)!r}\n"
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": flow})


Build = Callable[..., tuple[Any, bool]]


@pytest.fixture
def build(imagekit: Imagekit, root: Path, registry: OwnRegistry, tmp_path: Path) -> Build:
    """``build()``: what it tells, and whether it read the project for it."""
    name = f"{registry.name}/{imagekit.name()}:v1"

    def run(*words: str) -> tuple[Any, bool]:
        # What is younger than the clock's tick when a build begins is not remembered.
        time.sleep(0.05)
        done = imagekit(
            *("build", root, "-t", name, "-o", "registry", "-o", f"oci:{tmp_path / 'out'}", "--json", *words),
            env={"PYTHONPROFILEIMPORTTIME": "1"},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), READING in done.stderr

    return run


def test_nothing_is_read_where_nothing_changed(build: Build, root: Path) -> None:
    first, _ = build()
    again, has_read = build()
    assert not has_read
    assert [each["digest"] for each in again["written"]] == [each["digest"] for each in first["written"]]
    assert again["written"][0]["sent"] == again["written"][0]["uploaded"] == 0
    assert all(layer["cached"] for image in again["images"] for layer in image["layers"])
    (root / "flow.py").write_text("MARK = 2\n")
    edited, has_read = build()
    assert has_read
    assert edited["written"][0]["digest"] != first["written"][0]["digest"]
    assert edited["written"][0]["uploaded"] == 2  # the source, and the configuration


def test_a_tag_that_moved_is_moved_back(build: Build, registry: OwnRegistry) -> None:
    first, _ = build()
    repository = first["reference"].removeprefix(f"{registry.name}/").rpartition(":")[0]
    connection = http.client.HTTPConnection(registry.name)
    connection.request("DELETE", f"/v2/{repository}/manifests/{first['written'][0]['digest']}")
    assert connection.getresponse().status == 202
    again, has_read = build()
    assert has_read
    assert again["written"][0]["digest"] == first["written"][0]["digest"]
    assert build()[1] is False


def test_a_layout_that_lost_a_file_is_written_again(build: Build, tmp_path: Path) -> None:
    build()
    lost = max((tmp_path / "out" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    lost.unlink()
    assert build()[1] is True
    assert lost.is_file()


def test_a_base_that_moved_in_its_registry(
    build: Build, registry: OwnRegistry, python_image: str, build_image: BuildImage, tmp_path: Path
) -> None:
    base = f"{registry.name}/bases/python:1"
    put(python_image, base, tmp_path / "1.tar")
    build("--base-image", base)
    assert build("--base-image", base)[1] is False
    put(build_image(f"FROM {python_image}\nENV A=1\n", {}), base, tmp_path / "2.tar")
    assert build("--base-image", base)[1] is True


def put(image: str, reference: str, archive: Path) -> None:
    subprocess.run(["docker", "save", "-o", archive, image], check=True)
    words = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false"]
    subprocess.run([*words, f"docker-archive:{archive}", f"docker://{reference}"], check=True)


def test_what_is_to_be_made_anew_is(build: Build) -> None:
    build()
    assert build("--no-cache")[1] is True
    assert build("--no-cache")[1] is True
