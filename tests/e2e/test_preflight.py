"""Packages whose compiled files miss something of the base: told, refused, or passed over, before the image is used."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from pathlib import Path

import pytest

from imagekit.engine.client import Engine

from ..layers.wheels import write_wheel
from ..preflight.elves import shared_library
from .conftest import Imagekit, WriteProject

MODULE = "cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Wheels of this test alone: each has a word that no other run of it has."""
    word = f"WORD = {secrets.token_hex()!r}\n".encode()
    for name, data in {
        "wanting": shared_library("libc.so.6", "libnever.so.9", "libGL.so.1"),
        "modern": shared_library("libc.so.6", versions=["GLIBC_2.4", "GLIBC_2.99"]),
        "content": shared_library("libc.so.6", "libm.so.6", versions=["GLIBC_2.17"]),
    }.items():
        members = {f"{name}/__init__.py": word, f"{name}/_fast.{MODULE}": data}
        (tmp_path / "places").mkdir(exist_ok=True)
        made = write_wheel(tmp_path / "places", members, name)
        made.rename(made.with_name(f"{name}-1.0-cp311-cp311-linux_x86_64.whl"))
    return tmp_path / "places"


def requirements(places: Path, *names: str) -> dict[str, str]:
    return {"requirements.txt": "\n".join(["--no-index", f"--find-links {places}", *names]) + "\n"}


def test_a_missing_library_is_told_each_time_and_refused_where_that_is_asked_for(
    imagekit: Imagekit, engine: Engine, project: WriteProject, places: Path
) -> None:
    root = project({**requirements(places, "wanting", "content"), "app.py": "1\n"}, "wanting-project")
    tag = f"{imagekit.prefix}wanting:1"
    strict = imagekit("build", root, "--python", "3.11", "-t", tag, "--preflight", "strict")
    assert strict.returncode == 5
    assert "error: wanting 1.0: wanting._fast needs libGL.so.1, libnever.so.9, which " in strict.stderr
    assert "--preflight off" in strict.stderr
    assert engine.image(tag) is None
    for edited in ("1\n", "2\n"):
        (root / "app.py").write_text(edited)
        built = imagekit("build", root, "--python", "3.11", "-t", tag)
        assert built.returncode == 0, built.stderr
        assert "warning: wanting 1.0: wanting._fast needs libGL.so.1, libnever.so.9" in built.stderr
        assert "apt-file search libnever.so.9" in built.stderr
        assert "content" not in built.stderr.partition("warning:")[2].partition("\n")[0]
    plan = imagekit.json("plan", root, "--python", "3.11")
    (found,) = plan["preflight"]["findings"]
    assert found["wants"] == ["libGL.so.1", "libnever.so.9"]
    assert found["severity"] == "warning"
    assert "warning: wanting 1.0" in imagekit("plan", root, "--python", "3.11").stdout


def test_what_cannot_load_is_refused_before_the_tag_moves(
    imagekit: Imagekit, engine: Engine, project: WriteProject, places: Path
) -> None:
    root = project(requirements(places, "modern", "content"), "modern-project")
    tag = f"{imagekit.prefix}modern:1"
    refused = imagekit("build", root, "--python", "3.11", "-t", tag, "--json")
    assert refused.returncode == 5
    error = json.loads(refused.stdout)
    assert error["error"] == "PreflightFailed"
    assert error["message"].startswith("modern 1.0: modern._fast needs glibc 2.99, and ")
    assert engine.image(tag) is None
    assert imagekit("build", root, "--python", "3.11", "-t", tag, "--preflight", "off").returncode == 0


def test_nothing_need_be_built_to_be_told(imagekit: Imagekit, project: WriteProject, places: Path) -> None:
    root = project(requirements(places, "modern", "wanting", "content"), "told-project")
    found = imagekit("preflight", root, "--python", "3.11", "--json")
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert report["counts"] == {"error": 1, "warning": 1, "note": 0}
    assert report["wheels"] == 3
    assert report["unknown"] == []
    assert [each["package"] for each in report["findings"]] == ["modern", "wanting"]
    only = project(requirements(places, "wanting"), "only-wanting")
    shown = imagekit("preflight", only, "--python", "3.11")
    assert shown.returncode == 0
    assert "warning: wanting 1.0: wanting._fast needs libGL.so.1, libnever.so.9" in shown.stdout
    assert imagekit("preflight", only, "--python", "3.11", "--strict", "--quiet").returncode == 1


BACKEND = """
import sys


def build_wheel(directory, config_settings=None, metadata_directory=None):
    sys.stderr.write("src/pyodbc.h:52:10: fatal error: sql.h: No such file or directory\\n")
    raise SystemExit("error: command 'g++' failed: No such file or directory")
"""


def test_a_failed_source_build_names_the_recipe_that_mends_it(
    imagekit: Imagekit, project: WriteProject, tmp_path: Path
) -> None:
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "pyodbc"\nversion = "0.1"\n',
        "backend.py": f"WORD = {secrets.token_hex()!r}\n{BACKEND}",
        "PKG-INFO": "Metadata-Version: 2.2\nName: pyodbc\nVersion: 0.1\n",
    }
    (tmp_path / "sources").mkdir()
    with tarfile.open(tmp_path / "sources" / "pyodbc-0.1.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"pyodbc-0.1/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    root = project(requirements(tmp_path / "sources", "pyodbc"), "source-project")
    failed = imagekit("build", root, "--python", "3.11", "--allow-source-build", "pyodbc", "--json")
    assert failed.returncode == 5
    error = json.loads(failed.stdout)
    assert error["error"] == "SourceBuildFailed"
    assert error["hint"] == 'the base has no sql.h and no g++: add recipes = ["unixodbc"]'


def test_a_mode_that_is_none_is_refused_with_its_line(imagekit: Imagekit, project: WriteProject) -> None:
    root = project({"pyproject.toml": '[tool.imagekit]\npreflight = "stict"\n'}, "mistyped")
    refused = imagekit("preflight", root, env={"DOCKER_HOST": "unix:///nowhere/none.sock"})
    assert refused.returncode == 2
    assert "pyproject.toml:2: [tool.imagekit] preflight: unknown preflight 'stict'" in refused.stderr
    assert "strict" in refused.stderr


@pytest.mark.soak
@pytest.mark.parametrize("name", ["api", "data", "tiny"])
def test_nothing_is_told_of_what_works(name: str, imagekit: Imagekit, project: WriteProject) -> None:
    pins = (Path(__file__).parents[2] / "benchmarks" / "sets" / name / "pins.txt").read_text()
    report = imagekit.json("preflight", project({"requirements.txt": pins}, f"{name}-set"), "--python", "3.11")
    assert report["findings"] == []
    assert report["unknown"] == []
    assert report["wheels"] > 0
