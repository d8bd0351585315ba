"""What ``DockerImage`` means before anything is built: with an engine that is not there."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage, run
from imagekit.building.inputs import read_inputs
from imagekit.errors import BuildError, EngineNotFound, InputError, InvalidReference, UnknownKeyword
from imagekit.spec.image import ImageSpec


@pytest.fixture(autouse=True)
def _dead_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("IMAGEKIT_DEFAULT_NAMESPACE", "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow.py").write_text("def etl(): ...\n")
    monkeypatch.chdir(project)


@pytest.mark.parametrize(
    ("arguments", "name", "tag"),
    [
        (("orders", "v1"), "orders", "v1"),
        (("orders:v1",), "orders", "v1"),
        (("registry.example.com/team/orders", "v1"), "registry.example.com/team/orders", "v1"),
        (("localhost:5000/orders:v1",), "localhost:5000/orders", "v1"),
    ],
)
def test_names_and_tags(arguments: tuple[str, ...], name: str, tag: str) -> None:
    image = DockerImage(*arguments)
    assert (image.name, image.tag, image.reference) == (name, tag, f"{name}:{tag}")


@pytest.mark.parametrize("variable", ["IMAGEKIT_DEFAULT_NAMESPACE", "PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE"])
def test_the_default_namespace(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "registry.example.com/team")
    assert DockerImage("orders:v1").reference == "registry.example.com/team/orders:v1"
    assert DockerImage("other/orders:v1").reference == "other/orders:v1"
    assert DockerImage("localhost:5000/orders", "v1").reference == "localhost:5000/orders:v1"


def test_a_tag_that_says_what_goes_in() -> None:
    image = DockerImage("orders")
    first = image.tag
    assert len(first) == 16
    assert image.reference == f"orders:{first}"
    assert DockerImage("orders", packages=["rich"]).tag != first
    Path("flow.py").write_text("def etl(): return 1\n")
    assert DockerImage("orders").tag != first


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "words"),
    [
        (("orders:v1", "v2"), {}, InputError, "two tags"),
        (("Orders",), {}, InvalidReference, "lower case"),
        (("orders", ""), {}, InvalidReference, "tag"),
        (("orders", "-v"), {}, InvalidReference, "tag"),
        (("scratch",), {}, InvalidReference, "reserved"),
        (("orders@sha256:" + "a" * 64,), {}, InvalidReference, "digest"),
        (("orders",), {"buildarg": {}}, UnknownKeyword, "'buildarg'"),
        (("orders",), {"squash": True}, InputError, "squash"),
        (("orders",), {"fileobj": io.BytesIO()}, InputError, "fileobj"),
        (("orders",), {"build_backend": "podman"}, InputError, "podman"),
        (("orders",), {"path": ".", "context": "."}, InputError, "are the same"),
        (("orders",), {"dockerfile": "Dockerfile", "packages": ["rich"]}, InputError, "packages"),
    ],
)
def test_what_cannot_be_meant(
    arguments: tuple[str, ...], keywords: dict[str, Any], error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        DockerImage(*arguments, **keywords)
    assert caught.value.hint


def test_what_prefect_reads_of_an_image() -> None:
    stream = io.StringIO()
    image = DockerImage(
        "orders", "v1", stream_progress_to=stream, build_backend="buildx", buildargs={"A": "1"}, pull=True
    )
    assert (image.dockerfile, image.build_backend) == ("auto", "buildx")
    assert image.stream_progress_to is stream
    assert image.build_kwargs == {"buildargs": {"A": "1"}, "pull": True}
    assert callable(image.build)
    assert callable(image.push)
    assert DockerImage("orders", "v1", dockerfile=Path("Dockerfile")).dockerfile == "Dockerfile"


@pytest.mark.parametrize("attribute", ["image_id", "digest", "layers"])
def test_what_only_a_built_image_has(attribute: str) -> None:
    with pytest.raises(BuildError, match="not built yet") as caught:
        getattr(DockerImage("orders", "v1"), attribute)
    assert caught.value.hint == "call build() first"


@pytest.mark.parametrize(
    "arguments", [(None,), (3,), (b"orders",), ("orders", 3), ("orders", "v1", 3), ("orders", "v1", "auto", "log.txt")]
)
def test_wrong_types_are_told_in_words(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match=r"must be a (string|path|stream)") as caught:
        DockerImage(*arguments)
    assert caught.value.hint


def test_what_is_ignored_is_said_when_it_is_built() -> None:
    said = io.StringIO()
    image = DockerImage("orders", "v1", stream_progress_to=said, rm=True, buildargs={"A": "1"}, quiet=False)
    with pytest.raises(EngineNotFound):
        image.build()
    lines = [line for line in said.getvalue().splitlines() if "is ignored" in line]
    assert [line.split()[0] for line in lines] == ["rm", "buildargs"]


def test_an_image_that_goes_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no engine holds"):
        DockerImage("orders", platforms=["linux/amd64", "linux/arm64"])
    with pytest.raises(InputError, match="takes an engine"):
        DockerImage("orders", output="registry", extra_dockerfile_commands=["RUN true"])
    # Said in the project's own table: found when it is read, before anything is asked of anybody.
    Path("imagekit.toml").write_text('extra-dockerfile-commands = ["RUN true"]\n')
    with pytest.raises(InputError, match="run in an engine"):
        DockerImage("orders", "v1", output=f"oci:{tmp_path}/out").build()


def test_inputs_are_read_once(tmp_path: Path) -> None:
    found = read_inputs(ImageSpec(context=Path.cwd()))
    assert found.tree is not None
    assert found.source == found.tree.digest()
    assert read_inputs(ImageSpec(context=Path.cwd(), include_source=False)).source is None


@pytest.mark.parametrize(
    "keywords",
    [
        {"env": {"A": "a\nb"}},
        {"env": {"A": "a\0"}},
        {"env": {"A": "\udcff"}},
        {"env": {"A B": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"": "x"}},
        {"labels": {"a": "x\ny"}},
        {"labels": {"a b": "x"}},
        {"labels": {"a=b": "x"}},
        {"workdir": "app"},
        {"workdir": "/app/../etc"},
        {"workdir": "/a\nb"},
        {"workdir": "/a\\b"},
        {"files": {"flow.py": "relative"}},
        {"files": {"flow.py": "/x/../y"}},
        {"files": {"flow.py": "/a\nb"}},
        {"files": {"flow.py": "/etc/passwd"}},
        {"files": {"../flow.py": "/x"}},
        {"files": {"missing.py": "/x"}},
        {"packages": ["a\nb"]},
        {"packages": ["--index-url=x"]},
        {"base_image": "a b"},
        {"base_image": "-x"},
        {"base_image": "x\n"},
        {"dockerignore": "missing"},
        {"dockerignore": "../x"},
        {"extra_dockerfile_commands": ["FROM x"]},
        {"dockerfile": "Dockerfile", "buildargs": {"A": "x\0"}},
        {"dockerfile": "Dockerfile", "buildargs": {"A=B": "x"}},
        {"dockerfile": "Dockerfile", "target": "a\nb"},
        {"dockerfile": "missing.Dockerfile"},
        {"dockerfile": "a\nb"},
        {"context": "missing"},
        {"context": "flow.py"},
    ],
    ids=str,
)
def test_what_an_image_cannot_hold_is_refused(keywords: dict[str, Any]) -> None:
    Path("Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(InputError) as caught:
        DockerImage("orders", "v1", stream_progress_to=None, **keywords).build()
    assert caught.value.hint


@pytest.mark.parametrize("env", [{"A": "\0"}, {"A": "\udcff"}, {"A=B": "x"}, {"A B": "x"}, {"": "x"}], ids=str)
def test_what_a_container_cannot_be_given_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        run("flow.py:etl", image="orders:v1", env=env)
    assert caught.value.hint


@pytest.mark.parametrize("rules", ["!", "[", "a[]b", "x\\", "[z-a]"])
def test_ignore_rules_that_are_none_are_refused(rules: str) -> None:
    Path(".dockerignore").write_text(f"fine\n{rules}\n")
    with pytest.raises(InputError, match=r"\.dockerignore:2: ") as caught:
        DockerImage("orders", "v1", stream_progress_to=None).build()
    assert caught.value.hint


def test_what_cannot_be_sent_is_named(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    for keywords in ({}, {"dockerfile": "Dockerfile"}):
        Path("Dockerfile").write_text("FROM scratch\n")
        with pytest.raises(InputError, match="pipe is a fifo"):
            _ = DockerImage("orders", stream_progress_to=None, **keywords).reference  # type: ignore[arg-type]
