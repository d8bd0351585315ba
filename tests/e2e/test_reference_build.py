"""``imagekit dockerfile`` and ``imagekit build --builder buildkit``, on real engines."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from imagekit.engine.client import Engine

from ..conftest import MakeEngine
from .conftest import Imagekit, Inside, WriteProject

MODULE = "import beta\n\ndef where():\n    return beta.__file__, beta.VERSION\n"
WHERE = "import flow; print(flow.where())"


@pytest.fixture
def orders(project: WriteProject, no_index: str) -> Path:
    return project({"requirements.txt": f"{no_index}beta==1.1\n", "flow.py": MODULE}, "orders")


def build(engine: Engine, directory: Path, name: str, *options: str) -> None:
    done = subprocess.run(
        ["docker", "--host", engine.address, "buildx", "build", "--load", "--tag", name, *options, "--", directory],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_person_builds_what_was_written(
    imagekit: Imagekit, orders: Path, inside: Inside, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    done = imagekit("dockerfile", orders, "-o", context, "--base-image", python_image)
    assert done.returncode == 0, done.stderr
    assert f"docker build {context}" in done.stdout
    name = f"{imagekit.name('by-hand')}:1"
    build(engine, context, name)
    assert inside(name, "python", "-c", WHERE).startswith("('/opt/venv/lib/python3.")
    assert inside(name, "id", "-un").strip() == "app"
    assert inside(name, "pwd").strip() == "/app"
    # What the project has is in it, and what is written is the same the second time.
    before = (context / "Dockerfile").read_text()
    assert imagekit("dockerfile", orders, "-o", context, "--base-image", python_image).returncode == 0
    assert (context / "Dockerfile").read_text() == before
    assert imagekit("dockerfile", orders, "--base-image", python_image).stdout.rstrip("\n") == before.rstrip("\n")


def test_hashes_are_held_to(
    imagekit: Imagekit, orders: Path, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    imagekit.json("dockerfile", orders, "-o", context, "--base-image", python_image)
    lock = context / "lock" / "pylock.toml"
    text = lock.read_text()
    at = text.index('sha256 = "') + len('sha256 = "')
    lock.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    done = subprocess.run(
        ["docker", "--host", engine.address, "buildx", "build", "--", context], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr


def test_built_by_buildkit(imagekit: Imagekit, orders: Path, inside: Inside, engine: Engine, python_image: str) -> None:
    name = imagekit.name("buildkit")
    words = ("build", orders, "--base-image", python_image, "--builder", "buildkit")
    found = imagekit.json(*words, "-t", f"{name}:1")
    assert found["reference"] == f"{name}:1"
    assert inside(f"{name}:1", "python", "-c", WHERE).endswith("'1.1')\n")
    # Nothing changed: the same image; the same name as an assembled one would have.
    again = imagekit.json(*words, "--name", name)
    assert again["image_id"] == found["image_id"]
    assembled = imagekit.json("build", orders, "--base-image", python_image, "--name", name)
    assert assembled["reference"] == again["reference"]
    image = engine.image(found["image_id"])
    assert image is not None
    # The temporary name is gone.
    assert [tag for tag in image.tags if tag.startswith("imagekit/loading:")] == []


def test_an_image_that_does_not_work_gets_no_tag(
    imagekit: Imagekit, orders: Path, engine: Engine, python_image: str
) -> None:
    (orders / "flow.py").write_text("import not_there\ndef run(): pass\n")
    (orders / "imagekit.toml").write_text('entrypoints = ["flow.py:run"]\n')
    name = imagekit.name("broken")
    words = ("build", orders, "--base-image", python_image, "--builder", "buildkit", "-t", f"{name}:1")
    process = imagekit.start(*words, "--json")
    out, _ = process.communicate()
    assert process.returncode == json.loads(out)["exit_code"] == 6
    assert engine.image(f"{name}:1") is None
    assert [tag for tag in engine.tags("imagekit/loading") if f"-{process.pid}-" in tag] == []


def test_a_failing_step_is_told(imagekit: Imagekit, orders: Path, python_image: str) -> None:
    found = imagekit.refused(
        *("build", orders, "--base-image", python_image, "--builder", "buildkit"), "--buildx-builder", "no-such"
    )
    assert found["exit_code"] == 5
    assert found["message"] == "there is no builder 'no-such'"


def test_a_cache_that_the_store_cannot_export(imagekit: Imagekit, orders: Path, python_image: str) -> None:
    words = ("build", orders, "--base-image", python_image, "--builder", "buildkit")
    found = imagekit.refused(*words, "--cache-to", "type=local,dest=cache")
    assert "cannot export a cache" in found["message"]
    assert "\n" not in found["message"]
    assert "docker-container" in found["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("--cache-to", "type=nothing"),
        ("--builder", "buildkit", "--cache-to", "type=nothing"),
        ("--builder", "buildkit", "--cache-from", "type=gha"),
        ("--builder", "kaniko"),
        ("--buildx-builder", "x"),
        ("--builder", "assemble", "--dockerfile", "Dockerfile"),
    ],
)
def test_refused_before_anything_runs(imagekit: Imagekit, orders: Path, words: tuple[str, ...]) -> None:
    found = imagekit.refused("build", orders, *words, env={"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"})
    assert found["exit_code"] == 2, found


@pytest.mark.soak
@pytest.mark.xdist_group("own_engine")
def test_caches_on_the_containerd_store(
    imagekit: Imagekit, orders: Path, own_engine: MakeEngine, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    own = own_engine(containerd_store=True)
    with own.connect() as other:
        if other.image(python_image) is None:
            other.load(engine.save(python_image))
    env = {"IMAGEKIT_ENGINE": own.address}
    name = imagekit.name("cached")
    words = ("build", orders, "--base-image", python_image, "--builder", "buildkit", "-t", f"{name}:1")
    cache = tmp_path / "cache"
    imagekit.json(*words, "--cache-to", f"type=local,dest={cache},mode=max", env=env)
    assert (cache / "index.json").is_file()
    subprocess.run(["docker", "--host", own.address, "builder", "prune", "--all", "--force"], check=True)
    done = imagekit(*words, "--cache-from", f"type=local,src={cache}", "--verbose", env=env)
    assert done.returncode == 0, done.stderr
    assert "CACHED" in done.stderr
    # The step that installs was not run again.
    assert "Creating virtual environment" not in done.stderr
    # Written on a store that keeps manifests, read by its own archive.
    found = imagekit.json("verify", orders, "--base-image", python_image, env=env)
    assert found["differences"] == []


CANARY = "hunter2-is+no/password"


def test_credentials_reach_uv_and_nothing_else(
    imagekit: Imagekit, orders: Path, engine: Engine, python_image: str, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine example.com login someone password {CANARY}\n")
    env = {"NETRC": str(netrc), "UV_INDEX": f"https://someone:{quote(CANARY, safe='')}@example.com/simple"}
    name = imagekit.name("secret")
    context = tmp_path / "context"
    for words in (
        ("build", orders, "--base-image", python_image, "--builder", "buildkit", "-t", f"{name}:1", "--verbose"),
        ("dockerfile", orders, "--base-image", python_image, "-o", context),
    ):
        done = imagekit(*words, env=env)
        assert done.returncode == 0, done.stderr
        _free_of_it((done.stdout + done.stderr).encode())
    for path in context.rglob("*"):
        if path.is_file() and path.name != "uv":
            _free_of_it(path.read_bytes())
    _free_of_it(b"".join(engine.save(f"{name}:1")))
    _free_of_it(json.dumps(engine.api.inspect_image(f"{name}:1")).encode())
    _free_of_it(json.dumps(engine.api.history(f"{name}:1")).encode())


def _free_of_it(data: bytes) -> None:
    for form in (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode()[:-4]):
        assert form.encode() not in data
