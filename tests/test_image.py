"""What ``DockerImage`` means before anything is built: with an engine that is not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.build_keywords import check_keywords, dockerfile_fields, ignored_by_auto
from imagekit.building.inputs import read_inputs
from imagekit.errors import BuildError, InputError, InvalidReference, UnknownKeyword
from imagekit.spec.image import ImageSpec
from imagekit.stages.dockerfile import DockerfileBuild


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
        (("orders",), {"path": ".", "context": "."}, InputError, "both"),
        (("orders",), {"dockerfile": "Dockerfile", "packages": ["rich"]}, InputError, "packages"),
    ],
)
def test_what_cannot_be_meant(
    arguments: tuple[str, ...], keywords: dict[str, Any], error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        DockerImage(*arguments, **keywords)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("keyword", "nearest"), [("buildarg", "buildargs"), ("no_cache", "nocache"), ("requirement", "requirements")]
)
def test_the_nearest_keyword_is_named(keyword: str, nearest: str) -> None:
    with pytest.raises(UnknownKeyword) as caught:
        DockerImage("orders", **{keyword: "x"})
    assert caught.value.hint == f"did you mean {nearest!r}?"
    assert isinstance(caught.value, TypeError)


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


def test_keywords_as_docker_py_means_them() -> None:
    keywords = {
        "buildargs": {"A": "1", "FROM_ENV": None},
        "labels": {"b": "2"},
        "cache_from": "cache:1",
        "secrets": ["id=a,src=a"],
        "extra_hosts": {"host": "10.0.0.1"},
        "network_mode": "host",
        "shmsize": 1 << 20,
        "target": "last",
        "platform": "linux/arm64",
        "nocache": True,
        "pull": True,
        "ssh": "default",
        "rm": True,
    }
    check_keywords(keywords, ())
    build = DockerfileBuild(context=Path("/c"), dockerfile=Path("/c/D"), reference="o:1", **dockerfile_fields(keywords))
    assert build.arguments() == (
        "buildx build --progress plain --load --file /c/D --tag o:1 --build-arg A=1 --build-arg FROM_ENV --label b=2"
        " --secret id=a,src=a --cache-from cache:1 --add-host host:10.0.0.1 --ssh default --target last"
        " --platform linux/arm64 --network host --shm-size 1048576 --no-cache --pull -- /c"
    ).split(" ")
    assert ignored_by_auto(keywords) == sorted(
        ["buildargs", "cache_from", "secrets", "extra_hosts", "network_mode", "shmsize", "target", "pull", "ssh"]
    )


def test_keywords_of_buildx() -> None:
    keywords = {"cache_from": "a", "cache_to": ["type=inline"], "buildx_builder": "far", "nocache": True, "target": "x"}
    check_keywords(keywords, ())
    fields = dockerfile_fields(keywords)
    assert (fields["cache_from"], fields["cache_to"], fields["builder"]) == (("a",), ("type=inline",), "far")
    build = DockerfileBuild(context=Path("/c"), dockerfile=Path("/c/D"), reference="o:1", **fields)
    assert "--cache-to type=inline --builder far" in " ".join(build.arguments())
    assert ignored_by_auto(keywords, by_buildkit=True) == ["target"]
    with pytest.raises(InputError, match="unknown builder"):
        DockerImage("orders", "v1", builder="kaniko")


def test_inputs_are_read_once(tmp_path: Path) -> None:
    found = read_inputs(ImageSpec(context=Path.cwd()))
    assert found.tree is not None
    assert found.source == found.tree.digest()
    assert read_inputs(ImageSpec(context=Path.cwd(), include_source=False)).source is None
