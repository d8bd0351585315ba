"""``imagekit why`` and ``imagekit plan`` on a real engine: what they foretell is what the build then does."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from ..own_registry import OwnRegistry
from .conftest import Imagekit, WriteProject, own_flow, snapshot
from .wheels import write_wheel


def told(found: Any) -> list[tuple[str, str, str]]:
    return [(change["input"], change["name"], change["change"]) for change in found["inputs"]]


def made(found: Any) -> dict[str, str]:
    return {layer["title"]: layer["cause"] for layer in found["made"]}


def new_titles(before: Any, after: Any) -> list[str]:
    known = {layer["digest"] for layer in before["layers"]}
    return [layer["title"] for layer in after["layers"] if layer["digest"] not in known]


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    """A project of which the engine has no layer: the lowest one, with its working directory, is its own."""
    return project(
        {
            "requirements.txt": f"{no_index}alpha==1.0\nbeta==1.0\n",
            "flow.py": own_flow(),
            ".dockerignore": "*.txt",
            "imagekit.toml": f'workdir = "/srv/{secrets.token_hex(8)}"\n',
        }
    )


def test_first_then_nothing_then_each_change(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    name = imagekit.name()
    first = imagekit.json("why", root, "--name", name)
    assert (first["since"], first["up_to_date"], first["push"]["known"]) == (None, False, "nothing")
    built = imagekit.json("build", root, "--name", name)
    assert [layer["title"] for layer in first["made"]] == [layer["title"] for layer in built["layers"]]
    assert first["load"]["layers"] == len(built["layers"])

    same = imagekit.json("why", root, "--name", name)
    assert same["up_to_date"] is True
    assert same["since"] == {"reference": built["reference"], "image_id": built["image_id"]}
    assert (same["load"]["bytes"], same["push"]["bytes"], same["made"]) == (0, 0, [])

    # A pin: found by the name alone, as the tag says what goes in.
    text = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(text.replace("alpha==1.0", "alpha==1.1"))
    pin = imagekit.json("why", root, "--name", name)
    assert pin["since"]["reference"] == built["reference"] != pin["reference"]
    assert told(pin) == [("requirements", "requirements.txt", "changed"), ("lock", "alpha", "changed")]
    assert (pin["inputs"][1]["before"], pin["inputs"][1]["after"]) == ("1.0", "1.1")
    assert made(pin) == {"alpha==1.1": "package"}
    after = imagekit.json("build", root, "--name", name)
    assert new_titles(built, after) == ["alpha==1.1"]
    assert len(pin["made"]) + len(pin["unpacked"]) == pin["load"]["layers"]

    # A file, with its name; what is loaded is what was said.
    (root / "flow.py").write_text(own_flow())
    (root / "more.py").write_text("")
    source = imagekit.json("why", root, "--name", name)
    assert told(source) == [("source", "source", "changed")]
    assert source["source"] == {"added": ["more.py"], "changed": ["flow.py"], "removed": []}
    assert (made(source), source["unpacked"]) == ({"source": "source"}, [])
    rebuilt = imagekit.json("build", root, "--name", name)
    assert new_titles(after, rebuilt) == ["source"]

    # A variable: no layer at all.
    env = imagekit.json("why", root, "--name", name, "--env", "TOKEN=s3cret")
    assert told(env) == [("env", "TOKEN", "added")]
    assert (env["made"], env["unpacked"], env["load"]["bytes"], env["up_to_date"]) == ([], [], 0, False)
    assert "s3cret" not in json.dumps(env)

    # An older image, by its name.
    since = imagekit.json("why", root, "--name", name, "--since", built["reference"])
    assert set(made(since)) == {"alpha==1.1", "source"}


def test_another_base(imagekit: Imagekit, engine: Engine, root: Path, python_image: str, build_image: Any) -> None:
    reference = f"{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference, "--base-image", python_image)
    other = build_image(f"FROM {python_image}\nENV LANGUAGE=en\nRUN echo 1 > /etc/other\n", {})
    found = imagekit.json("why", root, "--tag", reference, "--base-image", other)
    assert [change[:2] for change in told(found)] == [("base", other), ("env", "LANGUAGE")]
    assert found["made"] == []
    assert len(found["unpacked"]) == found["layers"]
    built = imagekit.json("build", root, "--tag", reference, "--base-image", other)
    assert all(layer["cached"] for layer in built["layers"])
    assert imagekit.json("why", root, "--tag", reference, "--base-image", other)["up_to_date"] is True


BACKEND = """
import zipfile

def build_wheel(directory, settings=None, metadata=None):
    from whole import V
    name = f"whole-{V}-py3-none-any.whl"
    info = f"whole-{V}.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.writestr("whole.py", open("whole.py").read())
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\\nName: whole\\nVersion: {V}\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
WHOLE = """
[project]
name = "whole"
dynamic = ["version"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def test_a_project_that_is_built_is_not_built_for_it(imagekit: Imagekit, project: WriteProject) -> None:
    root = project(
        {"pyproject.toml": WHOLE, "backend.py": BACKEND, "whole.py": f"V = '1.0'\n# {secrets.token_hex(8)}\n"}
    )
    reference = f"{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    assert imagekit.json("why", root, "--tag", reference)["up_to_date"] is True
    built = Path(imagekit.env["IMAGEKIT_CACHE_DIR"]) / "built"
    before = sorted(built.iterdir())
    (root / "whole.py").write_text("V = '1.1'\n")
    found = imagekit.json("why", root, "--tag", reference)
    assert told(found) == [("lock", "whole", "changed"), ("source", "source", "changed")]
    assert made(found) == {"whole==?": "package", "source": "source"}
    assert sorted(built.iterdir()) == before


def test_it_changes_nothing(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    reference = f"{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    image, tags = engine.image(reference), engine.tags(reference.partition(":")[0])
    cache, files = Path(imagekit.env["IMAGEKIT_CACHE_DIR"]) / "layers", snapshot(root)
    (root / "flow.py").write_text(own_flow())
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    assert imagekit.json("why", root, "--tag", reference)["up_to_date"] is False
    imagekit.json("plan", root)
    assert {path: path.stat().st_mtime_ns for path in kept if path.exists()} == kept
    assert (engine.image(reference), engine.tags(reference.partition(":")[0])) == (image, tags)
    assert snapshot(root).keys() == files.keys()


def test_what_there_is_to_compare_with(imagekit: Imagekit, root: Path, python_image: str) -> None:
    missing = imagekit.refused("why", root, "--since", imagekit.name("missing"))
    assert "is not in the engine" in missing["message"]
    foreign = imagekit.refused("why", root, "--since", python_image)
    assert "was not assembled by imagekit" in foreign["message"]


def test_a_cache_that_lost_a_layer(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    """Nothing is to be made for an image that is there; and which files changed cannot be told."""
    reference = f"{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    env = {"IMAGEKIT_CACHE_DIR": str(tmp_path / "empty")}
    assert imagekit.json("why", root, "--tag", reference, env=env)["up_to_date"] is True
    (root / "flow.py").write_text(own_flow())
    found = imagekit.json("why", root, "--tag", reference, env=env)
    assert (told(found), found["source"]) == ([("source", "source", "changed")], None)
    assert "alpha==1.0" in found["uncached"]


def test_what_a_registry_has(imagekit: Imagekit, engine: Engine, root: Path, tmp_path: Path) -> None:
    registry = OwnRegistry(tmp_path / "registry")
    try:
        name = f"{registry.name}/{imagekit.name()}"
        first = imagekit.json("why", root, "--tag", f"{name}:v1")
        assert (first["push"]["known"], first["push"]["to"]) == ("asked", name)
        assert first["push"]["layers"] > first["layers"]  # the base, too
        imagekit.json("build", root, "--tag", f"{name}:v1", "--push")
        pushed = imagekit.json("why", root, "--tag", f"{name}:v1")["push"]
        assert (pushed["known"], pushed["layers"], pushed["bytes"]) == ("asked", 0, 0)

        # The engine unpacks more again than the registry is sent.
        text = (root / "requirements.txt").read_text()
        (root / "requirements.txt").write_text(text.replace("alpha==1.0", "alpha==1.1"))
        found = imagekit.json("why", root, "--tag", f"{name}:v2")
        assert (found["since"]["reference"], found["push"]["known"]) == (f"{name}:v1", "asked")
        assert (found["push"]["layers"], found["load"]["layers"] > 1) == (1, True)

        # An image that only the registry has.
        assert engine.remove_image(f"{name}:v1", force=True)
        there = imagekit.json("why", root, "--tag", f"{name}:v2", "--since", f"{name}:v1")
        assert (there["inputs"], made(there)) == (found["inputs"], {"alpha==1.1": "package"})
        missing = imagekit.refused("why", root, "--since", f"{name}:v9")
        assert f"neither in the engine nor in {registry.name}" in missing["message"]
    finally:
        registry.close()
    # Nothing answers any more: nothing is known, and said so.
    silent = imagekit.json("why", root, "--tag", f"{name}:v2")
    assert silent["push"]["known"] == "nothing"


def test_in_words(imagekit: Imagekit, root: Path) -> None:
    reference = f"{imagekit.name()}:v1"
    first = imagekit("why", root, "--tag", reference).stdout
    assert "the first build" in first
    assert "--since REF names another" in first
    imagekit.json("build", root, "--tag", reference)
    same = imagekit("why", root, "--tag", reference)
    assert (same.returncode, same.stdout) == (0, f"{reference} is as it was built: nothing to rebuild\n")
    text = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(text.replace("alpha==1.0", "alpha==2.0"))
    words = imagekit("why", root, "--tag", reference).stdout
    assert "alpha==1.0 → alpha==2.0" in words
    assert "1 of 4 are other ones" in words
    assert "unpacked again in the engine, not made again" in words
    only_env = imagekit("why", root, "--tag", reference, "--since", reference, "--env", "A=1").stdout
    assert "A added" in only_env


def test_the_record_is_the_same_in_any_directory(
    imagekit: Imagekit, engine: Engine, root: Path, tmp_path: Path
) -> None:
    image = engine.image(imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")["reference"])
    assert image is not None
    label = image.labels["imagekit.inputs"]
    assert str(tmp_path) not in label
    assert json.loads(label)["requirements"] == {"requirements.txt": ["alpha==1.0", "beta==1.0"]}


def test_a_plan_explains_itself(imagekit: Imagekit, project: WriteProject, tmp_path: Path) -> None:
    wheels = tmp_path / "many"
    for n in range(130):
        write_wheel(wheels, f"many{n}", "1.0", {f"many{n}.py": "X = 1\n"})
    lines = "".join(f"many{n}\n" for n in range(130))
    root = project({"requirements.txt": f"--no-index\n--find-links {wheels}\n{lines}"}, "many-project")
    document = imagekit.json("plan", root)
    counts = document["strategy"]
    layers = [layer for layer in document["layers"] if layer["kind"] == "wheels"]
    assert counts["wheels"] == 130 == counts["alone"] + counts["sharing"]
    assert counts["layers"] == len(layers) <= counts["budget"]
    assert counts["alone"] == sum(layer["zone"] == "own" for layer in layers)
    assert all(len(layer["packages"]) == 1 for layer in layers if layer["zone"] == "own")
    assert {layer["height"] for layer in layers} == {"direct"}
    assert not any(layer["cached"] for layer in layers)
    summary = f"130 wheels in {len(layers)} layers (budget {counts['budget']}): {counts['alone']} alone"
    words = imagekit("plan", root).stdout
    assert summary in words
    assert "shared, light; direct" in words
