"""``imagekit advise`` as people use it: told by numbers, and measured on the engine with nothing left behind."""

from __future__ import annotations

import os
import secrets
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import imagekit as face
from imagekit.engine.client import Engine
from imagekit.engine.containers import labelled

from .conftest import Imagekit, WriteProject
from .wheels import write_wheel

DEAD = {"IMAGEKIT_ENGINE": "unix:///nowhere/docker.sock"}


@pytest.fixture
def plugged(project: WriteProject, tmp_path: Path) -> Path:
    """A project that needs one small package, which nobody else has, with a git history of a hundred days."""
    mark, name = secrets.token_hex(8), f"plug{secrets.token_hex(4)}"
    write_wheel(tmp_path / "offered", name, "1.0", {f"{name}.py": f"MARK = {mark!r}\n"})
    lines = f"--no-index\n--find-links {tmp_path / 'offered'}\n{name}\n"
    root = project({"flow.py": f"def etl():\n    import {name}\n    return {mark!r}\n", "requirements.txt": lines})
    commit(root, 100, "init", "-q")
    commit(root, 100, "add", ".")
    commit(root, 100, "commit", "-qm", "all")
    (root / "flow.py").write_text((root / "flow.py").read_text() + "# edited\n")
    commit(root, 9, "commit", "-qam", "edit")
    return root


def commit(root: Path, days_ago: float, *words: str) -> None:
    moment = (datetime.now(timezone.utc) - timedelta(days=days_ago)).isoformat()
    env = {**os.environ, "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
    named = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *named, "-C", str(root), *words], env=env, check=True, capture_output=True)


def test_told_without_building_and_with_the_runs_that_are_recorded(imagekit: Imagekit, plugged: Path) -> None:
    found = imagekit.json("advise", "flow.py:etl", "--project", plugged)
    assert found["facts"]["packages"] == 1
    assert found["facts"]["history"]["source_changes"] == 1
    assert found["facts"]["history"]["dependency_changes"] == 0
    assert found["facts"]["starts"] == {
        "per_day": 1.0,
        "origin": "assumed",
        "recorded": 0,
        "accepted_to_running_seconds": None,
    }
    assert {figure["origin"] for figure in found["costs"].values()} == {"estimated"}
    for _ in range(3):
        assert imagekit("run", "flow.py:etl", "--project", plugged).returncode == 0
    found = imagekit.json("advise", "flow.py:etl", "--project", plugged)
    starts = found["facts"]["starts"]
    assert (starts["origin"], starts["per_day"], starts["recorded"]) == ("recorded", 3.0, 3)
    assert starts["accepted_to_running_seconds"] > 0
    # A directory's runs are those in images of its name.
    assert imagekit.json("advise", plugged)["facts"]["starts"]["recorded"] == 3
    few, many = (
        imagekit.json("advise", "flow.py:etl", "--project", plugged, "--runs-per-day", n)["recommended"]
        for n in (0.01, 10_000)
    )
    assert (few, many) == ("extras", "self-contained")
    shown = imagekit("advise", "flow.py:etl", "--project", plugged, "--runs-per-day", "0.01").stdout
    assert "→  default image and EXTRA_PIP_PACKAGES" in shown
    assert "break-even, default image and EXTRA_PIP_PACKAGES → " in shown
    assert "next: imagekit run flow.py:etl --image " in shown


def test_measured_and_nothing_of_it_stays(imagekit: Imagekit, engine: Engine, plugged: Path) -> None:
    before = {tag for image in engine.api.images() for tag in image["RepoTags"] or ()}
    words = ("advise", "flow.py:etl", "--project", plugged, "--measure", "--rounds", "1")
    found = imagekit.json(*words, "--elsewhere")
    origins = {name: figure["origin"] for name, figure in found["costs"].items()}
    measured = {name for name, origin in origins.items() if origin == "measured"}
    assert measured == {"start", "kept_extras", "install", "fetch", "build"}
    for name in ("start", "install", "fetch", "build"):
        assert found["costs"][name]["seconds"] > 0
    assert not any("could not" in note for note in found["notes"])
    left = {tag for image in engine.api.images() for tag in image["RepoTags"] or ()} - before
    assert [tag for tag in left if tag.startswith("imagekit/advise")] == []
    # Other tests derive images at the same time: of this one's package there is none.
    package = (plugged / "requirements.txt").read_text().split()[-1]
    assert [tag for tag in left if tag.startswith("imagekit/extras") and package in str(engine.image(tag))] == []
    assert labelled(engine, "imagekit.kind=measure") == []


def test_from_python(library: Imagekit, plugged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plugged)
    found = face.advise("flow.py:etl", runs_per_day=10_000)
    assert found.recommended == "self-contained"
    assert found.strategy("default").why_not == "it lacks a package"
    assert found.break_evens[0].starts is not None
    assert face.advise(plugged, runs_per_day=0.01).recommended == "extras"


@pytest.mark.parametrize(
    "words",
    [
        ("nope",),
        ("flow.py:nope",),
        ("../flow.py:etl",),
        (".", "--runs-per-day", "-1"),
        (".", "--runs-per-day", "nan"),
        (".", "--rounds", "3"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    imagekit: Imagekit, plugged: Path, words: tuple[str, ...]
) -> None:
    imagekit.cwd = plugged
    found = imagekit.refused("advise", *words, env=DEAD)
    assert found["exit_code"] == 2
    assert found["hint"]
