"""``imagekit prune`` on engines of the tests' own: what it says beforehand is what the disk has more of afterwards."""

from __future__ import annotations

import re
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagekit.engine.client import Engine
from imagekit.store.store import Store
from imagekit.store.values import RunEnd, RunRecord

from ..own_engine import OwnEngine
from .conftest import Imagekit, WriteProject, own_flow
from .wheels import write_wheel

pytestmark = pytest.mark.xdist_group("own_engine")
MB = 1_000_000


def taken(ours: OwnEngine) -> int:
    """Bytes of the engine's disk, as ``du`` counts them."""
    done = subprocess.run(["du", "-s", "-B1", ours.directory / "data"], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0])


def docker(ours: OwnEngine, *words: str) -> str:
    done = subprocess.run(["docker", "--host", ours.address, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "containerd_store",
    [pytest.param(False, id="classic"), pytest.param(True, id="containerd", marks=pytest.mark.soak)],
)
def test_what_nobody_needs_goes_and_the_rest_stays(
    imagekit: Imagekit,
    engine: Engine,
    own_engine: Callable[..., OwnEngine],
    python_image: str,
    project: WriteProject,
    tmp_path: Path,
    containerd_store: bool,
) -> None:
    ours = own_engine(containerd_store=containerd_store)
    with ours.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    imagekit.env |= {"IMAGEKIT_ENGINE": ours.address, "IMAGEKIT_CACHE_DIR": str(tmp_path / "cache")}
    for name, size in (("common", 3 * MB), ("one", 20 * MB), ("two", 5 * MB)):
        write_wheel(tmp_path / "wheels", name, "1.0", {f"{name}.py": "", f"{name}.bin": secrets.token_hex(size // 2)})
    place = secrets.token_hex(8)

    def build(name: str, *packages: str) -> dict[str, str]:
        lines = ["--no-index", "--find-links ../wheels", *packages]
        files = {"requirements.txt": "\n".join(lines), "flow.py": own_flow()}
        files["imagekit.toml"] = f'base-image = "{python_image}"\nworkdir = "/srv/{place}"\n'
        built: dict[str, str] = imagekit.json("build", project(files, name), "-t", f"prune-{place}-{name}:v1")
        return built

    images = {name: build(name, *packages) for name, packages in {
        "old": ("common", "one"),
        "recent": ("common", "two"),
        "held": ("common",),
        "running": ("common",),
    }.items()}  # fmt: skip
    held = docker(ours, "create", images["held"]["reference"], "true")
    running = docker(ours, "run", "-d", "--network", "none", images["running"]["reference"], "sleep", "600")
    with Store.open(Path(imagekit.env["XDG_STATE_HOME"]) / "imagekit") as store:
        for name, created in (("old", "2020-01-01T00:00:00.000+00:00"), ("recent", "2020-01-02T00:00:00.000+00:00")):
            run = RunRecord(
                name=name,
                entrypoint="flow.py:etl",
                reference=images[name]["reference"],
                image_id=images[name]["image_id"],
                created=created,
            )
            store.begin(run)
            store.end(run.id, RunEnd(state="completed", ended=created))

    # By default all of it was built of late.
    assert imagekit.json("prune")["engine"]["images"] == []
    options = ("prune", "--keep-since", "0m", "--keep-last", "1")
    before = taken(ours)
    foretold = imagekit.json(*options, "--dry-run")
    assert [image["names"] for image in foretold["engine"]["images"]] == [[images["old"]["reference"]]]
    freed = foretold["engine"]["freed"]
    # Only its own: 20 MB, on the containerd store as a blob and unpacked; a layer below others is another on another.
    copies = 2 if containerd_store else 1
    assert 20 * MB * copies <= freed <= (20 + 3) * MB * copies + MB
    assert {each["why"] for each in foretold["engine"]["kept"]} >= {"a container has it", "a recent run had it"}
    assert foretold["cache"]["entries"] > 0
    assert imagekit.json(*options, "--dry-run") == foretold

    done = imagekit.json(*options)
    assert done["engine"]["freed"] == freed
    assert done["engine"]["in_use"] == []
    assert done["cache"]["freed"] == foretold["cache"]["freed"]
    with ours.connect() as connected:
        assert connected.image(images["old"]["image_id"]) is None
        assert all(connected.image(images[name]["reference"]) for name in ("recent", "held", "running"))
        assert connected.image(python_image) is not None
    # containerd collects what is left a moment later.
    until = time.monotonic() + 60
    while before - taken(ours) < 0.97 * freed and time.monotonic() < until:
        time.sleep(0.2)
    assert 0.97 * freed <= before - taken(ours) <= 1.03 * freed + MB
    # What it left is whole: each image still runs.
    docker(
        ours, "run", "--rm", "--network", "none", images["recent"]["reference"], "python", "-c", "import common, two"
    )

    docker(ours, "rm", "-f", held, running)
    last = imagekit.json("prune", "--keep-since", "0m", "--keep-last", "0")
    assert len(last["engine"]["images"]) == 3
    text = imagekit("prune", "--keep-since", "0m", "--keep-last", "0").stdout
    # The engine may have images of other tests, which were made with caches of their own.
    assert re.match(r"engine: freed 0 B \(0 images, 0 containers\); \d+ images? of ours kept\ncache: freed 0 B", text)
