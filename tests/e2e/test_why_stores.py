"""``imagekit why`` on an engine of each image store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from ..own_engine import OwnEngine
from .conftest import Imagekit, WriteProject

pytestmark = pytest.mark.xdist_group("own_engine")


@pytest.mark.parametrize("containerd_store", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_what_is_sent_is_what_was_foretold(
    imagekit: Imagekit,
    engine: Engine,
    own_engine: Callable[..., OwnEngine],
    project: WriteProject,
    no_index: str,
    python_image: str,
    containerd_store: bool,
) -> None:
    ours = own_engine(containerd_store=containerd_store)
    with ours.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    env, name = {"IMAGEKIT_ENGINE": ours.address}, imagekit.name()
    text = f"{no_index}alpha==1.0\nbeta==1.0\n"
    root: Path = project({"requirements.txt": text, "flow.py": "def etl():\n    return 1\n", ".dockerignore": "*.txt"})

    def why() -> Any:
        return imagekit.json("why", root, "--name", name, "--base-image", python_image, env=env)

    def build() -> int:
        return int(imagekit.json("build", root, "--name", name, "--base-image", python_image, env=env)["sent"])

    assert why()["since"] is None
    build()
    same = why()
    assert (same["up_to_date"], same["load"]["bytes"]) == (True, 0)
    # Another tag, so that the one before is the one that was tagged last.
    (root / "requirements.txt").write_text(text.replace("alpha==1.0", "alpha==1.1"))
    imagekit.json("build", root, "--name", name, "--base-image", python_image, "--no-health-check", env=env)
    (root / "flow.py").write_text(f"def etl():\n    return {name!r}\n")
    found = why()
    assert [change["name"] for change in found["inputs"]] == ["source"]
    assert [layer["title"] for layer in found["made"]] == ["source"]
    assert found["load"]["is_measured"] is False
    assert abs(build() - found["load"]["bytes"]) < 4096
    # Back to the first version: its layer is in the cache and, on the containerd store, in the engine.
    (root / "requirements.txt").write_text(text)
    found = why()
    assert [layer["cached"] for layer in found["made"]] == [True]
    assert found["unpacked"]
    assert build() == found["load"]["bytes"]
