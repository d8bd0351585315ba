"""One spec from a project directory: who wins, what is found, what is refused."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import InputError, InvalidConfig, InvalidEntrypoint, InvalidProject, InvalidRequirement
from imagekit.oci.digest import canonical_json
from imagekit.oci.platform import Platform
from imagekit.spec.describe import describe
from imagekit.spec.image import Indexes
from imagekit.spec.read import read_spec

RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"
PROJECT = '[project]\nname = "orders"\nversion = "1"\ndependencies = ["rich"]\n'


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name.replace("_toml", ".toml").replace("_txt", ".txt").replace("_py", ".py")).write_text(text)


def texts(root: Path, **keywords: Any) -> list[str]:
    return [line.text for line in read_spec(root, **keywords).requirements]


def test_an_empty_directory(tmp_path: Path) -> None:
    spec = read_spec(tmp_path)
    assert spec.requirements == ()
    assert spec.python == RUNNING
    assert spec.platform == Platform.host()
    assert spec.include_source
    assert spec.health_check
    assert spec.workdir == "/app"


def test_requirements_and_project_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        requirements_txt="x==1\n-c limits.txt\n",
        limits_txt="y<2",
        pyproject_toml=PROJECT,
        orders_py="",
    )
    spec = read_spec(tmp_path, packages=["z"])
    assert [line.text for line in spec.requirements] == ["x==1", "rich", "z"]
    assert [line.text for line in spec.constraints] == ["y<2"]
    assert spec.project is not None
    assert spec.name == "orders"


def test_a_table_without_a_package_only_lists_dependencies(tmp_path: Path) -> None:
    write(tmp_path, pyproject_toml=PROJECT)
    spec = read_spec(tmp_path)
    assert spec.project is None
    assert spec.name == "orders"
    assert [line.text for line in spec.requirements] == ["rich"]
    write(tmp_path, pyproject_toml=PROJECT + '[build-system]\nrequires = ["setuptools"]\n')
    assert read_spec(tmp_path).project is not None


def test_a_lock_answers_requirements_txt(tmp_path: Path) -> None:
    write(tmp_path, pylock_toml="", requirements_txt="x")
    spec = read_spec(tmp_path)
    assert spec.lock_file == (tmp_path / "pylock.toml").resolve()
    assert [line.text for line in spec.requirements] == ["x"]
    named = read_spec(tmp_path, requirements="requirements.txt")
    assert named.lock_file is None
    assert [line.text for line in named.requirements] == ["x"]
    assert read_spec(tmp_path, requirements="pylock.toml").lock_file == spec.lock_file


def test_named_requirements(tmp_path: Path) -> None:
    write(tmp_path, requirements_txt="x", a_txt="a", b_txt="b", pyproject_toml=PROJECT)
    assert texts(tmp_path, requirements="a.txt") == ["a", "rich"]
    assert texts(tmp_path, requirements=["a.txt", Path("b.txt")]) == ["a", "b", "rich"]
    assert texts(tmp_path, requirements="pyproject.toml") == ["rich"]
    assert texts(tmp_path, requirements=[]) == ["rich"]
    with pytest.raises(InvalidRequirement, match="not there"):
        read_spec(tmp_path, requirements="none.txt")


def test_an_argument_may_name_a_file_outside_and_a_file_may_not(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    write(tmp_path, outside_txt="x")
    assert texts(root, requirements=tmp_path / "outside.txt") == ["x"]
    write(root, requirements_txt="-r ../outside.txt")
    with pytest.raises(InvalidRequirement, match=r"requirements\.txt:1: "):
        read_spec(root)
    (root / "requirements.txt").unlink()
    write(root, imagekit_toml='requirements = ["../outside.txt"]')
    with pytest.raises(InvalidProject, match="outside"):
        read_spec(root)


def test_arguments_win_over_the_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        settings_txt="s",
        flow_py="def etl(): ...",
        pyproject_toml=PROJECT
        + """
[project.optional-dependencies]
plot = ["matplotlib"]
[tool.imagekit]
name = "table"
python = "3.12"
packages = ["inline"]
extras = ["plot"]
env = {A = "table", B = "table"}
labels = {l = "table"}
resolver = "pip-tools"
source-builds = ["Some_Pkg"]
health-check = false
include-source = false
workdir = "/srv/"
platform = "linux/arm64"
index-url = "https://example.com/simple"
find-links = ["wheels"]
no-index = true
entrypoints = ["flow.py:etl"]
files = {"settings.txt" = "/etc/app/"}
""",
    )
    spec = read_spec(tmp_path)
    assert [line.text for line in spec.requirements] == ["rich", "matplotlib", "inline"]
    assert (spec.name, spec.python, spec.resolver, spec.workdir) == ("table", "3.12", "pip-tools", "/srv")
    assert str(spec.platform) == "linux/arm64"
    assert spec.source_builds == ("some-pkg",)
    assert (spec.health_check, spec.include_source) == (False, False)
    assert spec.indexes.default == "https://example.com/simple"
    assert spec.indexes.find_links == (str((tmp_path / "wheels").resolve()),)
    assert spec.indexes.no_index
    assert spec.entrypoints == ("flow.py:etl",)
    assert [f.target for f in spec.files] == ["/etc/app/settings.txt"]

    spec = read_spec(
        tmp_path,
        name="argument",
        python="3.11",
        env={"A": "argument"},
        resolver="uv",
        source_builds=True,
        health_check=True,
        include_source=True,
        platform="linux/amd64",
        indexes=Indexes(default="https://example.com/mine"),
    )
    assert (spec.name, spec.python, spec.resolver) == ("argument", "3.11", "uv")
    assert spec.env == (("A", "argument"), ("B", "table"))
    assert spec.source_builds == ("*",)
    assert (spec.health_check, spec.include_source) == (True, True)
    assert spec.indexes.default == "https://example.com/mine"


def test_imagekit_toml_instead(tmp_path: Path) -> None:
    write(tmp_path, imagekit_toml='packages = ["x"]\n')
    assert texts(tmp_path) == ["x"]
    write(tmp_path, pyproject_toml="[tool.imagekit]\n")
    with pytest.raises(InvalidConfig, match="both there"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ('requirments = ["x"]', r"imagekit\.toml:2: requirments", "did you mean 'requirements'?"),
        ('health-check = "true"', "health-check is not true or false", "without quotes"),
        ("python = 3.10", "python is not a string", 'python = "3.10"'),
        ("python = 3.12", "python is not a string", 'python = "3.12"'),
        ('packages = "x"', "packages is not a list", 'packages = ["x"]'),
        ("packages = [1]", r"packages\[0\] is not a string", '"1"'),
        ("env = ['A=1']", "env is not a table", ""),
        ("env = {A = 1}", r"env\.A is not a string", '"1"'),
        ('name = "a"\nname = "b"', r"imagekit\.toml:3: ", ""),
        ("name = nan", "name is not a string", ""),
        ('name = "app:v1"', r"imagekit\.toml:2: name: 'app:v1' has a tag", "--tag"),
        ('name = "team/Upper"', r"imagekit\.toml:2: name: ", ""),
        ('name = "--"', "gives no image name", "letters"),
        ('resolver = "pip"', "unknown resolver", "pip-tools"),
        ('python = "3"', "no Python version", ""),
        ('workdir = "app"', "workdir", ""),
        ('workdir = "/a/../b"', "workdir", ""),
        ('platform = "windows/amd64"', "platform", ""),
        ('dockerignore = "none"', "not there", ""),
        ('index-url = "https://u:s3cr3t@example.com"', "user or password", ""),
        ('[tool.imagekit]\npython = "3.11"', r"imagekit\.toml:2: tool is not a known key", "leave [tool."),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, words: str, hint: str) -> None:
    write(tmp_path, imagekit_toml="# first\n" + text)
    with pytest.raises(InputError, match=words) as caught:
        read_spec(tmp_path)
    assert hint in (caught.value.hint or "")
    assert caught.value.hint
    assert "s3cr3t" not in str(caught.value.to_json())


def test_all_bad_keys_at_once(tmp_path: Path) -> None:
    write(tmp_path, imagekit_toml="nmae = 'x'\npython = 3.9\n")
    with pytest.raises(InvalidConfig, match="2 problems") as caught:
        read_spec(tmp_path)
    assert "imagekit.toml:2: python" in str(caught.value.details)


@pytest.mark.parametrize(
    "keywords",
    [
        {"env": {"": "x"}},
        {"env": {"A=B": "x"}},
        {"env": {"A B": "x"}},
        {"env": {"A": "x\ny"}},
        {"env": {"A": "x\x00"}},
        {"env": {"A": 1}},
        {"labels": {"": "x"}},
        {"labels": {"a": "x\ny"}},
        {"files": {"none.yml": "/etc/x"}},
        {"files": {"../outside": "/etc/x"}},
        {"files": {"/etc/passwd": "/etc/x"}},
        {"files": {"here.yml": "etc/x"}},
        {"files": {"here.yml": "/etc/../x"}},
        {"files": {"here.yml": "/x\ny"}},
        {"files": {"link.yml": "/x"}},
        {"files": {"here.yml": "/x", "flow.py": "/x"}},
        {"files": {"pipe": "/x"}},
        {"packages": ["x=1"]},
        {"packages": ["-r other.txt"]},
        {"extras": ["x"]},
        {"groups": ["x"]},
        {"python": "2.7"},
        {"python": "python3"},
        {"platform": "linux/vax"},
        {"resolver": "poetry"},
        {"workdir": "relative"},
        {"entrypoints": ["flow.py:none"]},
        {"requirements": ["requirements.txt", "pylock.toml"]},
    ],
)
def test_bad_arguments(tmp_path: Path, keywords: dict[str, Any]) -> None:
    root = tmp_path / "project"
    root.mkdir()
    write(tmp_path, outside="x")
    write(root, flow_py="def etl(): ...", requirements_txt="", pylock_toml="")
    (root / "here.yml").write_text("x")
    (root / "link.yml").symlink_to("../outside")
    os.mkfifo(root / "pipe")
    with pytest.raises(InputError) as caught:
        read_spec(root, **keywords)
    assert caught.value.hint
    assert caught.value.message.isprintable()


def test_a_directory_is_copied_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "conf" / "d").mkdir(parents=True)
    (tmp_path / "conf" / "a.yml").write_text("a")
    (tmp_path / "conf" / "d" / "b.yml").write_text("b")
    assert [f.target for f in read_spec(tmp_path, files={"conf": "/etc/x/"}).files] == [
        "/etc/x/a.yml",
        "/etc/x/d/b.yml",
    ]


@pytest.mark.parametrize(
    ("requires", "expected"),
    [(">=3.9", RUNNING), ("<3.10", "3.9"), ("==3.12.*", "3.12"), (">=3.14.1", "3.14"), ("<3.13.2,>=3.13", "3.13")],
)
def test_the_python_when_nobody_says(tmp_path: Path, requires: str, expected: str) -> None:
    write(tmp_path, pyproject_toml=PROJECT + f'requires-python = "{requires}"\n')
    assert read_spec(tmp_path).python == expected


def test_a_base_image_decides_its_python(tmp_path: Path) -> None:
    assert read_spec(tmp_path, base_image="python:3.12").python is None


def test_a_python_that_the_project_excludes(tmp_path: Path) -> None:
    write(tmp_path, pyproject_toml=PROJECT + 'requires-python = ">=3.12"\n')
    with pytest.raises(InvalidProject, match=r"requires >=3\.12"):
        read_spec(tmp_path, python="3.11")
    write(tmp_path, pyproject_toml=PROJECT + 'requires-python = ">=4"\n')
    with pytest.raises(InvalidProject, match="no known Python"):
        read_spec(tmp_path)


@pytest.mark.parametrize("line", [".", "-e .", "-e .[fast]"])
def test_a_missing_project_is_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, requirements_txt=f"six\n-r more.in\n{line}\n")
    (tmp_path / "more.in").write_text(f"\n{line}\n")
    with pytest.raises(InvalidRequirement, match=r"^more\.in:2: .* neither a pyproject\.toml nor a setup\.py"):
        read_spec(tmp_path)
    (tmp_path / "environment.yml").write_text(f"dependencies:\n  - pip:\n    - {line!r}\n")
    with pytest.raises(InvalidRequirement, match=r"^environment\.yml:3: "):
        read_spec(tmp_path, requirements="environment.yml")


def test_a_pyproject_without_a_project_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, requirements_txt="-e .\n", pyproject_toml="[tool.ruff]\nline-length = 9\n")
    with pytest.raises(InvalidRequirement, match=r"^requirements\.txt:1: .* no \[project\] table"):
        read_spec(tmp_path)


def test_not_a_directory(tmp_path: Path) -> None:
    write(tmp_path, x="")
    with pytest.raises(InvalidProject, match="is not there"):
        read_spec(tmp_path / "none")
    with pytest.raises(InvalidProject, match="is a file"):
        read_spec(tmp_path / "x")
    with pytest.raises(InvalidEntrypoint):
        read_spec(tmp_path, entrypoints=["../x.py:f"])


def test_a_description_says_the_same_anywhere(tmp_path: Path) -> None:
    described = []
    for name in ("one", "two"):
        root = tmp_path / name
        (root / "wheels").mkdir(parents=True)
        write(root, requirements_txt="x\n-f wheels\n", pyproject_toml=PROJECT, settings_txt="s")
        spec = read_spec(root, files={"settings.txt": "/etc/s"}, env={"B": "1", "A": "2"})
        described.append(canonical_json(describe(spec)))
        assert str(root).encode() not in described[-1]
    assert described[0] == described[1]
    assert canonical_json(describe(read_spec(tmp_path / "one"))) != described[0]


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (
            {"setup_cfg": "[metadata]\nname = Legacy_x\n", "setup_py": "from setuptools import setup\nsetup()\n"},
            "legacy-x",
        ),
        ({"setup_py": "from setuptools import setup\nsetup(name='old')\n", "requirements_txt": "six\n"}, "old"),
        ({"setup_cfg": "[flake8]\n", "requirements_txt": "six\n"}, None),
    ],
)
def test_the_name_of_an_old_project(tmp_path: Path, files: dict[str, str], name: str | None) -> None:
    write(tmp_path, **{file.replace("_cfg", ".cfg"): text for file, text in files.items()})
    assert read_spec(tmp_path).name == name
    write(tmp_path, imagekit_toml='name = "mine"\n')
    assert read_spec(tmp_path).name == "mine"
