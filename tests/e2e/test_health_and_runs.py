"""The health check at the end of a build, and flows run in what was built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagekit import DockerImage, run
from imagekit.engine.client import Engine
from imagekit.errors import FlowFailed, InvalidParameters, ResultNotSerializable

from .conftest import Imagekit, WriteProject, snapshot

FLOW = """
import sys
from pathlib import Path

import alpha


def etl(n: int, where: str = "x") -> dict:
    print("counting", n)
    print("to stderr", file=sys.stderr)
    return {"n": n, "alpha": alpha.VERSION, "where": where, "cwd": str(Path.cwd())}


def failing(n: int = 0):
    raise ValueError("the shelf is empty")


def odd():
    return {"a": {1, 2}}
"""
DEAD = {"DOCKER_HOST": "unix:///nowhere/at-all.sock", "IMAGEKIT_ENGINE": ""}


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project({"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": FLOW})


def ours(engine: Engine, repository: str) -> list[str]:
    """Containers of the images whose name has ``repository`` in it."""
    return [c["Id"] for c in engine.api.containers(all=True) if repository in c["Image"]]


def test_an_import_that_nothing_provides(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    reference = f"{imagekit.name()}:v1"
    before = imagekit.json("build", root, "--tag", reference)["image_id"]
    (root / "flow.py").write_text("import shelf_count\n" + FLOW)
    (root / "imagekit.toml").write_text('entrypoints = ["flow.py:etl"]\n')
    error = imagekit.refused("build", root, "--tag", reference)
    assert (error["error"], error["exit_code"]) == ("CheckFailed", 6)
    assert "shelf_count" in error["message"]
    image = engine.image(reference)
    assert image is not None
    assert image.id == before
    built = imagekit.json("build", root, "--tag", reference, "--no-health-check")
    assert built["image_id"] != before
    assert ours(engine, reference.partition(":")[0]) == []


def test_a_run_builds_first(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    project = root.rename(root.with_name(imagekit.name()))
    before = snapshot(project)
    done = imagekit("run", "flow.py:etl", "-p", "n=3", "-p", "where=a b", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["state"], found["exit_code"]) == ("completed", 0)
    assert found["result"] == {"n": 3, "alpha": "1.0", "where": "a b", "cwd": "/app"}
    assert found["seconds"] > 0
    assert "counting 3\n" in done.stderr
    assert "to stderr\n" in done.stderr
    assert snapshot(project) == before
    image = engine.image(found["image"])
    assert image is not None
    assert found["reference"] in image.tags
    assert ours(engine, project.name) == []
    # The flow's own words go where a program's words go.
    plain = imagekit("run", "flow.py:etl", "-p", "n=3", cwd=project)
    assert plain.stdout == "counting 3\n"
    assert "completed in" in plain.stderr


def test_a_flow_that_fails(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    reference = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    done = imagekit("run", "flow.py:failing", "--image", reference, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["state"], found["error"]["type"]) == ("failed", "ValueError")
    assert "the shelf is empty" in found["error"]["message"]
    assert "in failing" in found["error"]["traceback"]
    assert "in failing" in done.stderr
    assert "error: ValueError: the shelf is empty" in done.stderr
    assert ours(engine, reference.partition(":")[0]) == []


def test_a_result_that_json_cannot_hold(imagekit: Imagekit, root: Path) -> None:
    reference = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    done = imagekit("run", "flow.py:odd", "--image", reference, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"]) == (1, "failed")
    assert (found["error"]["kind"], found["error"]["where"]) == ("result-not-serializable", "result['a']")


@pytest.mark.parametrize("parameter", ["m=1", "n", "n=1 -p n=2", "n=1e999", ""])
def test_bad_parameters_before_the_engine_is_asked(imagekit: Imagekit, root: Path, parameter: str) -> None:
    words = [word for text in filter(None, parameter.split(" -p ")) for word in ("-p", text)]
    done = imagekit("run", "flow.py:etl", *words, "--json", env=DEAD, cwd=root)
    found = json.loads(done.stdout)
    assert (done.returncode, found["error"]) == (2, "InvalidParameters")


def test_good_parameters_get_as_far_as_the_engine(imagekit: Imagekit, root: Path) -> None:
    assert imagekit("run", "flow.py:etl", "-p", "n=1", env=DEAD, cwd=root).returncode == 3


def test_by_the_library(library: Imagekit, root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (root / "settings.yml").write_text("floor: 2\n")
    image = DockerImage(
        library.name(),
        tag="v1",
        context=root,
        requirements="requirements.txt",
        packages=["beta>=1,<2"],
        env={"TZ": "Asia/Tokyo"},
        files={"settings.yml": "/etc/floor/settings.yml"},
    )
    result = image.build()
    assert image.reference.endswith(":v1")
    assert image.image_id == result.image_id
    assert {pin for layer in image.layers for pin in layer.packages} == {"alpha==1.0", "beta==1.1"}
    capfd.readouterr()
    ended = run("flow.py:etl", image=image, parameters={"n": 3})
    assert (ended.ok, ended.result["n"], ended.image) == (True, 3, image.image_id)
    out, err = capfd.readouterr()
    assert (out, err) == ("counting 3\n", "to stderr\n")
    with pytest.raises(FlowFailed, match="the shelf is empty") as failure:
        run("flow.py:failing", image=image)
    assert "in failing" in (failure.value.details or "")
    with pytest.raises(ResultNotSerializable):
        run("flow.py:odd", image=image)
    with pytest.raises(InvalidParameters):
        run("flow.py:etl", image=image)
    with pytest.raises(InvalidParameters):
        run("flow.py:etl", image=image, parameters={"n": {1}})
    assert run("flow.py:failing", image=image, raise_on_failure=False).state == "failed"


def test_environment_and_files(library: Imagekit, project: WriteProject) -> None:
    """Values come out byte for byte."""
    values = {"QUOTES": "\"'`", "DOLLAR": "$X ${X:-y} $(id)", "SLASH": "a\\", "HEREDOC": "<<EOF", "SPACES": "  a  "}
    flow = "import os\nfrom pathlib import Path\n\n\ndef env(names):\n    return {n: os.environ[n] for n in names}\n"
    flow += "\n\ndef read(path):\n    return [Path(path).read_text(), os.access(path, os.X_OK)]\n"
    root = project({"flow.py": flow, "a file.txt": "content\n"})
    image = DockerImage(
        library.name(),
        context=root,
        env=values,
        files={"a file.txt": "/etc/with space/a file.txt"},
        stream_progress_to=None,
    )
    assert run("flow.py:env", image=image, parameters={"names": list(values)}).result == values
    read = run("flow.py:read", image=image, parameters={"path": "/etc/with space/a file.txt"})
    assert read.result == ["content\n", False]
