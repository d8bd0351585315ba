"""A matrix of base images, built: what cannot be had is told before, one that fails stops no other."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import InputError
from imagekit.matrix.base_image_matrix import BaseImageMatrix

from .conftest import Imagekit
from .wheels import write_wheel

MATRIX = """
name = "{name}"
python = ["3.11"]
[framework]
package = "alpha"
versions = ["1.0", "1.1", "9.9"]
[[category]]
name = "core"
requirements = ["{{framework}}"]
[[category]]
name = "full"
requirements = ["{{framework}}", "beta"]
[[exclude]]
versions = ["==1.0"]
category = ["full"]
[[tag]]
name = "{{category}}-{{version}}"
[[tag]]
name = "latest"
category = "full"
newest = "all"
"""


@pytest.fixture
def matrix(imagekit: Imagekit, wheels: Path, tmp_path: Path) -> Path:
    path = tmp_path / "alpha.toml"
    path.write_text(MATRIX.format(name=imagekit.name()))
    imagekit.env |= {"PIP_FIND_LINKS": str(wheels), "PIP_NO_INDEX": "1"}
    return path


def states(result: Any) -> dict[str, str]:
    return {cell["label"]: cell["state"] for cell in result["cells"]}


def test_built_and_built_again(imagekit: Imagekit, engine: Engine, matrix: Path) -> None:
    planned = imagekit.json("matrix", "plan", matrix)
    assert states(planned) == {
        "1.0-python3.11-core": "ready",
        "1.1-python3.11-core": "ready",
        "1.1-python3.11-full": "ready",
        "9.9-python3.11-core": "unsatisfiable",
        "9.9-python3.11-full": "unsatisfiable",
    }
    assert "alpha==9.9" in planned["cells"][-1]["reason"]
    assert [cell["label"] for cell in planned["excluded"]] == ["1.0-python3.11-full"]
    built = imagekit.json("matrix", "build", matrix)
    assert list(states(built).values()) == ["built", "built", "built", "unsatisfiable", "unsatisfiable"]
    # 9.9 is no release: what moves is of the newest that can be had.
    full = next(cell for cell in built["cells"] if cell["label"] == "1.1-python3.11-full")
    assert full["tags"] == ["full-1.1", "latest"]
    images = {tag: engine.image(f"{built['name']}:{tag}") for tag in full["tags"]}
    assert {image.id for image in images.values() if image} == {full["result"]["image_id"]}
    # The wheel that cells share is one layer.
    core = next(cell for cell in built["cells"] if cell["label"] == "1.1-python3.11-core")
    digests = [{layer["digest"] for layer in cell["result"]["layers"]} for cell in (core, full)]
    assert digests[0] & digests[1]
    again = imagekit.json("matrix", "build", matrix, "--select", "1.1-*")
    assert states(again) == {"1.1-python3.11-core": "unchanged", "1.1-python3.11-full": "unchanged"}


def test_one_that_fails_stops_no_other(imagekit: Imagekit, matrix: Path, wheels: Path, tmp_path: Path) -> None:
    name = f"hostile{secrets.token_hex(4)}"
    hostile = write_wheel(tmp_path / "hostile", name, "1.0", {"../../../outside.py": ""}).parent
    imagekit.env["PIP_FIND_LINKS"] = f"{wheels} {hostile}"
    matrix.write_text(matrix.read_text().replace('"{framework}", "beta"', f'"{{framework}}", "{name}"'))
    done = imagekit("matrix", "build", matrix, "--select", "1.*", "--json")
    result = json.loads(done.stdout)
    assert (done.returncode, "Traceback" in done.stderr) == (5, False), states(result)
    assert states(result) == {
        "1.0-python3.11-core": "built",
        "1.1-python3.11-core": "built",
        "1.1-python3.11-full": "failed",
    }
    assert name in result["cells"][-1]["error"]["message"]


def test_no_cell_is_called_so(imagekit: Imagekit, matrix: Path) -> None:
    refused = imagekit.refused("matrix", "plan", matrix, "--select", "2.0-*", env={"DOCKER_HOST": "unix:///nowhere"})
    assert "no cell is called 2.0-*" in refused["message"]
    missing = imagekit.refused("matrix", "ls", f"none-{secrets.token_hex(2)}")
    assert "no matrix is called" in missing["message"]


def test_from_python(matrix: Path) -> None:
    found = BaseImageMatrix.load(matrix)
    assert found.cells()[0].label == "1.0-python3.11-core"
    with pytest.raises(InputError, match="0 images cannot be built"):
        found.plan(jobs=0)
