"""The jobs that docs/how-to/ci.md gives are YAML, and what they have imagekit do goes well where there is no engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagekit.engine.client import Engine
from tests.own_registry import PASSWORD, USER, OwnRegistry, with_password

from .blocks import Block, blocks
from .reader import Reader
from .worlds import PROJECT

PAGE = "docs/how-to/ci.md"
COMMIT = "5f3c1de"
# The one line that needs imagekit on an index; tests/test_wheel.py installs it.
INSTALL = "pip install imagekit"


def document(name: str) -> Any:
    [text] = [block.text for block in blocks(PAGE) if block.file == name]
    return yaml.safe_load(text)


def github() -> list[str]:
    [job] = document(".github/workflows/image.yml")["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def gitlab() -> list[str]:
    [job] = document(".gitlab-ci.yml").values()
    return ["\n".join([*job["before_script"], *job["script"]])]


def expressions(text: str, values: dict[str, str]) -> str:
    """``${{ … }}``, as GitHub puts values in its place."""
    return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda match: values[match[1]], text)


@pytest.fixture
def registry(start_registry: Callable[..., OwnRegistry], engine: Engine, python_image: str, tmp_path: Path) -> str:
    """A registry that wants a login, with a base in it."""
    name = start_registry(auth=with_password(tmp_path / "auth")).name
    archive = tmp_path / "base.tar"
    with archive.open("wb") as file:
        file.writelines(engine.save(python_image))
    words = ["--dest-tls-verify=false", f"--dest-creds={USER}:{PASSWORD}"]
    copied = f"docker://{name}/team/python:3.11"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", *words]
    subprocess.run([*copy, f"docker-archive:{archive}", copied], check=True)
    archive.unlink()
    return name


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_job_builds_and_pushes(kind: str, registry: str, tmp_path: Path) -> None:
    job = Reader(
        home=tmp_path / "home",
        directory=tmp_path / "checkout",
        variables={
            "IMAGEKIT_ENGINE": f"unix://{tmp_path}/no.sock",
            "REGISTRY": registry,
            "REGISTRY_USER": USER,
            "REGISTRY_PASSWORD": PASSWORD,
            "CI_REGISTRY": registry,
            "CI_REGISTRY_USER": USER,
            "CI_REGISTRY_PASSWORD": PASSWORD,
            "CI_COMMIT_SHA": COMMIT,
            "CI_PROJECT_DIR": str(tmp_path / "checkout"),
        },
    )

    def types(text: str) -> None:
        job.does(Block(page=PAGE, line=0, language="bash", text=text))

    for name, text in PROJECT.items():
        (job.directory / name).write_text(text)
    scripts = [expressions(text, {"github.sha": COMMIT}) for text in (github() if kind == "github" else gitlab())]
    commands = [text.replace(INSTALL, "") for text in scripts]
    assert scripts != commands
    assert "imagekit build" in commands[-1]
    # Whoever keeps the project has made the lock before.
    login = commands[-1].partition("imagekit build")[0] if kind == "gitlab" else commands[-2]
    types(login)
    types(f"imagekit lock --base-image {registry}/team/python:3.11")
    shutil.rmtree(job.home / ".docker")
    for text in commands:
        types(text)
    words = ["--tls-verify=false", f"--creds={USER}:{PASSWORD}"]
    reference = f"docker://{registry}/team/orders:{COMMIT}"
    looked = subprocess.run(["skopeo", "inspect", *words, reference], capture_output=True, text=True)
    assert looked.returncode == 0, looked.stderr


def test_what_stands_in_the_workflows() -> None:
    actions = document(".github/workflows/image.yml")
    [job] = actions["jobs"].values()
    assert all({"uses", "run"} & set(step) for step in job["steps"])
    # YAML 1.1 reads "on" as true, and GitHub does not.
    assert set(actions) == {"name", True, "permissions", "jobs"}
    assert set(document(".gitlab-ci.yml")) == {"image"}
    assert set(document(".gitlab-ci.yml")["image"]) == {
        *("image", "variables", "cache", "rules", "before_script", "script")
    }
