"""The jobs that docs/how-to/ci.md gives are what GitHub and GitLab take, and go well where there is no engine."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagekit.engine.client import Engine
from tests.own_registry import PASSWORD, USER, OwnRegistry, with_password

from .blocks import ROOT, blocks
from .worlds import PROJECT

PAGE = "docs/how-to/ci.md"
COMMIT = "5f3c1de"
FILES = {"github": ".github/workflows/image.yml", "gitlab": ".gitlab-ci.yml"}
# Where each has its base and its image; a job of GitLab's may write below its own project's name and nowhere else.
BASES = {"github": "team/python", "gitlab": "shop/tills/python"}
IMAGES = {"github": "team/orders", "gitlab": "shop/tills"}
# How a machine reaches package indexes; a job has nothing else of it.
_NETWORK = re.compile(r"(?i)\A((https?|all|no)_proxy|ssl_cert_(file|dir)|(pip|uv)_(cert|index_url|default_index))\Z")


def source(name: str) -> str:
    [text] = [block.text for block in blocks(PAGE) if block.file == name]
    return text


def document(name: str) -> Any:
    return yaml.safe_load(source(name))


@dataclass(kw_only=True)
class Step:
    """A script, and the variables that it alone has."""

    script: str
    variables: Mapping[str, str] = field(default_factory=dict)


def github(values: Mapping[str, str]) -> Iterator[Step]:
    """What GitHub starts, one shell for each, with ``${{ … }}`` as it puts values in its place."""

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda match: values[match[1]], text)

    [job] = document(FILES["github"])["jobs"].values()
    for step in job["steps"]:
        if "run" in step:
            variables = {**job.get("env", {}), **step.get("env", {})}
            yield Step(script=filled(step["run"]), variables={name: filled(value) for name, value in variables.items()})


def gitlab(checkout: Path) -> Step:
    """All of a job is one script to GitLab."""
    [job] = document(FILES["gitlab"]).values()
    variables = {
        name: value.replace("$CI_PROJECT_DIR", str(checkout)) for name, value in job.get("variables", {}).items()
    }
    return Step(script="\n".join(["set -eo pipefail", *job["before_script"], *job["script"]]), variables=variables)


@pytest.fixture
def registry(start_registry: Callable[..., OwnRegistry], tmp_path: Path) -> OwnRegistry:
    """A registry that wants a login."""
    return start_registry(auth=with_password(tmp_path / "auth"))


def put_base(engine: Engine, image: str, reference: str, archive: Path) -> None:
    """Once, by whoever keeps the project."""
    with archive.open("wb") as file:
        file.writelines(engine.save(image))
    words = ["--dest-tls-verify=false", f"--dest-creds={USER}:{PASSWORD}"]
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", *words]
    subprocess.run([*copy, f"docker-archive:{archive}", f"docker://{reference}"], check=True)
    archive.unlink()


@dataclass(kw_only=True)
class Runner:
    """A machine that carries out jobs: a Python, a home, a checkout, and a way to the network."""

    programs: Path
    home: Path
    checkout: Path

    def carries_out(self, step: Step) -> None:
        network = {name: value for name, value in os.environ.items() if _NETWORK.match(name)}
        env = {"PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        words = ["bash", "--noprofile", "--norc", "-e", "-c", step.script]
        told = subprocess.run(
            words,
            cwd=self.checkout,
            env={**network, **env, "DOCKER_HOST": f"unix://{self.home}/no.sock", **step.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert told.returncode == 0, f"{step.script}\n{told.stdout}"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    found = Runner(programs=tmp_path / "python" / "bin", home=tmp_path / "home", checkout=tmp_path / "checkout")
    subprocess.run([sys.executable, "-m", "venv", found.programs.parent], check=True)
    found.home.mkdir()
    found.checkout.mkdir()
    for name, text in PROJECT.items():
        (found.checkout / name).write_text(text)
    return found


@pytest.mark.soak
@pytest.mark.parametrize("kind", FILES)
def test_a_job_builds_and_pushes(
    kind: str, registry: OwnRegistry, runner: Runner, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    base = f"{registry.name}/{BASES[kind]}:3.11"
    put_base(engine, python_image, base, tmp_path / "base.tar")
    values = {
        "github.sha": COMMIT,
        "vars.REGISTRY": registry.name,
        "vars.IMAGEKIT": str(ROOT),
        "secrets.REGISTRY_USER": USER,
        "secrets.REGISTRY_PASSWORD": PASSWORD,
    }
    given = {
        "IMAGEKIT": str(ROOT),
        "CI_REGISTRY": registry.name,
        "CI_REGISTRY_IMAGE": f"{registry.name}/{IMAGES[kind]}",
        "CI_REGISTRY_USER": USER,
        "CI_REGISTRY_PASSWORD": PASSWORD,
        "CI_COMMIT_SHA": COMMIT,
        "CI_PROJECT_DIR": str(runner.checkout),
    }
    if kind == "github":
        steps = list(github(values))
    else:
        whole = gitlab(runner.checkout)
        steps = [Step(script=whole.script, variables={**given, **whole.variables})]
    assert "imagekit build" in steps[-1].script
    # Whoever keeps the project has made the lock before, and is logged in where that was.
    login = runner.home / ".docker" / "config.json"
    login.parent.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    login.write_text(json.dumps({"auths": {registry.name: {"auth": auth}}}))
    own = Path(sys.executable).with_name("imagekit")
    runner.carries_out(Step(script=f"{own} lock --base-image {base}"))
    shutil.rmtree(login.parent)
    for step in steps:
        runner.carries_out(step)
    words = ["--tls-verify=false", f"--creds={USER}:{PASSWORD}"]
    reference = f"docker://{registry.name}/{IMAGES[kind]}:{COMMIT}"
    looked = subprocess.run(["skopeo", "inspect", *words, reference], capture_output=True, text=True)
    assert looked.returncode == 0, looked.stderr
    held = registry.storage / "docker" / "registry" / "v2" / "repositories"
    written = {path.parent.relative_to(held).as_posix() for path in held.rglob("_manifests")}
    assert written == {BASES[kind], IMAGES[kind]}


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "schema"), [("github", "github-workflows"), ("gitlab", "gitlab-ci")])
def test_each_is_what_the_published_schema_says(kind: str, schema: str, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    file = tmp_path / Path(FILES[kind]).name

    def checked(text: str) -> subprocess.CompletedProcess[str]:
        file.write_text(text)
        words = [str(program), "--builtin-schema", f"vendor.{schema}", str(file)]
        return subprocess.run(words, capture_output=True, text=True)

    assert checked(source(FILES[kind])).returncode == 0, checked(source(FILES[kind])).stdout
    # One that it would not take is told.
    assert checked(source(FILES[kind]).replace("steps:", "step:").replace("script:", "scripts:")).returncode == 1


def test_what_stands_in_the_workflows() -> None:
    actions = document(FILES["github"])
    [job] = actions["jobs"].values()
    assert all({"uses", "run"} & set(step) for step in job["steps"])
    # YAML 1.1 reads "on" as true, and GitHub does not.
    assert set(actions) == {"name", True, "permissions", "jobs"}
    # "image" alone would be GitLab's keyword, and no job.
    assert set(document(FILES["gitlab"])) == {"build-image"}
    # pip needs git for the address of a repository, and the slim one has none.
    assert document(FILES["gitlab"])["build-image"]["image"] == "python:3.11"
