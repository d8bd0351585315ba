"""``EXTRA_PIP_PACKAGES`` as people use it: with a run, in an image's environment, and made a part of the project."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from .conftest import Imagekit, WriteProject
from .wheels import write_wheel

FLOW = """
def etl():
    import os, plug
    return [plug.VERSION, os.getuid() != 0]
"""


@pytest.fixture
def extra_project(project: WriteProject, tmp_path: Path) -> Path:
    """A project whose index has ``plug``, which it does not ask for."""
    mark = secrets.token_hex(8)
    write_wheel(tmp_path / "offered", "plug", "1.0", {"plug.py": f"VERSION = '1.0'\nMARK = {mark!r}\n"})
    lines = f"--no-index\n--find-links {tmp_path / 'offered'}\n"
    return project({"flow.py": f"{FLOW}\n# {mark}\n", "requirements.txt": lines})


def run(imagekit: Imagekit, root: Path, *words: str, env: dict[str, str] | None = None) -> Any:
    done = imagekit("run", "flow.py:etl", "--project", root, "--json", *words, env=env)
    found = json.loads(done.stdout)
    assert "state" in found, done.stderr
    return found


def test_added_to_a_run_and_then_to_the_project(
    imagekit: Imagekit, engine: Engine, extra_project: Path, tmp_path: Path
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    asked = ("--env", "EXTRA_PIP_PACKAGES=plug>=1,<2; python_version > '3'")
    found = run(imagekit, extra_project, *asked, env=state)
    assert (found["state"], found["result"]) == ("completed", ["1.0", True])
    extras = found["extras"]
    try:
        assert extras["requirements"] == ['plug<2,>=1; python_version > "3"']
        assert extras["packages"] == ["plug==1.0"]
        assert found["image"] == engine.image(extras["image"]).id  # type: ignore[union-attr]
        again = run(imagekit, extra_project, *asked, env=state)
        assert (again["image"], again["extras"]) == (found["image"], extras)
        # A run without it has none of it.
        assert run(imagekit, extra_project, env=state)["error"]["type"].endswith("ModuleNotFoundError")
        promoted = imagekit.json("promote", found["name"], "--write", "--pin", "--project", extra_project, env=state)
        assert promoted["requirements"] == ['plug==1.0; python_version > "3"']
        assert promoted["written"]["added"] == promoted["requirements"]
        assert run(imagekit, extra_project, env=state)["result"] == ["1.0", True]
        # Now the image has it: nothing is derived.
        more = run(imagekit, extra_project, *asked, env=state)
        assert (more["extras"]["packages"], more["extras"]["lock_digest"]) == ([], None)
    finally:
        engine.remove_image(extras["image"], force=True)


def test_the_images_own_variable_counts_and_is_taken_away(
    imagekit: Imagekit, engine: Engine, extra_project: Path
) -> None:
    (extra_project / "imagekit.toml").write_text('env = { EXTRA_PIP_PACKAGES = "plug" }\n')
    found = run(imagekit, extra_project)
    try:
        assert found["result"] == ["1.0", True]
        assert found["extras"]["packages"] == ["plug==1.0"]
    finally:
        engine.remove_image(found["extras"]["image"], force=True)
    assert run(imagekit, extra_project, "--env", "EXTRA_PIP_PACKAGES=")["extras"] is None


@pytest.mark.parametrize("words", [(), ("--image", "x:1")])
def test_what_is_no_requirement_is_refused_before_anything_is_asked(
    imagekit: Imagekit, extra_project: Path, words: tuple[str, ...]
) -> None:
    dead = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
    for text in ("a;id", "$(id)", "*", "--index-url=https://u:canary@example.com", "-r /etc/passwd"):
        variable = f"EXTRA_PIP_PACKAGES={text}"
        found = imagekit.refused("run", "flow.py:etl", "--project", extra_project, "--env", variable, *words, env=dead)
        assert found["exit_code"] == 2
        assert found["message"].startswith("EXTRA_PIP_PACKAGES")
        assert "canary" not in json.dumps(found)
