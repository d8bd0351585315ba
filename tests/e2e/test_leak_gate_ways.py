"""The leak gate on the less usual ways of a build: BuildKit's own images, several platforms, caches that leave."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage, Secret
from imagekit.engine.client import Engine
from imagekit.errors import CheckFailed, CredentialExposed, PushError
from imagekit.registry.client import Registry

from ..conftest import MakeEngine
from ..own_registry import OwnRegistry
from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel


def canary() -> str:
    return f"canary-{secrets.token_hex(12)}"


def test_what_buildkit_built_is_looked_at_above_the_base(
    library: Imagekit, project: WriteProject, python_image: str, tmp_path: Path, engine: Engine
) -> None:
    """Its packages are one layer, however many an assembled image has of them."""
    value, name, wheels = canary(), library.name(), tmp_path / "wheels"
    names = [f"gate-{n}-{secrets.token_hex(3)}" for n in range(6)]
    for each in names:
        write_wheel(wheels, each.replace("-", "_"), "1.0", {f"{each.replace('-', '_')}.py": f"NAME = {each!r}\n"})
    root = project({"requirements.txt": f"--no-index\n--find-links {wheels}\n" + "\n".join(names)})
    (root / "unlike.txt").write_text(name)

    def build(step: str) -> None:
        DockerImage(
            name,
            "1",
            context=root,
            base_image=python_image,
            builder="buildkit",
            health_check=False,
            secrets={"token": Secret(value)},
            extra_dockerfile_commands=[f"RUN --mount=type=secret,id=token {step}"],
            stream_progress_to=None,
        ).build()

    with pytest.raises(CheckFailed, match="the image holds a secret of this build: /kept"):
        build("cp /run/secrets/token /kept")
    assert engine.image(f"{name}:1") is None
    build("wc -c < /run/secrets/token > /length")
    assert engine.image(f"{name}:1") is not None


def test_keywords_of_steps_reach_them_in_buildkits_image(
    library: Imagekit, project: WriteProject, python_image: str, inside: Inside
) -> None:
    name = library.name()
    root = project({"requirements.txt": "", "unlike.txt": name})
    says = "RUN echo $SAID > /said && grep -c there /etc/hosts > /hosts"
    says += " && df /dev/shm | tail -1 > /shm; ls /sys/class/net > /net"
    DockerImage(
        name,
        "1",
        context=root,
        base_image=python_image,
        builder="buildkit",
        health_check=False,
        buildargs={"SAID": "something"},
        extra_hosts={"there": "10.0.0.7"},
        network_mode="none",
        shmsize="7m",
        extra_dockerfile_commands=["ARG SAID", says],
        stream_progress_to=None,
    ).build()
    said = inside(f"{name}:1", "sh", "-c", "cat /said /hosts /net; cut -c1-40 /shm")
    assert said.split()[:3] == ["something", "1", "lo"]
    assert "7168" in said


@pytest.mark.xdist_group("own_engine")
def test_several_platforms_are_looked_at_before_any_of_it_is_pushed(
    own_engine: MakeEngine,
    library: Imagekit,
    project: WriteProject,
    monkeypatch: pytest.MonkeyPatch,
    start_registry: Callable[..., OwnRegistry],
) -> None:
    value, registry = canary(), start_registry()
    root = project({"Dockerfile": f"FROM scratch\nLABEL a={secrets.token_hex(4)}\nCOPY own.txt /\n", "own.txt": value})
    monkeypatch.setenv("IMAGEKIT_ENGINE", own_engine(containerd_store=True).address)
    platforms = ["linux/amd64", "linux/arm64"]

    def image(tag: str, **more: Any) -> DockerImage:
        keywords: dict[str, Any] = {"context": root, "platforms": platforms, "push": True, "stream_progress_to": None}
        return DockerImage(f"{registry.name}/several", tag, "Dockerfile", **keywords, **more)

    with pytest.raises(CheckFailed, match=r"the image holds a secret of this build: /own.txt"):
        image("v1", secrets={"token": Secret(value)}).build()
    (root / "own.txt").write_text(f"ordinary {registry.name}")
    with pytest.raises(PushError, match=r"127\.0\.0\.1:1"):
        DockerImage("127.0.0.1:1/x", "v1", "Dockerfile", context=root, platforms=platforms, push=True).build()
    pushed = image("v1", secrets={"token": Secret(value)}).build().digest
    with Registry(registry.name) as asked:
        assert asked.manifest("several", "v1") is not None
        held = asked.manifest("several", pushed)
    assert held is not None
    found = [entry["platform"]["architecture"] for entry in held.document["manifests"]]
    assert [architecture for architecture in found if architecture != "unknown"] == ["amd64", "arm64"]


@pytest.mark.xdist_group("own_engine")
def test_a_cache_leaves_when_the_image_was_looked_at(
    own_engine: MakeEngine, library: Imagekit, project: WriteProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    value, cache = canary(), tmp_path / "cache"
    root = project({"Dockerfile": f"FROM scratch\nLABEL a={secrets.token_hex(4)}\nCOPY own.txt /\n", "own.txt": value})
    monkeypatch.setenv("IMAGEKIT_ENGINE", own_engine(containerd_store=True).address)

    def build(secret: str) -> None:
        keywords: dict[str, Any] = {"secrets": {"token": Secret(secret)}, "cache_to": f"type=local,dest={cache}"}
        DockerImage(library.name(), "1", "Dockerfile", context=root, stream_progress_to=None, **keywords).build()

    with pytest.raises(CheckFailed, match=r"a secret of this build: /own.txt"):
        build(value)
    assert not cache.exists()
    (root / "own.txt").write_text("ordinary")
    build(value)
    assert json.loads((cache / "index.json").read_text())["manifests"]


def test_a_login_in_a_context_is_refused(project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIT_ENGINE", "unix:///nowhere/docker.sock")
    root = project({"Dockerfile": "FROM scratch\n", "requirements.txt": ""})
    contexts = {"more": "https://me:s3cretpw@example.com/team/x.git"}
    keywords: dict[str, Any] = {"context": root, "build_contexts": contexts, "stream_progress_to": None}
    commands = ["RUN --mount=type=bind,from=more,target=/x true"]
    for image in (
        DockerImage("x", "1", "Dockerfile", **keywords),
        # No process is to show it, whoever allows what.
        DockerImage("x", "1", "Dockerfile", **keywords, allow_secret_build_args=True),
        DockerImage("x", "1", **keywords, extra_dockerfile_commands=commands),
    ):
        with pytest.raises(CredentialExposed, match="the build context more holds a URL with a login") as caught:
            image.build()
        assert "GIT_AUTH_TOKEN" in str(caught.value.hint)
        assert "s3cretpw" not in f"{caught.value}{caught.value.hint}"
