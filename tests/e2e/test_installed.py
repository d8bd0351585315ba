"""What an image holds is what an installer would have put there, and equals the lock."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Imagekit, Inside, WriteProject, snapshot
from .wheels import write_wheel

LOOK = (Path(__file__).parent / "inside_image.py").read_text()
BACKENDS = {
    "hatchling": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "setuptools": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "none": "",
}
PYPROJECT = """
{backend}
[project]
name = "shop-floor"
version = "1.4.0"
description = "Counts what is on the floor"
requires-python = ">=3.10"
dependencies = ["beta==1.0", "alpha<2"]
[project.optional-dependencies]
fast = ["gamma"]
[project.scripts]
shop-floor = "shop_floor.cli:main"
[project.entry-points."shop.plugins"]
floor = "shop_floor"
[dependency-groups]
ops = ["delta"]
[tool.imagekit]
no-index = true
find-links = ["{wheels}"]
extras = ["fast"]
groups = ["ops"]
"""
MODULES = {
    "shop_floor/__init__.py": "",
    "shop_floor/cli.py": "import os\nimport beta\n"
    "def main():\n    print(beta.alpha.VERSION, os.getuid(), os.getcwd())\n",
}


@pytest.fixture(scope="session")
def odd_wheels(wheels: Path) -> Path:
    """Wheels with all that a wheel may bring."""
    write_wheel(wheels, "gamma", "3.0", {"space/gamma/__init__.py": "X = 'gamma'\n"})
    write_wheel(wheels, "delta", "0.1", {"space/delta.py": "X = 'delta'\n", "delta_extra.pth": "/opt/extra\n"})
    data = "odd_pack-5.0.data"
    write_wheel(
        wheels,
        "odd_pack",
        "5.0",
        {
            "odd_pack.py": "def main():\n    print('odd main')\n",
            f"{data}/scripts/odd-python": "#!python\nimport odd_pack, sys\nodd_pack.main()\nprint(sys.prefix)\n",
            f"{data}/scripts/odd-shell": "#!/bin/sh\necho shell\n",
            f"{data}/headers/odd.h": "#define ODD 1\n",
            f"{data}/data/share/odd/table.txt": "1 2 3\n",
            f"{data}/platlib/odd_native.py": "Y = 2\n",
            "broken_on_purpose.py": "def (:\n",
        },
        scripts={"odd-main": "odd_pack:main"},
        executable=[f"{data}/scripts/odd-shell"],
    )
    return wheels


def pip(inside: Inside, image: str, *words: str) -> str:
    """pip's answer from inside ``image``, which does not have pip: the host's is mounted."""
    found = importlib.util.find_spec("pip")
    assert found is not None
    assert found.origin is not None
    options = ["--volume", f"{Path(found.origin).parent}:/mounted/pip:ro", "--env", "PYTHONPATH=/mounted"]
    return inside(image, "python", "-m", "pip", "--disable-pip-version-check", *words, options=options)


def look(inside: Inside, image: str) -> Any:
    return json.loads(inside(image, "python", "-c", LOOK))


def normalized(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").lower(): version for name, version in names.items()}


@pytest.mark.parametrize(("layout", "backend"), [("src", "hatchling"), (".", "setuptools"), ("src", "none")])
def test_a_project_with_only_a_pyproject(
    imagekit: Imagekit, inside: Inside, project: WriteProject, odd_wheels: Path, layout: str, backend: str
) -> None:
    pyproject = PYPROJECT.format(backend=BACKENDS[backend], wheels=odd_wheels)
    root = project({"pyproject.toml": pyproject, **{f"{layout}/{path}": text for path, text in MODULES.items()}})
    before = snapshot(root)
    built = imagekit.json("build", root, "--name", imagekit.name())
    image = built["reference"]
    assert snapshot(root) == before

    locked = imagekit.json("lock", root, "--output", root.parent / "pylock.toml")
    expected = {package["name"]: package["version"] for package in locked["packages"]}
    assert expected == {"alpha": "1.1", "beta": "1.0", "gamma": "3.0", "delta": "0.1"}
    expected["shop-floor"] = "1.4.0"

    found = look(inside, image)
    assert found["problems"] == []
    assert normalized(found["distributions"]) == expected
    assert {
        entry["name"]: entry["version"] for entry in json.loads(pip(inside, image, "list", "--format", "json"))
    } == found["distributions"]
    assert pip(inside, image, "check").strip() == "No broken requirements found."
    pins = [pin for layer in built["layers"] for pin in layer["packages"]]
    assert sorted(pins) == sorted(f"{name}=={version}" for name, version in expected.items())

    version, uid, cwd = inside(image, "shop-floor", options=["--workdir", "/"]).split()
    assert (version, cwd) == ("1.1", "/")
    assert int(uid) >= 1000
    points = "import importlib.metadata as m; print([e.load().__name__ for e in m.entry_points(group='shop.plugins')])"
    assert inside(image, "python", "-c", points, options=["--workdir", "/"]).strip() == "['shop_floor']"
    assert inside(image, "sh", "-c", "touch made-here && pwd").strip() == "/app"


def test_all_that_a_wheel_may_bring(
    imagekit: Imagekit, inside: Inside, project: WriteProject, odd_wheels: Path, no_index: str
) -> None:
    root = project({"requirements.txt": f"{no_index}odd-pack\ngamma\ndelta\n"})
    image = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    found = look(inside, image)
    # The one module that no Python can compile has no bytecode, and nothing else is wrong.
    assert [problem for problem in found["problems"] if "broken_on_purpose" not in problem] == []
    assert len(found["problems"]) == 1
    assert pip(inside, image, "check").strip() == "No broken requirements found."
    assert inside(image, "odd-main", options=["--workdir", "/"]) == "odd main\n"
    assert inside(image, "odd-python", options=["--workdir", "/tmp"]) == "odd main\n/opt/venv\n"
    assert inside(image, "odd-shell") == "shell\n"
    script = """
import glob, pathlib, sys, sysconfig
import odd_native, space.delta, space.gamma
print(space.gamma.X, space.delta.X, odd_native.Y, len(list(space.__path__)), space.__file__)
print("/opt/extra" in sys.path)
print([p for p in glob.glob(sys.prefix + "/include/**/odd.h", recursive=True)])
print(pathlib.Path(sys.prefix, "share/odd/table.txt").read_text().strip())
"""
    lines = inside(image, "python", "-c", script, options=["--workdir", "/"]).splitlines()
    assert lines[0] == "gamma delta 2 1 None"
    # site leaves out paths that are not there; the path file itself is where it takes effect.
    assert lines[1] == "False"
    made = inside(image, "python", "-c", script, options=["--workdir", "/", "--tmpfs", "/opt/extra"]).splitlines()
    assert made[1] == "True"
    assert len(json.loads(lines[2].replace("'", '"'))) == 1
    assert lines[3] == "1 2 3"


def test_bytecode_is_what_python_uses(imagekit: Imagekit, inside: Inside, project: WriteProject, no_index: str) -> None:
    root = project({"requirements.txt": f"{no_index}beta==2.0\n"})
    image = imagekit.json("build", root, "--name", imagekit.name())["reference"]
    said = inside(image, "sh", "-c", "python -v -c 'import beta' 2>&1")
    for module in ("alpha/__pycache__/__init__.cpython-", "/__pycache__/beta.cpython-"):
        assert any("code object from" in line and module in line for line in said.splitlines()), said[-2000:]
    assert "wrote" not in said


@pytest.mark.soak
def test_a_dependency_that_is_there_as_source_only(imagekit: Imagekit, inside: Inside, project: WriteProject) -> None:
    root = project({"requirements.txt": "docopt==0.6.2\n"})
    refused = imagekit.refused("build", root, "--name", imagekit.name())
    assert (refused["error"], refused["exit_code"]) == ("NoWheel", 4)
    assert "docopt" in refused["message"]
    assert "docopt" in refused["hint"]

    (root / "imagekit.toml").write_text('source-builds = ["docopt"]\n')
    built = imagekit.json("build", root, "--name", imagekit.name())
    found = look(inside, built["reference"])
    # What built it is not in the image.
    assert (found["distributions"], found["problems"]) == ({"docopt": "0.6.2"}, [])
    assert pip(inside, built["reference"], "check").strip() == "No broken requirements found."
    again = imagekit.json("build", root, "--tag", built["reference"])
    assert again["up_to_date"] is True


def test_a_project_that_only_its_backend_can_build(imagekit: Imagekit, inside: Inside, project: WriteProject) -> None:
    """Its version is dynamic, and a part of it is not there before the build."""
    root = project(
        {
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            '[project]\nname = "generated"\ndynamic = ["version"]\n[project.scripts]\ngenerated = "generated:main"\n',
            "setup.py": "from pathlib import Path\nfrom setuptools import setup\n"
            "Path('generated/made.py').write_text('MADE = 7\\n')\n"
            "setup(version='2.5', packages=['generated'])\n",
            "generated/__init__.py": "def main():\n"
            "    from generated import made\n    print(made.__file__, made.MADE)\n",
        }
    )
    before = snapshot(root)
    built = imagekit.json("build", root, "--name", imagekit.name())
    assert snapshot(root) == before
    found = look(inside, built["reference"])
    assert (found["distributions"], found["problems"]) == ({"generated": "2.5"}, [])
    where, number = inside(built["reference"], "generated", options=["--workdir", "/"]).split()
    assert number == "7"
    assert "site-packages" in where
