"""What only the project's files show to be wrong with its table is told like the rest: file, line, key, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagekit.errors import InputError, InvalidEntrypoint, InvalidProject, InvalidRequirement
from imagekit.spec.read import read_spec
from imagekit.spec.table import Table
from imagekit.spec.told import written_at

PYPROJECT = """\
[project]
name = "demo"
version = "1"
requires-python = ">=3.10"
dependencies = []

[project.optional-dependencies]
s3 = ["boto3"]

[dependency-groups]
prod = ["gunicorn"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "demo"
    root.mkdir()
    (root / "flow.py").write_text("def etl():\n    return 1\n")
    (root / "pyproject.toml").write_text(PYPROJECT)
    return root


# The table's line, the key of the error, some of its words.
CASES = [
    ('packages = ["rich", "x=2"]', "packages[1]", "'x=2' is not a requirement"),
    ('packages = ["./nothing"]', "packages[0]", "'./nothing' is not there"),
    ('packages = ["x @ https://u:hush@example.com/x-1-py3-none-any.whl"]', "packages[0]", "user or password"),
    ('requirements = ["nope.txt"]', "requirements[0]", "is not there"),
    ('requirements = ["../r.txt"]', "requirements[0]", "outside the project"),
    ('extras = ["s3", "s4"]', "extras[1]", "no extra 's4'"),
    ('groups = ["dev"]', "groups[0]", "no dependency group 'dev'"),
    ('entrypoints = ["nope.py:f"]', "entrypoints[0]", "nope.py is not there"),
    ('entrypoints = ["flow.py:etl", "flow.py:elt"]', "entrypoints[1]", "no function 'elt'"),
    ('entrypoints = ["../x.py:f"]', "entrypoints", "not a path inside the project"),
    ('files = {"nope.yml" = "/etc/x"}', "files.'nope.yml'", "is not there"),
    ('files = {"flow.py" = "etc/x"}', "files.'flow.py'", "no plain absolute path"),
    ('files = {"flow.py" = "/opt/venv/x"}', "files.'flow.py'", "imagekit's own"),
    ('dockerignore = "nope"', "dockerignore", "is not there"),
    ('python = "3.8"', "python", "the project requires >=3.10"),
    ('source-builds = ["a b"]', "source-builds", "no name of a package"),
    ('conda-packages = {pytorch = "torch=2"}', "conda-packages", "not a requirement"),
    ('index-url = "ftp://example.com"', "index-url", "is not an index"),
    ('extra-index-urls = ["example.com"]', "extra-index-urls", "is not an index"),
    ('find-links = ["https://u:hush@example.com/x"]', "find-links", "user or password"),
]


@pytest.mark.parametrize(("line", "key", "words"), CASES)
@pytest.mark.parametrize("file", ["imagekit.toml", "pyproject.toml"])
def test_file_line_and_key(project: Path, file: str, line: str, key: str, words: str) -> None:
    header = "" if file == "imagekit.toml" else "\n[tool.imagekit]\n"
    path = project / file
    text = (path.read_text() if path.exists() else "") + f"{header}# a comment\n{line}\n"
    path.write_text(text)
    where = f"{file}:{text.count(chr(10))}: {'[tool.imagekit] ' if header else ''}{key}"
    with pytest.raises(InputError) as caught:
        read_spec(project)
    assert caught.value.message.startswith(where)
    assert words in caught.value.message
    assert "hush" not in str(caught.value.to_json())
    assert caught.value.hint


def test_all_of_them_at_once(project: Path) -> None:
    (project / "imagekit.toml").write_text(
        "packages = [\n  'x=2',\n  'rich',\n  'y=3',\n]\nextras = ['s4']\ngroups = ['dev']\n"
        "requirements = ['a.txt', 'b.txt']\nentrypoints = ['flow.py:a', 'flow.py:b']\n"
        "files = {'a' = '/a', 'flow.py' = '/f', 'b' = '/b'}\n"
    )
    with pytest.raises(InputError) as caught:
        read_spec(project)
    places = [p.message.partition(": ")[0] for p in caught.value.problems]
    assert sorted(places) == [f"imagekit.toml:{n}" for n in (10, 10, 2, 4, 6, 7, 8, 8, 9, 9)]


def test_each_pair_has_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "imagekit.toml").write_text('[env]\nA = "${X}"\n"A B" = "x"\n"" = "y"\n[labels]\n"" = "z"\n')
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert [p.message.partition(" is no name")[0] for p in caught.value.problems] == [
        "imagekit.toml:3: env.'A B': 'A B'",
        "imagekit.toml:4: env.'': ''",
        "imagekit.toml:6: labels.'': ''",
    ]


def test_those_of_one_list_are_told_though_its_grammar_is_wrong(project: Path) -> None:
    (project / "imagekit.toml").write_text('entrypoints = ["x", "y"]\nsource-builds = ["a b", "c d"]\n')
    with pytest.raises(InputError) as caught:
        read_spec(project)
    assert len(caught.value.problems) == 4


def test_one_of_the_environment_names_its_variable_and_one_by_hand_nothing(project: Path) -> None:
    layers = Table(packages=("x=2",), extras=("s4",)), Table()
    (project / "imagekit.toml").write_text('packages = ["y=2"]\n')
    with pytest.raises(InputError) as caught:
        read_spec(project, layers=layers)
    assert [p.message.partition(": ")[0] for p in caught.value.problems] == ["IMAGEKIT_PACKAGES", "IMAGEKIT_EXTRAS"]
    (project / "imagekit.toml").unlink()
    for given, expected in (
        ({"packages": ["x=2"]}, InvalidRequirement),
        ({"extras": ["s4"]}, InvalidProject),
        ({"entrypoints": ["flow.py:elt"]}, InvalidEntrypoint),
        ({"files": {"nope": "/x"}}, InvalidProject),
    ):
        with pytest.raises(expected) as one:
            read_spec(project, **given)
        assert "imagekit.toml" not in one.value.message


def test_without_a_pyproject_extras_and_groups_are_told_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "imagekit.toml").write_text('packages = ["rich"]\nextras = ["a"]\ngroups = ["b"]\n')
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert [p.message for p in caught.value.problems] == [
        "imagekit.toml:2: extras[0]: the extra 'a' is asked for, and there is no pyproject.toml",
        "imagekit.toml:3: groups[0]: the group 'b' is asked for, and there is no pyproject.toml",
    ]


@pytest.mark.parametrize(
    ("file", "text", "path", "place"),
    [
        ("imagekit.toml", '# A = 1\n[env]\nB = "A ="\nA = "x"\n', ("env", "A"), "imagekit.toml:4"),
        ("imagekit.toml", 'labels = {A = "1"}\nenv = {"A" = "x"}\n', ("env", "A"), "imagekit.toml:2"),
        ("imagekit.toml", 'env.A = "x"\n', ("env", "A"), "imagekit.toml:1"),
        ("imagekit.toml", 'env = {AB = "x"}\n', ("env", "A"), ""),
        ("pyproject.toml", '[env]\nA = "y"\n[tool.imagekit.env]\nA = "x"\n', ("env", "A"), "pyproject.toml:4"),
        ("pyproject.toml", '[env]\nA = "y"\n', ("env", "A"), ""),
        ("other.toml", "", ("env", "A"), ""),
    ],
)
def test_where_a_name_is_set(tmp_path: Path, file: str, text: str, path: tuple[str, ...], place: str) -> None:
    (tmp_path / file).write_text(text)
    assert written_at(tmp_path, path) == place


def test_values_and_what_only_files_show_are_told_together_and_in_order(tmp_path: Path) -> None:
    text = """[tool.imagekit]
python = 3.10
nmae = "x"
extras = ["a"]
requirements = ["gone.txt"]
files = {"gone.yml" = "/x"}
entrypoints = ["flow.py:nope"]
packages = ["x=1"]
platform = "windows/amd64"
"""
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "flow.py").write_text("def etl(): pass\n")
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert [problem.message.split(":")[1] for problem in caught.value.problems] == list("23456789")


def test_what_other_tools_tables_hold_is_told_with_it(tmp_path: Path) -> None:
    text = """[project]
name = "x"
version = "1"
[tool.imagekit]
nmae = "x"
[tool.uv]
exclude-newer = "1 week"
resolution = "lowest"
"""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert [problem.message.split(":")[1] for problem in caught.value.problems] == ["5", "7", "8"]


def test_all_tables_of_a_pyproject_are_told_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = """[project]
name = "x"
version = "1"
dependencies = ["six=1"]
[dependency-groups]
a = ["b=1"]
[tool.poetry.group.own]
include-groups = ["a"]
[tool.poetry.group.own.dependencies]
six = "newest"
c = {path = "../none"}
[tool.pdm]
source = [{url = 3}]
[tool.uv]
resolution = "lowest"
[tool.imagekit]
nmae = 1
"""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert [problem.message.split(":")[1] for problem in caught.value.problems] == [
        "4",
        "6",
        "10",
        "11",
        "13",
        "15",
        "17",
    ]
    assert capfd.readouterr() == ("", "")


def test_broken_toml_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = \n")
    with pytest.raises(InputError) as caught:
        read_spec(tmp_path)
    assert caught.value.message == "pyproject.toml:2: Invalid value"
