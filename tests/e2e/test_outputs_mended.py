"""What is written elsewhere, beside an engine or without one, out of a cache that is damaged; and what is refused."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path

import pytest

from .conftest import Imagekit, WriteProject
from .test_pushing import damage, own_blobs

NO_ENGINE = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}


@pytest.fixture
def cache(imagekit: Imagekit, tmp_path: Path) -> Path:
    """A cache directory of the test's own."""
    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    flow = f"import alpha\n\nMARK = {secrets.token_hex(500)!r}\n"
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": flow})


def copied(source: str, directory: Path) -> None:
    """skopeo verifies every blob that it copies."""
    subprocess.run(["skopeo", "copy", "--quiet", source, f"dir:{directory}"], check=True)


@pytest.mark.parametrize("kind", ["oci", pytest.param("oci-archive", marks=pytest.mark.soak)])
def test_a_damaged_blob_is_made_again_as_it_is_written(
    imagekit: Imagekit, root: Path, cache: Path, tmp_path: Path, kind: str
) -> None:
    reference = f"{imagekit.name()}:v1"
    words = ("build", root, "-t", reference, "-o", "engine", "-o")
    places = [f"{kind}:{tmp_path / f'out-{number}'}" for number in range(2)]
    built = imagekit.json(*words, places[0])
    (first,) = built["written"]
    assert first["output"] == places[0]
    blob = own_blobs(cache, built)[-1]
    right = blob.read_bytes()
    damage(blob)
    (second,) = imagekit.json(*words, places[1])["written"]
    assert second == {**first, "output": places[1]}
    assert blob.read_bytes() == right
    copied(f"{places[1]}:{reference}", tmp_path / "copy")
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_bytes())
    assert len(manifest["layers"]) > len(built["layers"])
    # Where it is told for people, it is told, too.
    assert f"{places[1]}: {first['digest']}" in imagekit(*words, places[1]).stdout


@pytest.mark.parametrize(
    "platforms",
    ["", ",", "linux/amd64,", ",linux/amd64", "linux/amd64,linux/amd64", "linux/arm64,linux/arm64/v8", "linux/amd64, "],
)
def test_platforms_that_are_empty_or_there_twice(imagekit: Imagekit, root: Path, cache: Path, platforms: str) -> None:
    for output in ("registry", "engine"):
        error = imagekit.refused("build", root, "-o", output, "--platform", platforms, env=NO_ENGINE)
        assert (error["error"], error["exit_code"]) == ("InputError", 2)
        assert "platform" in error["message"]
    assert not cache.exists()


def test_a_dockerfile_is_for_one_platform(imagekit: Imagekit, project: WriteProject) -> None:
    root = project({"Dockerfile": "FROM scratch\n"})
    words = ("build", root, "--dockerfile", "Dockerfile", "--platform")
    error = imagekit.refused(*words, "linux/amd64,linux/arm64", env=NO_ENGINE)
    assert (error["error"], error["exit_code"]) == ("InputError", 2)
    # Which one it is, is for BuildKit to judge, which is not reached here.
    assert imagekit.refused(*words, "linux/s390x", env=NO_ENGINE)["exit_code"] != 2


def test_the_usual_builder_by_its_name(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    words = ("build", root, "-t", f"{imagekit.name()}:v1")
    layout = f"oci:{tmp_path / 'layout'}"
    (written,) = imagekit.json(*words, "--builder", "assemble", "-o", layout)["written"]
    assert written["output"] == layout
    error = imagekit.refused(*words, "--builder", "buildkit", "-o", layout)
    assert error["error"] == "InputError"
