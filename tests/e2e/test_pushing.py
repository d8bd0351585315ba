"""Pushing out of a cache that is damaged, and out of an engine that has no longer the base."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

import pytest

from imagekit.engine.client import Engine

from ..own_registry import OwnRegistry
from ..registry.images import pulled
from .conftest import Imagekit, WriteProject


@pytest.fixture
def cache(imagekit: Imagekit, tmp_path: Path) -> Path:
    """A cache directory of the test's own."""
    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    # Another image each time, so that its blobs are in no registry.
    flow = f"import alpha\n\nMARK = {secrets.token_hex(500)!r}\n"
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": flow})


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def own_blobs(cache: Path, built: dict[str, object]) -> list[Path]:
    """The compressed layers that are the image's own."""
    layers: list[dict[str, str]] = built["layers"]  # type: ignore[assignment]
    digits = [layer["digest"].removeprefix("sha256:") for layer in layers]
    return [cache / "blobs" / each[:2] / f"{each}.tar.gz" for each in digits]


def test_a_damaged_blob_is_made_again(
    imagekit: Imagekit, shared_registry: OwnRegistry, root: Path, cache: Path, tmp_path: Path
) -> None:
    reference = f"{shared_registry.name}/{imagekit.name()}:v1"
    built = imagekit.json("build", root, "-t", reference, "-o", "engine", "-o", f"oci:{tmp_path / 'layout'}")
    blob = own_blobs(cache, built)[-1]
    right = blob.read_bytes()
    damage(blob)
    pushed = imagekit.json("push", reference)
    assert pushed["sent"] is not None  # it was not the engine
    assert blob.read_bytes() == right
    assert pulled(reference)[0] == pushed["digest"]


def test_a_base_that_is_gone_from_the_engine(
    imagekit: Imagekit, engine: Engine, shared_registry: OwnRegistry, root: Path, cache: Path
) -> None:
    base = f"{imagekit.name('base')}:v1"
    imagekit.json("build", root, "-t", base)
    reference = f"{shared_registry.name}/{imagekit.name()}:v1"
    imagekit.json("build", root, "-t", reference, "--base-image", base, "--env", "MORE=1")
    engine.remove_image(base, force=True)
    shutil.rmtree(cache / "blobs", ignore_errors=True)
    pushed = imagekit.json("push", reference)
    assert pushed["sent"] is None  # by the engine, which does not say it
    assert pulled(reference)[0] == pushed["digest"]


def test_a_note_of_another_image_is_not_believed(
    imagekit: Imagekit, shared_registry: OwnRegistry, root: Path, cache: Path
) -> None:
    name = f"{shared_registry.name}/{imagekit.name()}"
    first = imagekit.json("build", root, "-t", f"{name}:first")
    second = imagekit.json("build", root, "-t", f"{name}:second", "--env", "MORE=1")
    notes = {
        each["image_id"]: cache / "images" / f"{each['image_id'].removeprefix('sha256:')}.json"
        for each in (first, second)
    }
    shutil.copyfile(notes[first["image_id"]], notes[second["image_id"]])
    digests = [imagekit.json("push", f"{name}:{tag}")["digest"] for tag in ("first", "second")]
    assert digests[0] != digests[1]
    for tag, digest in zip(("first", "second"), digests, strict=True):
        assert pulled(f"{name}:{tag}")[0] == digest
