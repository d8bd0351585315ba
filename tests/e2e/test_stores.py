"""Assembling on the containerd image store, and what is done when an engine lacks what it named."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit import DockerImage, run
from imagekit.engine.client import Engine
from imagekit.export import engine_load

from ..own_engine import OwnEngine
from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel

pytestmark = pytest.mark.xdist_group("own_engine")
MakeEngine = Callable[..., OwnEngine]
FLOW = "import once\n\n\ndef etl():\n    return [once.MARK, {number}]\n"


@pytest.fixture(scope="module")
def engine_of_ours(own_engine: MakeEngine, engine: Engine, python_image: str) -> Callable[[bool], OwnEngine]:
    """An engine with one image store or the other, and the base image in it."""

    def make(containerd_store: bool) -> OwnEngine:
        ours = own_engine(containerd_store=containerd_store)
        with ours.connect() as connected:
            assert connected.info.containerd_store is containerd_store
            if connected.image(python_image) is None:
                connected.load(engine.save(python_image))
        return ours

    return make


@pytest.fixture
def root(project: WriteProject, tmp_path: Path, python_image: str) -> Path:
    """A project of which no engine has seen a layer: the lowest one has its working directory."""
    mark = secrets.token_hex(16)
    write_wheel(tmp_path / "once", "once", "1.0", {"once.py": f"MARK = {mark!r}\n", "m/a.py": "X = 1\n" * 500})
    return project(
        {
            "requirements.txt": "--no-index\n--find-links ../once\nonce\n",
            "flow.py": FLOW.format(number=1),
            "imagekit.toml": (
                f'base-image = "{python_image}"\nentrypoints = ["flow.py:etl"]\nworkdir = "/srv/{mark}"\n'
            ),
        }
    )


def test_on_the_containerd_store_only_the_source_is_sent(
    imagekit: Imagekit, inside: Inside, engine_of_ours: Callable[[bool], OwnEngine], root: Path
) -> None:
    ours = engine_of_ours(True)
    env = {"IMAGEKIT_ENGINE": ours.address}
    reference = f"{imagekit.name()}:v1"
    first = imagekit.json("build", root, "--tag", reference, env=env)
    assert first["sent"] == sum(layer["size"] for layer in first["layers"])
    (root / "flow.py").write_text(FLOW.format(number=2))
    second = imagekit.json("build", root, "--tag", reference, env=env)
    (source,) = [layer for layer in second["layers"] if layer["title"] == "source"]
    assert (second["sent"], second["up_to_date"]) == (source["size"], False)
    third = imagekit.json("build", root, "--tag", reference, env=env)
    assert (third["sent"], third["up_to_date"], third["image_id"]) == (0, True, second["image_id"])
    assert imagekit.json("run", "flow.py:etl", "--image", reference, env=env)["result"][1] == 2
    script = "import once; print(len(once.MARK))"
    assert inside(reference, "python", "-c", script, address=ours.address).strip() == "32"
    layers = imagekit.json("inspect", reference, env=env)["layers"]
    assert [pin for layer in layers for pin in layer["packages"]] == ["once==1.0"]
    with ours.connect() as connected:
        assert connected.api.containers(all=True) == []
        assert connected.image(first["image_id"]) is None


@pytest.mark.parametrize("containerd_store", [False, True])
def test_an_engine_without_the_layers_it_was_thought_to_have(
    library: Imagekit,
    engine_of_ours: Callable[[bool], OwnEngine],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    containerd_store: bool,
) -> None:
    ours = engine_of_ours(containerd_store)
    monkeypatch.setenv("IMAGEKIT_ENGINE", ours.address)
    image = DockerImage(library.name(), tag="v1", context=root, stream_progress_to=None)
    old = image.build().image_id

    write_wheel(root.parent / "once", "once", "1.1", {"once.py": f"MARK = {secrets.token_hex(16)!r}\n"})
    (root / "requirements.txt").write_text("--no-index\n--find-links ../once\nonce==1.1\n")
    (root / "flow.py").write_text(FLOW.format(number=3))
    monkeypatch.setattr(
        engine_load,
        "present_layers",
        lambda engine, config, layers, relatives: frozenset(layer.diff_id for layer in layers),
    )
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        with ours.connect() as connected:
            while not ended.is_set():
                found = connected.image(image.reference)
                seen.add(found.id if found else "nothing")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        result = image.build()
    finally:
        ended.set()
        watcher.join()
    assert result.sent == sum(layer.size for layer in result.layers)
    assert old in seen
    # The containerd store takes a name away and gives it anew, so for a moment it may name nothing.
    assert seen - {"nothing"} <= {old, result.image_id}
    assert containerd_store or "nothing" not in seen
    assert run("flow.py:etl", image=image).result[1] == 3
    with ours.connect() as connected:
        names = [tag for listed in connected.api.images() for tag in listed["RepoTags"] or ()]
        assert not [name for name in names if engine_load.LOADING in name]
