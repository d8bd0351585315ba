"""The wheel, as somebody has it who has no checkout: built, installed, and asked for what comes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import imagekit

ROOT = Path(imagekit.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    program = Path(sys.executable).with_name("uv")
    subprocess.run([program, "build", "--quiet", "--wheel", "--out-dir", directory, ROOT], check=True)
    [built] = directory.glob("*.whl")
    return built


def test_what_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    tracked = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    wanted = {name for name in tracked if name.startswith("imagekit/")}
    wanted |= {f"imagekit/_data/{name}" for name in tracked if name.startswith(("base-images/", "recipes/"))}
    assert wanted - names == set()
    # Nothing of the checkout comes along: tests, benchmarks, documents.
    assert {name.partition("/")[0] for name in names} == {"imagekit", f"imagekit-{imagekit.__version__}.dist-info"}


def test_it_works_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python.with_name("pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{wheel}[report]"], check=True)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEKIT_", "PYTHON", "VIRTUAL"))}
    env |= {"HOME": str(tmp_path / "home"), "IMAGEKIT_ENGINE": f"unix://{tmp_path}/no.sock"}
    (tmp_path / "elsewhere").mkdir()

    def said(*words: str) -> str:
        program = [python.with_name("imagekit"), *words]
        done = subprocess.run(program, cwd=tmp_path / "elsewhere", env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert said("--version").split()[-1] == imagekit.__version__
    assert "imagekit build" in said("--help")
    recipes = said("recipe", "ls")
    assert all(path.stem in recipes for path in (ROOT / "recipes").glob("*.toml"))
    assert "-python3.13-core" in said("matrix", "ls")
    assert "msodbcsql18" in said("recipe", "show", "mssql-odbc", "--on", "debian:12")
    # Pages are drawn from the templates that are in it, by the libraries that its extra names.
    said("bench", "report", str(ROOT / "benchmarks" / "results" / "reference.json"), "-o", "kept.html")
    page = (tmp_path / "elsewhere" / "kept.html").read_text("utf-8")
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert page.count("<svg") > 3
