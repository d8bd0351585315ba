"""A base in an OCI layout: read without an engine, given to one that builds on it, and the image is the same one."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit.building.bases import LAID_OUT
from imagekit.engine.client import Engine
from imagekit.export.base_content import engine_base_blobs
from imagekit.export.layout import write_layout
from imagekit.export.layout_read import find_image
from imagekit.oci.content import ImageContent
from imagekit.oci.platform import Platform
from imagekit.progress import SilentReporter
from imagekit.stages.probe import find_base

from ..base_blobs import base_blobs
from ..conftest import BuildImage
from ..own_engine import OwnEngine
from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject, own_flow

pytestmark = pytest.mark.xdist_group("own_engine")
NO_ENGINE = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
WHOLE = """
import zipfile

def build_wheel(directory, settings=None, metadata=None):
    name, info = "whole-1.0-py3-none-any.whl", "whole-1.0.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr("whole.py", open("whole.py").read())
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: whole\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.fixture
def base(
    engine: Engine,
    python_image: str,
    build_image: BuildImage,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A base that no engine has but in a layout, named as ``--base-image`` takes it."""
    tag = build_image(f"FROM {python_image}\nENV MARK={secrets.token_hex(8)}\nRUN echo $MARK > /etc/mark\n", {})
    found = find_base(engine, tag, "", Platform.host(), tmp_path / "cache", SilentReporter())
    blobs = engine_base_blobs(engine, found, base_blobs(tmp_path_factory))
    write_layout([ImageContent(config=found.config, layers=blobs)], tmp_path / "base", "team/base:1")
    engine.remove_image(tag, force=True)
    where = f"oci:{tmp_path / 'base'}:team/base:1"
    yield where
    engine.remove_image(laid_out(where), force=True)


def laid_out(base: str) -> str:
    """What an engine that was given ``base`` calls it."""
    _, directory, name = base.split(":", 2)
    digest = find_image(Path(directory), name, Platform.host()).config.digest
    return f"{LAID_OUT}:{digest.removeprefix('sha256:')[:16]}"


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    flow = f"import alpha\n\n\ndef etl():\n    return alpha.VERSION, {secrets.token_hex(8)!r}\n"
    return project({"requirements.txt": f"{no_index}alpha==1.0\nbeta==1.0\n", "flow.py": flow})


def configuration_of(engine: Engine, reference: str) -> bytes:
    """The configuration as the engine's own archive of the image has it."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(engine.save(reference))), mode="r:") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        (entry,) = json.load(manifest)
        config = archive.extractfile(entry["Config"])
        assert config is not None
        return config.read()


def skopeo(where: str) -> bytes:
    words = ["skopeo", "inspect", "--raw", "--config", "--tls-verify=false", where]
    return subprocess.run(words, capture_output=True, check=True).stdout


def test_each_store_holds_the_same_image(
    imagekit: Imagekit,
    engine: Engine,
    own_engine: Callable[..., OwnEngine],
    inside: Inside,
    root: Path,
    base: str,
    tmp_path: Path,
) -> None:
    ours = own_engine(containerd_store=True)
    registry = OwnRegistry(tmp_path / "registry")
    try:
        reference = f"{registry.name}/{imagekit.name()}:v1"
        words = ("build", root, "-t", reference, "--base-image", base)
        layout = f"oci:{tmp_path / 'layout'}"
        elsewhere = imagekit.json(*words, "-o", "registry", "-o", layout, env=NO_ENGINE)
        (image,) = elsewhere["images"]
        classic = imagekit.json(*words)
        containerd = imagekit.json(*words, env={"IMAGEKIT_ENGINE": ours.address})
        assert classic["digest"] == containerd["digest"] == image["digest"] == classic["image_id"]
        assert classic["layers"] == [{**layer, "cached": True} for layer in image["layers"]]
        with ours.connect() as connected:
            configurations = [configuration_of(engine, reference), configuration_of(connected, reference)]
            assert connected.image(reference).diff_ids == engine.image(reference).diff_ids  # type: ignore[union-attr]
            # What it was given there goes with this test.
            for name in (reference, laid_out(base)):
                connected.remove_image(name, force=True)
        configurations += [skopeo(f"docker://{reference}"), skopeo(f"{layout}:{reference}")]
        assert {f"sha256:{hashlib.sha256(data).hexdigest()}" for data in configurations} == {image["digest"]}
        assert imagekit.json("run", "flow.py:etl", "--image", reference)["result"][0] == "1.0"
        assert inside(reference, "cat", "/etc/mark").strip()
        # Pulled by an engine it is the one that was assembled in it.
        engine.remove_image(reference, force=True)
        subprocess.run(["docker", "pull", "--quiet", reference], check=True, capture_output=True)
        assert engine.image(reference).id == classic["image_id"]  # type: ignore[union-attr]
        engine.remove_image(reference, force=True)
    finally:
        registry.close()


def test_the_engine_is_given_it_once(imagekit: Imagekit, engine: Engine, root: Path, base: str) -> None:
    words = ("build", root, "--name", imagekit.name(), "--base-image", base)
    first = imagekit.json(*words)
    assert imagekit.json(*words)["up_to_date"] is True
    name = laid_out(base)
    assert engine.image(name) is not None
    (root / "flow.py").write_text(own_flow())
    assert imagekit.json(*words)["image_id"] != first["image_id"]
    # The engine lost it.
    engine.remove_image(name, force=True)
    (root / "flow.py").write_text(own_flow())
    assert imagekit.json(*words)["up_to_date"] is False
    assert engine.image(name) is not None


def test_plan_lock_and_dockerfile_need_no_engine(imagekit: Imagekit, root: Path, base: str) -> None:
    words = (root, "--base-image", base)
    plan = imagekit.json("plan", *words, env=NO_ENGINE)
    assert [layer["kind"] for layer in plan["layers"]][-1] == "source"
    assert imagekit.json("lock", *words, env=NO_ENGINE)["written"] is True
    # BuildKit would look for the layout's name in a registry, and take whatever has it there.
    found = imagekit.refused("dockerfile", *words, env=NO_ENGINE)
    assert (found["exit_code"], "OCI layout" in found["message"]) == (2, True)


def test_what_is_built_from_source_is_built_in_it(imagekit: Imagekit, project: WriteProject, base: str) -> None:
    root = project(
        {
            "pyproject.toml": '[project]\nname = "whole"\ndynamic = ["version"]\n[build-system]\nrequires = []\n'
            'build-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": WHOLE,
            "whole.py": f"MARK = {secrets.token_hex(8)!r}\n",
        }
    )
    made = imagekit.json("build", root, "--base-image", base, "-o", f"oci:{root.parent / 'out'}", "--name", "whole")
    (image,) = made["images"]
    assert "whole==1.0" in [pin for layer in image["layers"] for pin in layer["packages"]]


@pytest.mark.soak
def test_why_compares_with_what_the_engine_has(imagekit: Imagekit, root: Path, base: str) -> None:
    words: tuple[Any, ...] = (root, "--name", imagekit.name(), "--base-image", base)
    imagekit.json("build", *words)
    assert imagekit.json("why", *words)["up_to_date"] is True
    (root / "flow.py").write_text(own_flow())
    assert [layer["title"] for layer in imagekit.json("why", *words)["made"]] == ["source"]
