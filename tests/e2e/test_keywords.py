"""Each keyword that a build honours, and what it does: real builds, looked at from inside."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.engine.client import Engine
from imagekit.errors import BuildError, DockerfileFailed, EngineNotFound
from imagekit.explaining.results import BuildResult, WrittenResult
from imagekit.registry.client import Registry

from ..conftest import MakeEngine
from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject

DOCKERFILE = """
FROM {base} AS first
ARG GREETING=none
ARG WHEN
ARG HERE
RUN echo "$GREETING $HERE" > /greeting
RUN cat /etc/hosts > /hosts; ls /sys/class/net > /net; df -Pk /dev/shm | tail -1 > /shm
RUN cat /proc/sys/kernel/random/uuid > /random
COPY own.txt /own.txt
FROM first AS more
COPY --from=beside beside.txt /beside.txt
FROM first AS host
RUN --network=host ls /sys/class/net > /net-of-host
FROM first AS last
RUN echo last > /stage
"""
Build = Callable[..., str]


@pytest.fixture
def root(project: WriteProject, python_image: str) -> Path:
    return project({"Dockerfile": DOCKERFILE.format(base=python_image), "own.txt": f"{secrets.token_hex(8)}\n"})


@pytest.fixture
def build(library: Imagekit, root: Path) -> Build:
    """``build(keyword=…)``: the reference of the image of the Dockerfile."""

    def of(**keywords: Any) -> str:
        given: dict[str, Any] = {"context": root, "dockerfile": "Dockerfile", "target": "last", **keywords}
        image = DockerImage(library.name(), "v1", stream_progress_to=given.pop("stream", None), **given)
        image.build()
        return image.reference

    return of


def test_arguments_labels_and_the_target(
    build: Build, inside: Inside, library: Imagekit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "of the environment")
    image = build(buildargs={"GREETING": "a $b 'c' \\", "HERE": None}, labels={"team": "floor", "odd": '"$x" \\'})
    assert inside(image, "cat", "/greeting", "/stage") == "a $b 'c' \\ of the environment\nlast\n"
    labels = library.json("inspect", image)["labels"]
    assert (labels["team"], labels["odd"]) == ("floor", '"$x" \\')
    first = build(target="first", build_args={"GREETING": "hello"})
    assert inside(first, "sh", "-c", "cat /greeting; ls /stage 2>&1 || true").splitlines()[0] == "hello "
    assert "No such file" in inside(first, "sh", "-c", "ls /stage 2>&1 || true")


def test_what_the_steps_see(build: Build, inside: Inside) -> None:
    image = build(extra_hosts={"db.example.com": "10.9.8.7"}, network_mode="none", shmsize="33m", nocache=True)
    assert "10.9.8.7\tdb.example.com" in inside(image, "cat", "/hosts")
    assert inside(image, "cat", "/net").split() == ["lo"]
    assert inside(image, "cat", "/shm").split()[1] == str(33 * 1024)
    other = build(add_hosts=["db.example.com:10.9.8.6"], network="default", shmsize=34 << 20, cache=False)
    assert "10.9.8.6\tdb.example.com" in inside(other, "cat", "/hosts")
    assert len(inside(other, "cat", "/net").split()) > 1
    assert inside(other, "cat", "/shm").split()[1] == str(34 * 1024)


def test_the_cache_and_leaving_it(build: Build, inside: Inside) -> None:
    first, second = build(), build()
    third = build(nocache=True)
    contents = [inside(image, "cat", "/random") for image in (first, second, third)]
    assert contents[0] == contents[1] != contents[2]


def test_caches_in_a_registry(build: Build, root: Path, shared_registry: OwnRegistry, library: Imagekit) -> None:
    name = f"{shared_registry.name}/keywords-{secrets.token_hex(4)}"
    image = DockerImage(
        name, "v1", dockerfile="Dockerfile", context=root, target="last", push=True, stream_progress_to=None,
        cache_to={"type": "inline"},
    )  # fmt: skip
    image.build()
    said = io.StringIO()
    build(cache_from=[f"{name}:v1"], stream=said)
    assert f"importing cache manifest from {name}:v1" in said.getvalue()
    assert "ERROR" not in said.getvalue()


def test_further_contexts_and_entitlements(build: Build, inside: Inside, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.mkdir()
    (beside / "beside.txt").write_text("here\n")
    image = build(target="more", build_contexts={"beside": str(beside)})
    assert inside(image, "cat", "/beside.txt") == "here\n"
    with pytest.raises(DockerfileFailed, match="did not build"):
        build(target="host")
    image = build(target="host", allow=["network.host"])
    assert "docker0" in inside(image, "cat", "/net-of-host").split()


def test_another_platform_and_another_place(library: Imagekit, engine: Engine, root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.Dockerfile"
    elsewhere.write_text("FROM scratch\nCOPY own.txt /\n")
    image = DockerImage(
        library.name(), "v1", dockerfile=elsewhere, path=str(root), platform="linux/arm64", stream_progress_to=None
    )
    image.build()
    found = engine.image(image.reference)
    assert found is not None
    assert str(found.platform) == "linux/arm64"


@pytest.fixture
def moving_base(engine: Engine, python_image: str, shared_registry: OwnRegistry) -> Iterator[tuple[str, str]]:
    """A base whose tag names another image in its registry than in the engine; and what is in that one."""
    name, mark = f"{shared_registry.name}/base-{secrets.token_hex(4)}:1", secrets.token_hex(8)
    text = f"FROM {python_image}\nRUN echo {mark} > /mark\n".encode()
    words = [
        "docker",
        "--host",
        engine.address,
        "buildx",
        "build",
        "-q",
        "--provenance=false",
        "--push",
        "-t",
        name,
        "-",
    ]
    subprocess.run(words, input=text, check=True, capture_output=True)
    engine.tag(python_image, name)
    yield name, mark
    engine.remove_image(name, force=True)


def test_pull(library: Imagekit, inside: Inside, project: WriteProject, moving_base: tuple[str, str]) -> None:
    base, mark = moving_base
    root = project({"Dockerfile": f"FROM {base}\nRUN cat /mark > /found || true\n", "flow.py": mark})

    def found(path: str, **keywords: Any) -> str:
        image = DockerImage(library.name(), "v1", context=root, stream_progress_to=None, **keywords)
        image.build()
        return inside(image.reference, "sh", "-c", f"cat {path} || true").strip()

    assert found("/found", dockerfile="Dockerfile") == ""
    assert found("/found", dockerfile="Dockerfile", pull=True) == mark
    # Only a build that is told to looks again.
    automatic = {"base_image": base, "requirements": []}
    assert found("/mark", **automatic) == ""
    assert found("/mark", pull=True, **automatic) == mark


@pytest.fixture
def flow(project: WriteProject, no_index: str) -> Path:
    return project({"requirements.txt": f"{no_index}alpha\n", "flow.py": f"MARK = {secrets.token_hex(8)!r}\n"}, "flow")


def test_push_with_the_build(library: Imagekit, flow: Path, shared_registry: OwnRegistry) -> None:
    said = io.StringIO()
    name = f"{shared_registry.name}/keywords-{secrets.token_hex(4)}"
    image = DockerImage(name, "v1", context=flow, push=True, stream_progress_to=said, nocache=True)
    assert isinstance(image.build(), BuildResult)
    digest = image.digest
    lines = said.getvalue()
    assert image.push() == digest
    assert said.getvalue() == lines, "the second push says and does nothing"
    assert shared_registry.blob_path(digest).exists()


def test_straight_into_a_registry(
    library: Imagekit, flow: Path, shared_registry: OwnRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    engine: Engine, python_image: str,
) -> None:  # fmt: skip
    name = f"{shared_registry.name}/keywords-{secrets.token_hex(4)}"
    base = f"{shared_registry.name}/base-{secrets.token_hex(4)}:1"
    engine.tag(python_image, base)
    subprocess.run(["docker", "--host", engine.address, "push", "-q", base], check=True, capture_output=True)
    engine.remove_image(base)
    monkeypatch.setenv("IMAGEKIT_ENGINE", f"unix://{tmp_path}/dead.sock")
    keywords = {"context": flow, "base_image": base, "stream_progress_to": None}
    image = DockerImage(name, "v1", output="registry", labels={"team": "floor"}, **keywords)
    result = image.build()
    assert isinstance(result, WrittenResult)
    assert image.push() == image.digest == result.pushed
    manifest = json.loads(shared_registry.blob_path(image.digest).read_text())
    config = json.loads(shared_registry.blob_path(manifest["config"]["digest"]).read_text())
    assert config["config"]["Labels"]["team"] == "floor"
    assert [layer.title for layer in image.layers][-1] == "source"
    with pytest.raises(BuildError, match="in no engine") as caught:
        _ = image.image_id
    assert caught.value.hint
    # With an engine meant, and none there, nothing goes another way.
    with pytest.raises(EngineNotFound):
        DockerImage(name, "v2", push=True, **keywords).build()
    layout = DockerImage(name, "v1", output=f"oci:{tmp_path}/out", platforms=["linux/amd64"], **keywords)
    layout.build()
    assert str(layout.digest) in (tmp_path / "out" / "index.json").read_text()
    with pytest.raises(BuildError, match="written elsewhere"):
        layout.push()


def test_into_the_engine_and_a_layout(library: Imagekit, flow: Path, engine: Engine, tmp_path: Path) -> None:
    image = DockerImage(
        library.name(),
        "v1",
        context=flow,
        output=["engine", f"docker-archive:{tmp_path}/a.tar"],
        stream_progress_to=None,
    )
    image.build()
    with tarfile.open(tmp_path / "a.tar") as archive:
        (entry,) = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
    found = engine.image(image.reference)
    assert found is not None
    assert found.id.removeprefix("sha256:") in entry["Config"]


def test_from_the_equivalent_dockerfile(library: Imagekit, flow: Path, inside: Inside) -> None:
    said = io.StringIO()
    image = DockerImage(
        library.name(), "v1", context=flow, builder="buildkit", cache_to="type=inline", env={"A": "$x"},
        workdir="/srv/x", stream_progress_to=said,
    )  # fmt: skip
    image.build()
    assert "exporting cache" in said.getvalue() or "inline cache" in said.getvalue()
    assert inside(image.reference, "sh", "-c", "echo $A; pwd; ls").split() == [
        "$x",
        "/srv/x",
        "flow.py",
        "requirements.txt",
    ]


@pytest.mark.xdist_group("own_engine")
def test_several_platforms_of_a_dockerfile(
    own_engine: MakeEngine,
    library: Imagekit,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    start_registry: Callable[..., OwnRegistry],
) -> None:
    """Where BuildKit of an engine builds for several; it goes to the registry from here, looked at."""
    (root / "Dockerfile").write_text("FROM scratch\nCOPY own.txt /\n")
    keywords: dict[str, Any] = {"dockerfile": "Dockerfile", "context": root, "stream_progress_to": None}
    platforms = ["linux/amd64", "linux/arm64"]
    with pytest.raises(DockerfileFailed, match="builds for one platform") as caught:
        DockerImage("127.0.0.1:1/x", "v1", platforms=platforms, push=True, **keywords).build()
    assert "docker buildx create" in str(caught.value.hint)
    other = own_engine(containerd_store=True)
    monkeypatch.setenv("IMAGEKIT_ENGINE", other.address)
    registry = start_registry()
    name = f"{registry.name}/several"
    image = DockerImage(name, "v1", platforms=platforms, push=True, **keywords)
    result = image.build()
    words = ("build", root, "-t", f"{name}:v2", "--dockerfile", "Dockerfile", "--platform", ",".join(platforms))
    (written,) = library.json(*words, "--push", env={"IMAGEKIT_ENGINE": other.address})["written"]
    assert written["output"] == "registry"
    assert isinstance(result, WrittenResult)
    assert image.push() == image.digest == result.pushed
    with Registry(registry.name) as asked:
        held = asked.manifest("several", image.digest)
    assert held is not None
    found = [entry["platform"]["architecture"] for entry in held.document["manifests"]]
    assert [architecture for architecture in found if architecture != "unknown"] == ["amd64", "arm64"]


@pytest.mark.xdist_group("own_engine")
def test_provenance_of_buildkit_or_none(
    own_engine: MakeEngine, library: Imagekit, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "Dockerfile").write_text("FROM scratch\nCOPY own.txt /\n")
    other = own_engine(containerd_store=True)
    monkeypatch.setenv("IMAGEKIT_ENGINE", other.address)

    def has_provenance(provenance: bool) -> bool:
        name = f"{library.name()}:v1"
        DockerImage(name, dockerfile="Dockerfile", context=root, stream_progress_to=None, provenance=provenance).build()
        words = ["docker", "--host", other.address, "save", name]
        saved = subprocess.run(words, check=True, capture_output=True).stdout
        return b"attestation-manifest" in saved

    assert has_provenance(True)
    assert not has_provenance(False)
