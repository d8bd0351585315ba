"""Projects of Poetry and uv: their metadata, their members, and what takes the place of a requirement."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec

POETRY = """
[tool.poetry]
name = "shop-orders"
version = "1.2"
description = "Orders"
authors = ["A <a@example.com>"]
readme = "README.md"
license = "MIT"
packages = [{include = "shop_orders", from = "src"}]

[tool.poetry.dependencies]
python = "^3.10"
six = "^1.2"
idna = {version = "*", optional = true}

[tool.poetry.extras]
web = ["idna"]

[tool.poetry.scripts]
shop = "shop_orders:main"

[tool.poetry.plugins."shop.parts"]
till = "shop_orders:Till"

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def texts(spec: ImageSpec, root: Path) -> list[str]:
    return [line.text.replace(root.as_uri(), "ROOT") for line in spec.requirements]


def poetry(root: Path, text: str = POETRY) -> Path:
    return write(root, {"pyproject.toml": text, "README.md": "# Orders\n", "src/shop_orders/__init__.py": ""})


def test_poetry_s_project_is_installed_by_the_metadata_of_its_wheel(tmp_path: Path) -> None:
    root = poetry(tmp_path / "project")
    project = read_spec(root).project
    assert project is not None
    assert (project.name, project.version, project.import_root) == ("shop-orders", "1.2", "src")
    program = "from poetry.core.masonry.api import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(tmp_path / built.stdout.strip()) as wheel:
        assert wheel.read("shop_orders-1.2.dist-info/METADATA").decode() == project.metadata
        points = wheel.read("shop_orders-1.2.dist-info/entry_points.txt").decode()
    assert "[console_scripts]\nshop=shop_orders:main" in points
    assert project.scripts == (("shop", "shop_orders:main"),)
    assert project.entry_points == (("shop.parts", "till", "shop_orders:Till"),)


@pytest.mark.parametrize(
    ("change", "is_built"),
    [
        (("[build-system]", "[tool.poetry.build]\nscript = 'build.py'\n[build-system]"), True),
        (('license = "MIT"', 'license = "MIT"\ninclude = ["data"]'), True),
        (('readme = "README.md"', 'readme = "../README.md"'), True),
        (('six = "^1.2"', 'six = { path = "libs/six" }'), True),
        (('license = "MIT"', 'license = "MIT"\nkeywords = ["a"]'), False),
    ],
)
def test_it_is_built_where_its_build_could_do_more(tmp_path: Path, change: tuple[str, str], is_built: bool) -> None:
    root = poetry(tmp_path / "project", POETRY.replace(*change))
    write(root, {"libs/six/pyproject.toml": '[project]\nname = "six"\nversion = "1"\n', "build.py": "", "data": ""})
    project = read_spec(root).project
    assert project is not None
    assert (project.import_root is None) == is_built


def test_package_mode_false_installs_the_dependencies_alone(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {"pyproject.toml": '[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\nsix = "*"\n'},
    )
    spec = read_spec(root)
    assert (spec.project, texts(spec, root)) == (None, ["six"])


def test_poetry_beside_a_project_table(tmp_path: Path) -> None:
    text = """
[project]
name = "orders"
version = "1"
dynamic = ["dependencies"]
[dependency-groups]
dev = ["rich"]
[tool.poetry]
requires-poetry = ">=2"
[tool.poetry.dependencies]
six = "^1"
[tool.poetry.group.dev.dependencies]
idna = "*"
[tool.poetry.group.test]
include-groups = ["dev"]
[tool.poetry.group.test.dependencies]
attrs = "*"
"""
    root = write(tmp_path, {"pyproject.toml": text})
    assert texts(read_spec(root), root) == ["six<2,>=1"]
    assert texts(read_spec(root, groups=["test"]), root) == ["six<2,>=1", "attrs", "rich", "idna"]


def test_poetry_s_sources_are_indexes(tmp_path: Path) -> None:
    text = (
        POETRY.replace('six = "^1.2"', 'six = { version = "^1.2", source = "own" }')
        + """
[[tool.poetry.source]]
name = "first"
url = "https://first.example.com/simple"
[[tool.poetry.source]]
name = "own"
url = "https://own.example.com/simple"
priority = "explicit"
[[tool.poetry.source]]
name = "more"
url = "https://more.example.com/simple"
priority = "supplemental"
[[tool.poetry.source]]
name = "PyPI"
priority = "supplemental"
"""
    )
    found = read_spec(poetry(tmp_path, text)).indexes
    assert (found.default, found.supplemental) == (None, ())
    assert found.extra == ("https://first.example.com/simple", "https://more.example.com/simple")
    assert [(pin.package, pin.index) for pin in found.pins] == [("six", "own")]
    assert [one.name for one in found.named if one.explicit] == ["own"]


def member(name: str, dependencies: str, sources: str = "") -> str:
    table = f"[tool.uv.sources]\n{sources}\n" if sources else ""
    return f'[project]\nname = "{name}"\nversion = "1"\ndependencies = [{dependencies}]\n{table}'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    files = {
        "pyproject.toml": member("shop", '"cart[fast]>=1", "six"', "cart = { workspace = true }")
        + '[project.optional-dependencies]\nweb = ["money"]\n'
        + '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
        "packages/cart/pyproject.toml": member(
            "cart", "\"money; sys_platform == 'linux'\"", "money = { workspace = true }"
        )
        + '[project.optional-dependencies]\nfast = ["wings"]\nslow = ["lead"]\n',
        "packages/money/pyproject.toml": member("money", '"idna"'),
        "packages/wings/pyproject.toml": member("wings", ""),
        "packages/lead/pyproject.toml": member("lead", ""),
    }
    files["packages/cart/pyproject.toml"] = files["packages/cart/pyproject.toml"].replace(
        "[tool.uv.sources]\n", "[tool.uv.sources]\nwings = { workspace = true }\nlead = { workspace = true }\n"
    )
    return write(root, files)


def test_what_a_member_takes_from_the_workspace_comes_along(workspace: Path) -> None:
    assert texts(read_spec(workspace), workspace) == [
        "cart[fast] @ ROOT/packages/cart",
        'money @ ROOT/packages/money ; sys_platform == "linux"',
        "wings @ ROOT/packages/wings",
        "six",
    ]
    assert texts(read_spec(workspace / "packages" / "cart"), workspace)[0] == (
        'money @ ROOT/packages/money ; sys_platform == "linux"'
    )


def test_a_root_that_is_no_project_asks_for_all_members(workspace: Path) -> None:
    write(workspace, {"pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/lead"]\n'})
    names = [text.split(" @ ")[0] for text in texts(read_spec(workspace), workspace)]
    assert [name for name in names if name != "money"] == ["cart", "wings"]
    assert "money" in names


def test_everything_wrong_in_uv_s_table_is_told_at_once_by_line(tmp_path: Path) -> None:
    text = member("shop", '"six"', 'six = "x"') + (
        '[tool.uv]\nresolution = "lowest"\nindex-strategy = "other"\nconstraint-dependencies = ["x=1", "y", "z=1"]\n'
    )
    with pytest.raises(InputError, match="5 problems") as caught:
        read_spec(write(tmp_path, {"pyproject.toml": text}))
    lines = [line.split(": ")[0] for line in caught.value.details.splitlines()]
    assert sorted(int(line.split(":")[1]) for line in lines) == [6, 8, 9, 10, 10]


def test_an_old_project_without_a_name_to_read(tmp_path: Path) -> None:
    write(tmp_path, {"setup.py": "from setuptools import setup\nNAME = 'x'\nsetup(name=NAME)\n"})
    with pytest.raises(InvalidProject, match="does not say the project's name"):
        read_spec(tmp_path)
    # With requirements beside it, it is not asked for.
    write(tmp_path, {"requirements.txt": "six\n"})
    assert texts(read_spec(tmp_path), tmp_path) == ["six"]


def test_an_old_project_is_asked_for_by_a_dot(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"setup.py": "import setuptools\nsetuptools.setup(name='Old')\n", "requirements.txt": "six\n-e .[web]\n"},
    )
    spec = read_spec(tmp_path)
    assert texts(spec, tmp_path) == ["six", "old[web] @ ROOT"]
    assert spec.project is None
    with pytest.raises(InvalidProject, match="there is no pyproject"):
        read_spec(tmp_path, groups=["dev"])


def test_a_project_at_a_path_changes_what_is_wanted_when_its_files_do(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndynamic = ["dependencies"]\n', "needs.txt": "a"},
    )
    first = read_spec(tmp_path).requirements[0].local
    assert first == read_spec(tmp_path).requirements[0].local
    write(tmp_path, {"needs.txt": "b"})
    second = read_spec(tmp_path).requirements[0].local
    assert first is not None
    assert second is not None
    assert first.metadata != second.metadata


def test_dynamic_requirements_beside_a_lock_that_cannot_tell_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndynamic = ["dependencies"]\n', "pdm.lock": ""},
    )
    with pytest.raises(InvalidProject, match="dynamic"):
        read_spec(tmp_path)
    os.rename(tmp_path / "pdm.lock", tmp_path / "uv.lock")
    assert read_spec(tmp_path).requirements == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[tool.poetry.dependencies]\nsix = { verison = "1" }\n', r"pyproject\.toml:2: six: 'verison' is not a key"),
        ("[tool.poetry.dependencies]\nsix = 3\n", r"pyproject\.toml:2: six is 3"),
        ("[tool.poetry.group]\ndev = 3\n", r"pyproject\.toml:2: tool\.poetry\.group\.dev is not a table"),
        ("[tool.poetry.group.a]\ninclude-groups = ['a']\n", r"pyproject\.toml:1: groups include each other: a → a"),
        ("[tool]\npoetry = 3\n", r"tool\.poetry is not a table"),
        ('[tool]\nuv = 3\n[project]\nname = "x"\nversion = "1"\n', r"tool\.uv is not a table"),
        ('[tool.uv.workspace]\nmembers = ["../x"]\n', "outside the workspace"),
        (
            "[tool.uv.workspace]\nmembers = 3\n",
            r"pyproject\.toml:2: tool\.uv\.workspace\.members is not a list of strings",
        ),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_spec(write(tmp_path, {"pyproject.toml": text}))


def test_a_directory_with_the_name_of_a_lock(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").mkdir()
    with pytest.raises(InvalidProject, match="is a directory"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ('dependencies = [\n  "six",\n  "x=1",\n]\n', 6),
        ('[project.optional-dependencies]\nweb = ["six", "x=1"]\n', 5),
        ('[dependency-groups]\ndev = ["six"]\ntest = [{include-group = "dev"}, "x=1"]\n', 6),
    ],
)
def test_a_requirement_of_pyproject_is_refused_by_its_line(tmp_path: Path, table: str, line: int) -> None:
    text = f'[project]\nname = "x"\nversion = "1"\n{table}'
    with pytest.raises(InputError, match=rf"^pyproject\.toml:{line}: 'x=1'"):
        read_spec(write(tmp_path, {"pyproject.toml": text}))


def test_poetry_s_refused_dependency_is_told_once_and_with_a_range_of_its_own(tmp_path: Path) -> None:
    text = """[tool.poetry.dependencies]
pg = { version = "^2 || ^4", optional = true }
[tool.poetry.extras]
db = ["pg"]
my = ["gone"]
"""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    refused, missing = caught.value.problems
    assert (refused.message.split(": ")[0], missing.message.split(": ")[0]) == ("pyproject.toml:2", "pyproject.toml:5")
    assert 'pg = ">=4,<5"' in (refused.hint or "")
