"""What a second build does, and what it leaves alone; which bytes come out, and under which name."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagekit import DockerImage
from imagekit.engine.client import Engine

from .conftest import Imagekit, Inside, WriteProject, own_flow
from .wheels import write_wheel


def digests(built: Any) -> list[str]:
    return [layer["digest"] for layer in built["layers"]]


def new_layers(before: Any, after: Any) -> list[Any]:
    return [layer for layer in after["layers"] if layer["digest"] not in digests(before)]


@pytest.fixture
def root(project: WriteProject, no_index: str) -> Path:
    # Content of its own: another test's tag on the same image would keep it.
    return project({"requirements.txt": f"{no_index}alpha==1.0\nbeta==1.0\n", "flow.py": own_flow()})


def test_nothing_changed_so_nothing_is_done(imagekit: Imagekit, root: Path) -> None:
    first = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    assert first["up_to_date"] is False
    second = imagekit.json("build", root, "--tag", first["reference"])
    assert (second["up_to_date"], second["sent"]) == (True, 0)
    assert all(layer["cached"] for layer in second["layers"])
    same = ("reference", "image_id", "digest", "lock_digest", "base", "next")
    assert {key: second[key] for key in same} == {key: first[key] for key in same}


def test_an_edited_file_is_one_layer(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    first = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1")
    (root / "flow.py").write_text(own_flow())
    second = imagekit.json("build", root, "--tag", first["reference"])
    (new,) = new_layers(first, second)
    assert (new["title"], new["cached"], second["sent"]) == ("source", False, new["size"])
    # The image that was replaced is gone: nothing names it and nothing uses it.
    assert engine.image(first["image_id"]) is None


def test_going_back_sends_nothing(imagekit: Imagekit, engine: Engine, project: WriteProject, tmp_path: Path) -> None:
    """An image that lost its name to one with other packages stays for an hour, and a later build ends it."""
    mark = f"MARK = {secrets.token_hex(8)!r}\n"
    for name in ("a", "b", "c", "d", "e"):
        write_wheel(tmp_path / "made", name, "1.0", {f"{name}.py": mark})
    # By size it lies below all others.
    big = tmp_path / "made"
    for version in ("1.0", "2.0"):
        write_wheel(big, "lowest", version, {"lowest.py": mark, "data.bin": secrets.token_hex(50_000)})
    pins = "\n".join(f"{name}==1.0" for name in "abcde")
    text = f"--no-index\n--find-links {tmp_path / 'made'}\n{pins}\nlowest=="
    root = project({"requirements.txt": f"{text}1.0\n", "flow.py": own_flow()})
    tag = f"{imagekit.name()}:v1"
    first = imagekit.json("build", root, "--tag", tag)
    (root / "requirements.txt").write_text(f"{text}2.0\n")
    second = imagekit.json("build", root, "--tag", tag)
    (name,) = engine.image(first["image_id"]).tags  # type: ignore[union-attr]
    assert name.startswith("imagekit/replaced:")
    (root / "requirements.txt").write_text(f"{text}1.0\n")
    third = imagekit.json("build", root, "--tag", tag)
    assert (third["image_id"], third["sent"]) == (first["image_id"], 0)
    assert {*engine.image(first["image_id"]).tags} == {tag, name}  # type: ignore[union-attr]
    # As if it had lost its name an hour ago.
    (name,) = engine.image(second["image_id"]).tags  # type: ignore[union-attr]
    moment, _, short = name.rpartition(":")[2].partition("-")
    engine.tag(second["image_id"], f"imagekit/replaced:{int(moment) - 3600}-{short}")
    engine.remove_image(name)
    (root / "flow.py").write_text(own_flow())
    imagekit.json("build", root, "--tag", tag)
    assert engine.image(second["image_id"]) is None
    # With the code alone another, it lost its name to that, and goes with the one that it was left.
    assert engine.image(first["image_id"]) is None


def test_a_moved_pin_is_one_layer(imagekit: Imagekit, inside: Inside, root: Path) -> None:
    first = imagekit.json("build", root, "--tag", f"{imagekit.name()}:v1", "--no-source")
    text = (root / "requirements.txt").read_text()
    (root / "requirements.txt").write_text(text.replace("alpha==1.0", "alpha==1.1"))
    second = imagekit.json("build", root, "--tag", first["reference"], "--no-source")
    (new,) = new_layers(first, second)
    assert new["packages"] == ["alpha==1.1"]
    script = "import alpha, importlib.metadata as m; print(alpha.VERSION, m.version('alpha'))"
    assert inside(second["reference"], "python", "-c", script).split() == ["1.1", "1.1"]


def test_two_machines_make_the_same_image(imagekit: Imagekit, project: WriteProject, tmp_path: Path) -> None:
    """Caches, directories, umask, time zone, the order and the dates of files differ."""
    write_wheel(tmp_path / "made", "one", "1.0", {"one.py": "S = {'a', 'b', 'c', 'd'}\n"})
    write_wheel(tmp_path / "made", "two", "1.0", {"two/__init__.py": "", "two/b.py": "X = 1\n"})
    built = []
    for number, (umask, zone, order) in enumerate([(0o022, "UTC", 1), (0o077, "Asia/Tokyo", -1)]):
        mask = os.umask(umask)
        try:
            wheels = tmp_path / f"wheels{number}"
            wheels.mkdir()
            for wheel in sorted((tmp_path / "made").iterdir())[::order]:
                shutil.copyfile(wheel, wheels / wheel.name)
            names = ["a.py", "b.py", "sub/c.txt"][::order]
            lines = ["one", "two"][::order]
            root = project({name: f"# {name}\n" for name in names}, f"place{number}/deeper{number}")
            subprocess.run(["chmod", "-R", "u=rwX,go=rX", "--", str(root)], check=True)
            for path in root.rglob("*"):
                os.utime(path, (1e9 + number * 1e6, 1e9 + number * 1e6))
            package = [word for line in lines for word in ("--package", line)]
            (root / "imagekit.toml").write_text(f"no-index = true\nfind-links = ['../../wheels{number}']\n")
            (root / ".dockerignore").write_text("imagekit.toml\n.dockerignore\n")
            env = {"IMAGEKIT_CACHE_DIR": str(tmp_path / f"cache{number}"), "TZ": zone, "PYTHONHASHSEED": str(number)}
            words = ("--tag", f"{imagekit.name()}:v1")
            built.append(imagekit.json("build", root, *words, *package, env=env))
        finally:
            os.umask(mask)
    first, second = built
    assert digests(first) == digests(second)
    assert first["image_id"] == second["image_id"]
    assert not any(layer["cached"] for layer in second["layers"])


def test_created_only_from_source_date_epoch(imagekit: Imagekit, engine: Engine, root: Path) -> None:
    reference = f"{imagekit.name()}:v1"

    def created(env: dict[str, str]) -> str:
        imagekit.json("build", root, "--tag", reference, env=env)
        return str(engine.api.inspect_image(reference).get("Created"))

    assert created({"SOURCE_DATE_EPOCH": "1700000000"}).startswith("2023-11-14T22:13:20")
    assert not created({}).startswith("20")


def test_the_tag_says_what_goes_in(imagekit: Imagekit, root: Path, tmp_path: Path) -> None:
    name = imagekit.name()
    first = imagekit.json("build", root, "--name", name)
    elsewhere = tmp_path / "elsewhere" / root.name
    shutil.copytree(root, elsewhere)
    second = imagekit.json("build", elsewhere, "--name", name)
    assert (second["reference"], second["up_to_date"]) == (first["reference"], True)
    (elsewhere / "flow.py").write_text(own_flow())
    third = imagekit.json("build", elsewhere, "--name", name)
    assert third["reference"] != first["reference"]
    assert third["reference"].startswith(f"{name}:")


def test_whose_default_namespace_counts(library: Imagekit, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's setting below the configuration file, and that one below the environment."""
    name = library.name()
    prefix = library.prefix

    def reference(text: str = name) -> str:
        return DockerImage(text, tag="v1", context=root).reference

    assert reference() == f"{name}:v1"
    monkeypatch.setenv("PREFECT_DEFAULT_DOCKER_BUILD_NAMESPACE", f"{prefix}/prefect")
    assert reference() == f"{prefix}/prefect/{name}:v1"
    assert library("config", "set", f"default-namespace={prefix}/configured").returncode == 0
    assert reference() == f"{prefix}/configured/{name}:v1"
    monkeypatch.setenv("IMAGEKIT_DEFAULT_NAMESPACE", f"localhost:5000/{prefix}")
    assert reference() == f"localhost:5000/{prefix}/{name}:v1"
    assert reference(f"own/{name}") == f"own/{name}:v1"
    env = {"IMAGEKIT_DEFAULT_NAMESPACE": f"localhost:5000/{prefix}"}
    built = library.json("build", root, "--tag", f"{name}:v1", env=env)
    assert built["reference"] == f"localhost:5000/{prefix}/{name}:v1"


@pytest.mark.soak
def test_four_at_once(imagekit: Imagekit, root: Path, tmp_path: Path, engine: Engine) -> None:
    """One tag, one cache that is empty at first."""
    reference = f"{imagekit.name()}:v1"
    env = {"IMAGEKIT_CACHE_DIR": str(tmp_path / "cache-for-four")}
    processes = [imagekit.start("build", root, "--tag", reference, "--json", env=env) for _ in range(4)]
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, [err for _, err in ends]
    image = engine.image(reference)
    assert image is not None
    assert {json.loads(out)["image_id"] for out, _ in ends} == {image.id}
    assert list((tmp_path / "tmp").iterdir()) == []
