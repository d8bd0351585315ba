"""A pushed image pulls and runs. The registry is Debian's package, in an image made here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagekit import DockerImage, run
from imagekit.engine.client import Engine
from imagekit.oci.digest import is_digest

from .conftest import Imagekit, Inside, WriteProject

DOCKERFILE = """
FROM {base}
RUN apt-get update && apt-get install --yes --no-install-recommends docker-registry apache2-utils \
    && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /auth && htpasswd -Bbc /auth/htpasswd floor canary-2718
CMD ["docker-registry", "serve", "/etc/docker/registry/config.yml"]
"""
PASSWORD = {
    "REGISTRY_AUTH": "htpasswd",
    "REGISTRY_AUTH_HTPASSWD_REALM": "tests",
    "REGISTRY_AUTH_HTPASSWD_PATH": "/auth/htpasswd",
}
Registry = Callable[[bool], str]


@pytest.fixture(scope="session")
def registry_image(engine: Engine, python_image: str, session_prefix: str) -> str:
    # A name for each session: they may run at the same time.
    reference = f"{session_prefix}-registry:1"
    subprocess.run(
        ["docker", "--host", engine.address, "buildx", "build", "--load", "--tag", reference, "-"],
        input=DOCKERFILE.format(base=python_image),
        text=True,
        check=True,
    )
    # Removed with all that has the prefix; its layers stay in BuildKit's cache.
    return reference


@pytest.fixture(scope="module")
def registry(registry_image: str, engine: Engine) -> Iterator[Registry]:
    """``registry(with_password)``: ``localhost:PORT`` of one that is running."""
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    started: dict[bool, DockerContainer] = {}

    def start(with_password: bool) -> str:
        if with_password not in started:
            container = DockerContainer(registry_image).with_exposed_ports(5000)
            config = "/etc/docker/registry/config.yml"
            script = f"sed -i '/^auth:/,$d' {config}; exec docker-registry serve {config}"
            container = container.with_command(["sh", "-c", script])
            for name, value in (PASSWORD if with_password else {}).items():
                container = container.with_env(name, value)
            container.waiting_for(LogMessageWaitStrategy("listening on"))
            started[with_password] = container.start()
        return f"localhost:{started[with_password].get_exposed_port(5000)}"

    yield start
    for container in started.values():
        container.stop()


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    return project(
        {"requirements.txt": f"{no_index}alpha==1.0\n", "flow.py": "import alpha\n\n\ndef etl(n):\n    return n * 2\n"}
    )


def test_a_pushed_image_pulls_and_runs(
    imagekit: Imagekit, inside: Inside, engine: Engine, registry: Registry, root: Path
) -> None:
    reference = f"{registry(False)}/{imagekit.name()}:v1"
    built = imagekit.json("build", root, "--tag", reference)
    pushed = imagekit.json("push", reference)
    assert pushed["reference"] == reference
    assert is_digest(pushed["digest"])
    assert imagekit.json("push", reference)["digest"] == pushed["digest"]

    engine.remove_image(reference, force=True)
    assert engine.image(built["image_id"]) is None
    by_digest = f"{reference.rpartition(':')[0]}@{pushed['digest']}"
    for name in (reference, by_digest):
        subprocess.run(["docker", "--host", engine.address, "pull", "--quiet", "--", name], check=True)
    found = engine.image(reference)
    assert found is not None
    assert found.id == built["image_id"]
    assert inside(reference, "python", "-c", "import alpha; print(alpha.VERSION)").strip() == "1.0"
    assert imagekit.json("run", "flow.py:etl", "--image", reference, "-p", "n=4")["result"] == 8
    assert imagekit.json("inspect", reference)["digest"] == pushed["digest"]
    engine.remove_image(by_digest, force=True)


def test_build_and_push_in_one_go(imagekit: Imagekit, registry: Registry, root: Path) -> None:
    reference = f"{registry(False)}/{imagekit.name()}:v2"
    built = imagekit.json("build", root, "--tag", reference, "--push")
    assert built["push"]["digest"] == imagekit.json("push", reference)["digest"]


def test_by_the_library(library: Imagekit, registry: Registry, root: Path) -> None:
    image = DockerImage(f"{registry(False)}/{library.name()}", tag="v1", context=root, stream_progress_to=None)
    image.build()
    before = image.digest
    digest = image.push()
    assert is_digest(digest)
    assert image.digest == digest != before
    assert run("flow.py:etl", image=image, parameters={"n": 1}).result == 2


def test_a_registry_that_asks_for_a_password(imagekit: Imagekit, registry: Registry, root: Path) -> None:
    host = registry(True)
    reference = f"{host}/{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    error = imagekit.refused("push", reference)
    assert (error["error"], error["exit_code"]) == ("AuthError", 7)
    assert error["hint"] == f"docker login {host}"


def test_a_registry_that_is_not_there(imagekit: Imagekit, root: Path) -> None:
    reference = f"localhost:1/{imagekit.name()}:v1"
    imagekit.json("build", root, "--tag", reference)
    error = imagekit.refused("push", reference)
    assert (error["error"], error["exit_code"]) == ("PushError", 7)


def test_what_is_not_built_is_not_pushed(imagekit: Imagekit) -> None:
    error = imagekit.refused("push", "localhost:1/never-built:v1")
    assert (error["error"], error["exit_code"]) == ("PushError", 7)
    assert "imagekit build" in error["hint"]
