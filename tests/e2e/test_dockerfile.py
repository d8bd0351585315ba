"""A user's own Dockerfile, by the command line and by the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit import DockerImage
from imagekit.engine.client import Engine
from imagekit.errors import DockerfileFailed, InputError

from .conftest import Imagekit, Inside, WriteProject, snapshot

DOCKERFILE = """
FROM {base} AS first
ARG GREETING=none
RUN echo "$GREETING" > /greeting
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length
FROM first AS last
COPY own.txt /own.txt
RUN echo last > /stage
"""


@pytest.fixture
def root(project: WriteProject, python_image: str) -> Path:
    return project(
        {
            "Dockerfile": DOCKERFILE.format(base=python_image),
            "own.txt": "mine\n",
            # It stands beside the others, and has nothing to do with this build.
            "requirements.txt": "no-such-thing-at-all==9\n",
        }
    )


def test_by_the_command_line(imagekit: Imagekit, inside: Inside, root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token.txt"
    secret.write_text("canary-3141")
    before = snapshot(root)
    words = ("--dockerfile", "Dockerfile", "--build-arg", "GREETING=a $b 'c'", "--secret", f"id=token,src={secret}")
    built = imagekit.json("build", root, "--name", imagekit.name(), *words)
    assert snapshot(root) == before
    image = built["reference"]
    assert inside(image, "cat", "/greeting", "/length", "/own.txt", "/stage") == "a $b 'c'\n11\nmine\nlast\n"
    assert "canary" not in str(imagekit.json("inspect", image))
    assert imagekit.json("build", root, "--name", image.rpartition(":")[0], *words)["image_id"] == built["image_id"]

    first = imagekit.json("build", root, "--name", imagekit.name(), *words, "--target", "first")["reference"]
    assert first.rpartition(":")[2] != image.rpartition(":")[2]
    assert inside(first, "sh", "-c", "test ! -e /stage && echo no").strip() == "no"


def test_by_the_library(library: Imagekit, inside: Inside, root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token.txt"
    secret.write_text("12345")
    image = DockerImage(
        library.name(),
        tag="v1",
        dockerfile="Dockerfile",
        path=str(root),
        stream_progress_to=None,
        buildargs={"GREETING": "hello"},
        labels={"team": "floor"},
        secrets=[f"id=token,src={secret}"],
    )
    image.build()
    assert image.reference.endswith(":v1")
    assert inside(image.reference, "cat", "/greeting", "/length").split() == ["hello", "5"]
    assert library.json("inspect", image.reference)["labels"]["team"] == "floor"
    with pytest.raises(InputError, match="packages does not go with a Dockerfile"):
        DockerImage("x", dockerfile="Dockerfile", packages=["six"])


def test_a_step_that_fails(imagekit: Imagekit, project: WriteProject, python_image: str, engine: Engine) -> None:
    root = project({"Dockerfile": f"FROM {python_image}\nRUN echo the-words-of-the-step >&2 && exit 9\n"})
    name = imagekit.name()
    error = imagekit.refused("build", root, "--tag", f"{name}:v1", "--dockerfile", root / "Dockerfile")
    assert (error["error"], error["exit_code"]) == (DockerfileFailed.__name__, 5)
    assert "exit code: 9" in error["message"]
    assert "the-words-of-the-step" in error["details"]
    assert engine.image(f"{name}:v1") is None


def test_a_dockerfile_that_is_not_there(imagekit: Imagekit, project: WriteProject) -> None:
    error = imagekit.refused("build", project({"a": ""}), "--dockerfile", "Dockerfile")
    assert (error["error"], error["exit_code"]) == ("InvalidProject", 2)


@pytest.mark.parametrize(("text", "line"), [(b"FROM x\nRUN a\0b\n", 2), ("FROM x\nRUN é\n".encode("utf-16-le"), 1)])
def test_a_dockerfile_that_is_no_text(imagekit: Imagekit, project: WriteProject, text: bytes, line: int) -> None:
    root = project({"Dockerfile": ""})
    (root / "Dockerfile").write_bytes(text)
    dead = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}
    found = imagekit.refused("build", root, "-t", "x:1", "-f", "Dockerfile", env=dead)
    assert found["message"] == f"Dockerfile:{line}: a NUL is in it"


def test_a_dockerfile_that_lies_there_is_no_error(
    imagekit: Imagekit, inside: Inside, project: WriteProject, no_index: str
) -> None:
    root = project({"Dockerfile": "this is no Dockerfile\n", "requirements.txt": f"{no_index}alpha\n"})
    image = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    assert inside(image, "python", "-c", "import alpha; print(alpha.VERSION)").strip() == "2.0"
