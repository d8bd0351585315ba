"""Builds that are killed at any point, engines that are, and many builds at once."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from imagekit.engine.client import Engine

from ..conftest import MakeEngine
from .conftest import Imagekit, Inside, WriteProject, own_flow
from .wheels import write_wheel

MODULES = 15
# Fractions of the time that a whole build takes.
FEW = [0.6]
MANY = [round(0.04 * n, 2) for n in range(1, 26)]
SOME = [round(0.1 * n, 2) for n in range(1, 11) if n != 7]


def points(*values: float) -> pytest.MarkDecorator:
    few = [pytest.param(value) for value in FEW]
    return pytest.mark.parametrize("point", [*few, *(pytest.param(v, marks=pytest.mark.soak) for v in values)])


@pytest.fixture(scope="module")
def some_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen wheels with modules to compile, and one large enough to be loaded ahead."""
    directory = tmp_path_factory.mktemp("wheels")
    for number in range(12):
        modules = {
            f"p{number}/m{n}.py": "\n".join(f"def f{k}(x): return x + {k}" for k in range(60)) for n in range(MODULES)
        }
        write_wheel(directory, f"p{number}", "1.0", {f"p{number}/__init__.py": "", **modules})
    write_wheel(directory, "bulk", "1.0", {"bulk.bin": secrets.token_hex(30 << 20)})
    return directory


@pytest.fixture
def root(project: WriteProject, some_wheels: Path) -> Path:
    return _project(project, some_wheels, "project")


def _project(project: WriteProject, wheels: Path, name: str) -> Path:
    names = "".join(f"p{n}\n" for n in range(12))
    return project(
        {
            "requirements.txt": f"--no-index\n--find-links {wheels}\nbulk\n{names}",
            "flow.py": f"import p3.m1\n\n\ndef etl():\n    return p3.m1.f2(1), {secrets.token_hex(8)!r}\n",
        },
        name,
    )


def _start(imagekit: Imagekit, *words: object) -> subprocess.Popen[str]:
    return imagekit.start(*words, "--json")


def _killed_after(seconds: float, imagekit: Imagekit, *words: object) -> int:
    process = _start(imagekit, *words)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.communicate()
    return process.returncode


def _left_in(cache: Path) -> list[str]:
    """What is unfinished; locks and leases are no more than empty files."""
    return [str(path) for path in cache.rglob(".new-*")]


def _copies(cache: Path) -> list[str]:
    """The pins of the layers in a cache, one for each copy."""
    found = []
    for path in (cache / "layers").glob("*/*.json"):
        title = json.loads(path.read_bytes().partition(b"\n")[0])["title"]
        if "==" in title:
            found.append(title)
    return sorted(found)


@points(*MANY)
def test_a_build_that_is_killed_anywhere_works_again(
    imagekit: Imagekit, engine: Engine, root: Path, tmp_path: Path, point: float
) -> None:
    reference = f"{imagekit.name()}:v1"
    whole_cache, cache = tmp_path / "whole", tmp_path / "cache"
    began = time.time()
    whole = imagekit.json("build", root, "--tag", reference, env={"IMAGEKIT_CACHE_DIR": str(whole_cache)})
    seconds = time.time() - began
    engine.remove_image(reference, force=True)

    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(cache)
    while (ended := _killed_after(seconds * point, imagekit, "build", root, "--tag", reference)) == 0:
        # It was quicker than the one that was timed.
        shutil.rmtree(cache)
        engine.remove_image(reference, force=True)
        point *= 0.9
    assert ended == -signal.SIGKILL
    # A tag is on a whole image, or on none.
    found = engine.image(reference)
    assert found is None or found.id == whole["image_id"]

    # What it left half-written is nobody's after a minute: the next build takes it away.
    for path in _left_in(cache):
        os.utime(path, (began - 61, began - 61))
    again = imagekit.json("build", root, "--tag", reference)
    assert again["digest"] == whole["digest"]
    assert [path for path in _left_in(cache) if "/layers/" in path] == []
    imagekit.json("cache", "prune")
    assert _left_in(cache) == []
    assert imagekit.json("run", "flow.py:etl", "--image", reference)["result"][0] == 3
    assert imagekit.json("cache", "verify")["damaged"] == []


@pytest.mark.xdist_group("own_engine")
@pytest.mark.parametrize("containerd_store", [False, pytest.param(True, marks=pytest.mark.soak)])
@points(*SOME)
def test_an_engine_that_is_killed_anywhere_works_again(
    imagekit: Imagekit,
    own_engine: MakeEngine,
    engine: Engine,
    inside: Inside,
    python_image: str,
    root: Path,
    tmp_path: Path,
    containerd_store: bool,
    point: float,
) -> None:
    ours = own_engine(containerd_store=containerd_store)
    with ours.connect() as connected:
        if connected.image(python_image) is None:
            connected.load(engine.save(python_image))
    imagekit.env |= {"IMAGEKIT_ENGINE": ours.address, "IMAGEKIT_CACHE_DIR": str(tmp_path / "cache")}
    reference = f"{imagekit.name()}:v1"
    began = time.monotonic()
    whole = imagekit.json("build", root, "--tag", reference, "--no-health-check")
    seconds = time.monotonic() - began
    with ours.connect() as connected:
        connected.remove_image(reference, force=True)

    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(tmp_path / "other")
    process = _start(imagekit, "build", root, "--tag", reference, "--no-health-check")
    time.sleep(seconds * point)
    ours.kill()
    _, err = process.communicate()
    # It was quicker, or says in one line that the engine went.
    assert process.returncode in (0, 3), err
    assert "Traceback" not in err
    ours.start()
    assert imagekit.json("build", root, "--tag", reference)["digest"] == whole["digest"]
    assert "(3," in inside(reference, "python", "-c", "import flow; print(flow.etl())", address=ours.address)


def test_eight_builds_at_once(
    imagekit: Imagekit, engine: Engine, project: WriteProject, some_wheels: Path, tmp_path: Path
) -> None:
    """Half of them of one project and tag, the others of projects with the same wheels; nothing is in the cache."""
    cache = tmp_path / "cache"
    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(cache)
    shared = _project(project, some_wheels, "shared")
    one = f"{imagekit.name()}:v1"
    asked = [(shared, one)] * 4
    asked += [(_project(project, some_wheels, f"own{n}"), f"{imagekit.name()}:v1") for n in range(4)]
    processes = [_start(imagekit, "build", root, "--tag", tag) for root, tag in asked]
    results: list[Any] = []
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, err
        results.append(json.loads(out))
    assert len({result["digest"] for result in results[:4]}) == 1
    assert len({result["image_id"] for result in results}) == 1 + 4
    for result in results:
        found = engine.image(result["reference"])
        assert found is not None
        assert found.id == result["image_id"]
    wheel_layers = [[x["digest"] for x in r["layers"] if x["packages"]] for r in results]
    assert all(layers == wheel_layers[0] for layers in wheel_layers)
    assert _copies(cache) == sorted(["bulk==1.0", *(f"p{n}==1.0" for n in range(12))])
    assert _left_in(cache) == []
    # Each is what its build says, and all are of the same layers but for the source.
    for reference in (one, results[-1]["reference"]):
        assert imagekit.json("run", "flow.py:etl", "--image", reference)["result"][0] == 3


def test_the_engines_images_are_pruned_in_between(
    imagekit: Imagekit, engine: Engine, project: WriteProject, tmp_path: Path
) -> None:
    # Content that no other image has.
    write_wheel(tmp_path / "once", "once", "1.0", {"once.py": f"MARK = {secrets.token_hex(16)!r}\n"})
    requirements = f"--no-index\n--find-links {tmp_path / 'once'}\nonce\n"
    root = project({"requirements.txt": requirements, "flow.py": "def etl():\n    return 4\n"})
    first = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    assert engine.remove_image(first["reference"], force=True)
    edited = own_flow()
    (root / "flow.py").write_text(edited)
    second = imagekit.json("build", root, "--tag", first["reference"])
    sizes = {layer["title"]: layer["size"] for layer in second["layers"]}
    assert second["sent"] >= sizes["once==1.0"] + sizes["source"]
    assert imagekit.json("run", "flow.py:etl", "--image", first["reference"])["result"] in edited


@pytest.mark.soak
def test_a_stopped_build_holds_nobody_up(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    imagekit.env["IMAGEKIT_CACHE_DIR"] = str(tmp_path / "cache")
    reference = f"{imagekit.name()}:v1"
    stopped = _start(imagekit, "build", root, "--tag", reference)
    try:
        while not any((tmp_path / "cache").glob("layers/*/*.lock")) and stopped.poll() is None:
            time.sleep(0.01)
        os.kill(stopped.pid, signal.SIGSTOP)
        # A signal also reaches one that has ended and was not waited for.
        assert stopped.poll() is None
        built = imagekit.json("build", root, "--tag", reference)
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    out, err = stopped.communicate()
    assert stopped.returncode == 0, err
    assert json.loads(out)["digest"] == built["digest"]
