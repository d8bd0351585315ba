"""Projects in the words of other tools, built and run on a real engine."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import pytest

from imagekit.lock.uv import find_uv
from tests.own_repositories import package_files

from .conftest import Imagekit, Inside, WriteProject
from .wheels import write_wheel

# It says on which side it ran, and takes what its wheel needs from a file.
BACKEND = """
import os, pathlib, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    if os.path.isdir({host!r}):
        pathlib.Path({host!r}, "ran").touch()
    needs = pathlib.Path("needs.txt").read_text().splitlines()
    with zipfile.ZipFile(directory + "/dyn-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write("dyn.py")
        text = "Metadata-Version: 2.1\\nName: dyn\\nVersion: 1.0\\nProvides-Extra: more\\n"
        text += "".join(f"Requires-Dist: {{need}}\\n" for need in needs)
        wheel.writestr("dyn-1.0.dist-info/METADATA", text)
        wheel.writestr("dyn-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("dyn-1.0.dist-info/RECORD", "")
    return "dyn-1.0-py3-none-any.whl"
"""


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Path, str]:
    """A directory of two wheels, and what is in them that no other test has."""
    unique = secrets.token_hex(4)
    for name in ("alpha", "beta"):
        write_wheel(tmp_path / "wheels", name, "1.0", {f"{name}.py": f"VALUE = {unique!r}\n"})
    write_wheel(tmp_path / "wheels", "alpha", "2.0", {"alpha.py": "VALUE = 'newer'\n"})
    return tmp_path / "wheels", unique


def test_a_workspace_by_its_uv_lock(
    imagekit: Imagekit, project: WriteProject, inside: Inside, wheels: tuple[Path, str]
) -> None:
    directory, unique = wheels
    files = {**package_files("shop", "1.0"), **package_files("cart", "1.0", "alpha", below="packages/cart/")}
    files |= package_files("money", "1.0", "beta", below="packages/money/", value=unique)
    sources = "[tool.uv.sources]\n{} = {{ workspace = true }}\n"
    files["pyproject.toml"] += 'dependencies = ["cart"]\n' + sources.format("cart")
    files["pyproject.toml"] += '[tool.uv.workspace]\nmembers = ["packages/*"]\n'
    files["packages/cart/pyproject.toml"] += 'dependencies = ["money", "alpha<2"]\n' + sources.format("money")
    files["packages/money/pyproject.toml"] += "dependencies = [\"beta; sys_platform == 'linux'\"]\n"
    root = project(files)
    uv = [str(find_uv()), "lock", "--quiet", "--no-config", "--no-index", "--find-links", str(directory)]
    subprocess.run(uv, cwd=root, check=True)
    before = sorted(path.relative_to(root) for path in root.rglob("*"))
    built = imagekit.json("build", root, "--name", imagekit.name())
    script = "import shop, cart, money, alpha, beta; print(money.VALUE, alpha.VALUE, beta.VALUE, cart.__file__)"
    found = inside(built["reference"], "python", "-c", script).split()
    # The newer alpha is not the locked one; members are copied.
    assert found[:3] == [unique] * 3
    assert "site-packages" in found[3]
    assert sorted(path.relative_to(root) for path in root.rglob("*")) == before
    # One member, with the lock of the workspace around it.
    member = imagekit.json("build", root / "packages/cart", "--name", imagekit.name())
    assert inside(member["reference"], "python", "-c", "import money; print(money.VALUE)").split() == [unique]
    # An edit of a requirement makes the lock stale, and says what to do.
    path = root / "packages/cart/pyproject.toml"
    path.write_text(path.read_text().replace("alpha<2", "alpha<3"))
    error = imagekit.refused("build", root, "--name", imagekit.name())
    assert (error["error"], error["hint"]) == ("StaleLock", "make it anew: uv lock")
    assert "cart asks for alpha<3, and then for alpha<2" in error["message"]


def test_what_only_a_build_can_tell_is_built_in_the_base(
    imagekit: Imagekit, project: WriteProject, inside: Inside, wheels: tuple[Path, str], tmp_path: Path
) -> None:
    directory, unique = wheels
    (tmp_path / "host").mkdir()
    pyproject = (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "dyn"\nversion = "1.0"\ndynamic = ["dependencies", "optional-dependencies"]\n'
        f'[tool.imagekit]\nfind-links = ["{directory.as_uri()}"]\nno-index = true\n'
    )
    root = project(
        {
            "pyproject.toml": pyproject,
            "backend.py": BACKEND.format(host=str(tmp_path / "host")),
            "needs.txt": "alpha<2\nnone-of-this; sys_platform == 'win32'\nbeta; extra == 'more'\n",
            "dyn.py": f"VALUE = {unique!r}\n",
        }
    )
    built = imagekit.json("build", root, "--extra", "more", "--name", imagekit.name())
    script = "import dyn, alpha, beta; print(dyn.VALUE, alpha.VALUE, beta.VALUE)"
    assert inside(built["reference"], "python", "-c", script).split() == [unique] * 3
    assert not (tmp_path / "host" / "ran").exists()
    # The file that its backend reads is part of what the lock was made from.
    (root / "needs.txt").write_text("alpha>=2\n")
    again = imagekit.json("build", root, "--name", imagekit.name())
    assert inside(again["reference"], "python", "-c", "import alpha; print(alpha.VALUE)").split() == ["newer"]


def test_an_environment_yml(
    imagekit: Imagekit, project: WriteProject, inside: Inside, wheels: tuple[Path, str]
) -> None:
    directory, unique = wheels
    text = f"name: envy\ndependencies: [pip, {{pip: ['--find-links {directory.as_uri()}', --no-index, alpha<2]}}]\n"
    root = project({"environment.yml": text + "variables: {REGION: north}\n"})
    built = imagekit.json("build", root, "--name", imagekit.name())
    script = "import alpha, os; print(alpha.VALUE, os.environ['REGION'])"
    assert inside(built["reference"], "python", "-c", script).split() == [unique, "north"]
    (root / "environment.yml").write_text("dependencies:\n  - numpy;1\n  - pip: [alpha]\n")
    dead = {"IMAGEKIT_ENGINE": "unix:///nonexistent/docker.sock"}
    error = imagekit.refused("build", root, "--name", imagekit.name(), env=dead)
    assert error["exit_code"] == 2
    assert error["message"].startswith("environment.yml:2: 'numpy;1' is no conda package")
