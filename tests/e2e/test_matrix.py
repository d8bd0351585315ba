"""Matrices of base images on a real engine: what can be had is built, named, run; bake files build; bases drift."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.export.layout_read import find_image
from imagekit.oci.platform import Platform

from ..conftest import BuildImage
from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside
from .wheels import write_wheel

MATRIX = """
name = "{name}"
python = ["3.11"]
[framework]
package = "{package}"
versions = {versions}
[[category]]
name = "core"
requirements = ["{{framework}}"]
check = "import {package}; assert {package}.VERSION == '{{version}}'"
[[tag]]
name = "{{version}}"
[[tag]]
name = "latest"
newest = "all"
"""


class Family:
    """A framework that no other test has, in some versions, and a matrix of it."""

    def __init__(self, imagekit: Imagekit, root: Path) -> None:
        self.package = f"frame{secrets.token_hex(4)}"
        self.name = imagekit.name("matrix")
        self.offered = root / "offered"
        self.file = root / "matrix.toml"
        self.env = {"IMAGEKIT_FIND_LINKS": str(self.offered), "IMAGEKIT_NO_INDEX": "true"}

    def release(self, version: str, *, module: str | None = None, requires: tuple[str, ...] = ()) -> None:
        text = f"VERSION = {version!r}\n" if module is None else module
        write_wheel(self.offered, self.package, version, {f"{self.package}.py": text}, requires=requires)

    def declare(self, *versions: str, more: str = "") -> Path:
        text = MATRIX.format(name=self.name, package=self.package, versions=json.dumps(versions))
        self.file.write_text(text + more)
        return self.file


@pytest.fixture
def family(imagekit: Imagekit, tmp_path: Path, python_image: str) -> Family:
    return Family(imagekit, tmp_path)


def states(result: Mapping[str, Any]) -> dict[str, tuple[str, list[str]]]:
    return {cell["version"]: (cell["state"], cell["tags"]) for cell in result["cells"]}


def build(imagekit: Imagekit, family: Family, *words: str, code: int = 0) -> Any:
    done = imagekit("matrix", "build", family.file, *words, "--json", env=family.env)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_what_can_be_had_is_built_and_one_that_fails_stops_no_other(
    imagekit: Imagekit, family: Family, engine: Engine, inside: Inside
) -> None:
    for version in ("1.0", "1.1"):
        family.release(version)
    family.release("1.2", module="raise RuntimeError('not today')\n")
    family.release("2.0", requires=("there-is-no-such-thing",))
    family.declare("1.0", "1.1", "1.2", "2.0")
    found = build(imagekit, family, code=5)
    assert states(found) == {
        "1.0": ("built", ["1.0"]),
        "1.1": ("built", ["1.1"]),
        "1.2": ("failed", ["1.2", "latest"]),
        "2.0": ("unsatisfiable", []),
    }
    cells = {cell["version"]: cell for cell in found["cells"]}
    assert "there-is-no-such-thing" in cells["2.0"]["reason"]
    assert cells["1.2"]["error"]["message"] == "the image fails its check: RuntimeError: not today"
    assert found["layer_bytes"] < found["image_bytes"]
    # What failed its check was not named.
    assert sorted(engine.tags(family.name)) == [f"{family.name}:1.0", f"{family.name}:1.1"]
    program = f"import {family.package}, sys; print({family.package}.VERSION, sys.version_info[:2])"
    assert inside(f"{family.name}:1.1", "python", "-c", program) == "1.1 (3, 11)\n"
    # Mended by a further release: a tag that moves goes to it; the others are as they were.
    family.release("1.3")
    family.declare("1.0", "1.1", "1.2", "1.3")
    again = build(imagekit, family, "--select", "1.[13]-*")
    assert states(again) == {"1.1": ("unchanged", ["1.1"]), "1.3": ("built", ["1.3", "latest"])}
    latest, newest = engine.image(f"{family.name}:latest"), engine.image(f"{family.name}:1.3")
    assert latest is not None
    assert newest is not None
    assert latest.id == newest.id
    assert newest.labels["imagekit.matrix.cell"] == "1.3-python3.11-core"


def test_a_plan_of_selected_cells_asks_for_whom_a_moving_tag_would_rather_be(
    imagekit: Imagekit, family: Family
) -> None:
    family.release("1.0")
    family.release("2.0", requires=("there-is-no-such-thing",))
    family.release("0.9")
    family.declare("0.9", "1.0", "2.0")
    done = imagekit("matrix", "plan", family.file, "-s", "1.0-*", "--json", "-v", env=family.env)
    assert done.returncode == 0, done.stderr
    assert states(json.loads(done.stdout)) == {"1.0": ("ready", ["1.0", "latest"])}
    # The newer one is asked about, and is not to be had; the older one is nobody's business.
    assert "2.0-python3.11-core: resolving" in done.stderr
    assert "0.9-python3.11-core" not in done.stderr


def test_a_bake_file_builds_what_the_matrix_builds(
    imagekit: Imagekit, family: Family, engine: Engine, inside: Inside, tmp_path: Path
) -> None:
    family.release("1.0")
    family.release("1.1")
    family.declare("1.0", "1.1")
    for _ in range(2):  # into its own directory again
        found = imagekit.json("matrix", "bake", family.file, "-o", tmp_path / "baked", env=family.env)
    assert [each["target"] for each in found["targets"]] == ["1_0-python3_11-core", "1_1-python3_11-core"]
    names = {"MATRIX_NAME": f"{family.name}-baked"}
    command = ["docker", "buildx", "bake", "--builder", "default", "--load"]
    environment = {**imagekit.env, **names, "DOCKER_HOST": engine.address}
    done = subprocess.run(command, cwd=tmp_path / "baked", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    planned = imagekit.json("matrix", "tags", family.file)["tags"]
    tags = sorted(f"{family.name}-baked:{tag}" for tags in planned.values() for tag in tags)
    assert sorted(engine.tags(f"{family.name}-baked")) == tags
    program = f"import {family.package}; print({family.package}.VERSION)"
    assert inside(f"{family.name}-baked:latest", "python", "-c", program) == "1.1\n"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    refused = imagekit.refused("matrix", "bake", family.file, "-o", tmp_path / "mine", env=family.env)
    assert "not imagekit's" in refused["message"]


def base_of_registry(registry: OwnRegistry, image: str) -> str:
    """Push ``image`` as the registry's base for 3.11: the repository, without a tag."""
    repository = f"{registry.name}/bases/{secrets.token_hex(4)}"
    put(repository, image)
    return repository


def put(repository: str, image: str) -> None:
    for words in (["tag", image, f"{repository}:3.11"], ["push", "--quiet", f"{repository}:3.11"]):
        subprocess.run(["docker", *words], check=True, capture_output=True)
    subprocess.run(["docker", "image", "rm", f"{repository}:3.11"], check=True, capture_output=True)


@pytest.mark.soak
def test_a_base_of_a_registry_is_pinned_and_its_drift_is_told(
    imagekit: Imagekit,
    family: Family,
    engine: Engine,
    python_image: str,
    build_image: BuildImage,
    shared_registry: OwnRegistry,
    inside: Inside,
    tmp_path: Path,
) -> None:
    old, new = (
        build_image(f"FROM {python_image}\nRUN echo {mark}-{secrets.token_hex(8)} > /etc/mark\n", {})
        for mark in ("old", "new")
    )
    repository = base_of_registry(shared_registry, old)
    family.release("1.0")
    declared = f'[base]\nsource = "registry"\nimage = "{repository}:{{python}}" # here\n'
    family.declare("1.0", more=declared)
    plan = imagekit.json("matrix", "plan", family.file, env=family.env)
    assert states(plan) == {"1.0": ("unavailable", [])}
    assert plan["cells"][0]["reason"].endswith(f"not pinned: {repository}:3.11 (imagekit matrix pin FILE)")
    pinned = imagekit.json("matrix", "pin", family.file)
    assert pinned["changed"]
    assert "# here" in family.file.read_text()
    assert not imagekit.json("matrix", "pin", family.file)["changed"]
    found = build(imagekit, family)
    assert found["drifted"] == []
    # The tag moves; what is pinned stays the base, and that it moved is told.
    put(repository, new)
    again = build(imagekit, family)
    assert states(again) == {"1.0": ("unchanged", ["1.0", "latest"])}
    (drift,) = again["drifted"]
    assert drift["pinned"] == pinned["digests"]["3.11"] != drift["now"]
    assert inside(f"{family.name}:latest", "cat", "/etc/mark").startswith("old-")
    shown = imagekit("matrix", "plan", family.file, env=family.env).stdout
    assert "has moved" in shown
    # With no engine at all, to a registry: the same base, by its digest.
    family.file.write_text(family.file.read_text().replace(family.name, f"{shared_registry.name}/{family.name}"))
    no_engine = {**family.env, "IMAGEKIT_ENGINE": f"unix://{tmp_path}/none.sock"}
    done = imagekit("matrix", "build", family.file, "--output", "registry", "--json", env=no_engine)
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)["cells"][0]
    assert written["state"] == "written"
    assert written["pushed"].keys() == {f"{shared_registry.name}/{family.name}:{tag}" for tag in ("1.0", "latest")}
    pushed = build(imagekit, family, "--push")["cells"][0]
    assert (pushed["state"], pushed["pushed"].keys()) == ("built", written["pushed"].keys())
    taken = imagekit.json("matrix", "pin", family.file)
    assert taken["digests"]["3.11"] == drift["now"]


def test_a_base_of_the_engine_alone(
    imagekit: Imagekit, family: Family, python_image: str, build_image: BuildImage, inside: Inside, tmp_path: Path
) -> None:
    base = build_image(f"FROM {python_image}\nRUN echo {secrets.token_hex(8)} > /etc/mark\n", {})
    family.release("1.0")
    family.declare("1.0", more=f'[base]\nsource = "local"\nimage = "{base}"\n')
    # Of other images: a cell's Python is its own.
    family.env["IMAGEKIT_PYTHON"] = "3.9"
    assert states(build(imagekit, family)) == {"1.0": ("built", ["1.0", "latest"])}
    assert inside(f"{family.name}:latest", "cat", "/etc/mark").strip()
    family.declare("1.0", more=f'[base]\nsource = "local"\nimage = "{base}-not"\n')
    found = build(imagekit, family, code=5)
    assert found["cells"][0]["reason"].startswith(f"the engine has no image {base}-not (docker pull ")
    # Nor is a bake file without it what was asked for.
    baked = imagekit("matrix", "bake", family.file, "-o", tmp_path / "baked", "--json", env=family.env)
    assert baked.returncode == 5
    (failed,) = json.loads(baked.stdout)["failed"]
    assert (failed["label"], failed["message"]) == ("1.0-python3.11-core", found["cells"][0]["reason"])


def test_an_image_in_a_layout_under_all_its_names(imagekit: Imagekit, family: Family, tmp_path: Path) -> None:
    family.release("1.0")
    family.declare("1.0", more='[[tag]]\nname = "stable"\n')
    found = build(imagekit, family, "--output", f"oci:{tmp_path / 'out'}")
    (cell,) = found["cells"]
    assert cell["state"] == "written"
    digests = {
        find_image(tmp_path / "out", f"{family.name}:{tag}", Platform.host()).digest
        for tag in ("1.0", "latest", "stable")
    }
    assert digests == set(cell["pushed"].values())


@pytest.mark.soak
def test_killed_in_the_middle_and_run_again_and_two_at_once(
    imagekit: Imagekit, family: Family, engine: Engine, tmp_path: Path
) -> None:
    versions = ("1.0", "1.1", "1.2")
    for version in versions:
        family.release(version)
    family.declare(*versions)
    first = imagekit.start("matrix", "build", family.file, "--jobs", "1", "-v", env=family.env)
    while not engine.tags(family.name):
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    both = [imagekit.start("matrix", "build", family.file, "--json", env=family.env) for _ in range(2)]
    for each in both:
        out, err = each.communicate()
        assert each.returncode == 0, err
        assert {state for state, _ in states(json.loads(out)).values()} <= {"built", "unchanged"}
    assert sorted(engine.tags(family.name)) == sorted(f"{family.name}:{tag}" for tag in (*versions, "latest"))
    assert states(build(imagekit, family)) == {
        "1.0": ("unchanged", ["1.0"]),
        "1.1": ("unchanged", ["1.1"]),
        "1.2": ("unchanged", ["1.2", "latest"]),
    }


def test_what_cannot_be_meant_reaches_nothing(refuse: Any, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        'name = "a/b"\npython = ["3.11"]\n[[category]]\nname = "core"\nrequirements = []\n[[tag]]\nname = "x"\n'
    )
    for words, expected in (
        (("--select", "python3.12-core"), "no cell of m.toml is called 'python3.12-core'"),
        (("--jobs", "0"), "0 images cannot be built at once"),
        (("--output", "oci-archive:x.tar"), "holds one image"),
        (("--platform", "linux/amd64,linux/arm64"), "engine takes one platform"),
        (("--output", "oci:x", "--push"), "is not pushed"),
    ):
        code, error, _ = refuse("matrix", "build", "m.toml", *words)
        assert code == 2
        assert expected in error["message"]
        assert error["hint"]
    code, error, _ = refuse("matrix", "build", "prefct")
    assert (code, error["hint"]) == (2, "did you mean 'prefect'?")


@pytest.mark.soak
def test_an_index_of_two_platforms(imagekit: Imagekit, family: Family, tmp_path: Path) -> None:
    """Debian's bases for both are made, once; nothing is emulated, and the engine is told nothing."""
    family.release("1.0")
    family.declare("1.0")
    text = family.file.read_text().replace("[framework]", 'platform = ["linux/amd64", "linux/arm64"]\n[framework]', 1)
    family.file.write_text(text)
    env = {**family.env, "IMAGEKIT_ENGINE": f"unix://{tmp_path}/none.sock"}
    words = ("matrix", "build", family.file, "--output", f"oci:{tmp_path / 'out'}")
    first = imagekit.json(*words, env=env)
    again = imagekit.json(*words, env=env)
    assert first["cells"][0]["pushed"] == again["cells"][0]["pushed"]
    for platform in ("linux/amd64", "linux/arm64"):
        image = find_image(tmp_path / "out", f"{family.name}:latest", Platform.parse(platform))
        assert str(image.config.platform) == platform
        assert {image.index_digest} == set(first["cells"][0]["pushed"].values())
