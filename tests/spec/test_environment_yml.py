"""``environment.yml``: what of it goes into an image, and what is refused by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from imagekit.errors import InputError, InvalidProject
from imagekit.spec.conda import CondaLine, CondaWanted
from imagekit.spec.environment_yml import Environment, read_environment
from imagekit.spec.read import read_spec


def environment(directory: Path, text: str, **others: object) -> Environment:
    path = directory / "environment.yml"
    path.write_text(text)
    return read_environment(path, directory, **others)  # type: ignore[arg-type]


def texts(found: Environment) -> list[str]:
    return [line.text for line in found.requirements.requirements]


def test_the_pip_part_with_its_includes(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("idna\n-c bounds.txt\n")
    (tmp_path / "bounds.txt").write_text("idna<4\n")
    found = environment(
        tmp_path,
        """
name: sales
channels: [conda-forge]
dependencies:
  - python=3.11
  - pip>=23
  - pip:
    - rich>=13  # drawn
    - -r more.txt
    - "--extra-index-url https://index.example.com/simple"
    - requests[socks]==2.31.0; python_version > "3.8"
variables:
  REGION: north
prefix: /opt/conda/envs/sales
""",
    )
    assert texts(found) == ["rich>=13", "idna", 'requests[socks]==2.31.0; python_version > "3.8"']
    assert [line.origin for line in found.requirements.requirements] == [
        "environment.yml:8",
        "more.txt:1",
        "environment.yml:11",
    ]
    assert [line.text for line in found.requirements.constraints] == ["idna<4"]
    assert found.requirements.indexes.extra == ("https://index.example.com/simple",)
    assert (found.name, found.python, found.variables) == ("sales", "3.11", {"REGION": "north"})


@pytest.mark.parametrize(
    ("written", "python", "requires"),
    [
        ("python", None, ""),
        ("python=3.10", "3.10", ""),
        ("python==3.12", "3.12", ""),
        ("python 3.11.*", "3.11", ""),
        ("conda-forge::python=3.11", "3.11", ""),
        ("python>=3.9,<3.12", None, "<3.12,>=3.9"),
        ("python=3.11.4", None, "==3.11.4.*"),
    ],
)
def test_the_python_of_the_image(tmp_path: Path, written: str, python: str | None, requires: str) -> None:
    found = environment(tmp_path, f"dependencies:\n  - {written}\n")
    assert (found.python, found.requires_python) == (python, requires)


def test_everything_that_cannot_be_honoured_is_told_by_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 problems") as caught:
        environment(
            tmp_path,
            """nmae: x
channels: [conda-forge, "https://me:secret@conda.example.com/team"]
dependencies:
  - numpy;1.26
  - conda-forge::cudatoolkit>=12
  - python=latest
  - [a]
  - "???"
  - pip:
    - x=2
    - -r missing.txt
""",
        )
    lines = caught.value.details.splitlines()
    assert [line.split(":")[:2] for line in lines] == [["environment.yml", str(n)] for n in (1, 2, 4, 6, 7, 8, 10, 11)]
    assert "secret" not in caught.value.details


def test_the_packages_of_conda(tmp_path: Path) -> None:
    found = environment(
        tmp_path,
        """
channels: [conda-forge, nodefaults, "file:///srv/channel/", conda-forge/label/dev]
dependencies:
  - python>=3.9,<3.12
  - numpy=1.26
  - conda-forge::gdal >=3.8
  - pandas 2.2.* py311*
  - "scipy[version='>=1.11']"
  - pip
""",
    )
    assert [(line.text, line.origin, line.name) for line in found.conda] == [
        ("numpy=1.26", "environment.yml:5", "numpy"),
        ("conda-forge::gdal >=3.8", "environment.yml:6", "gdal"),
        ("pandas 2.2.* py311*", "environment.yml:7", "pandas"),
        ("scipy[version='>=1.11']", "environment.yml:8", "scipy"),
    ]
    assert found.channels == ("conda-forge", "nodefaults", "file:///srv/channel", "conda-forge/label/dev")
    assert found.python_line == CondaLine(text="python>=3.9,<3.12", origin="environment.yml:4")


def test_the_conda_environment_of_an_image(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("channels: [nodefaults, a]\ndependencies: [python=3.11, numpy]\n")

    def wanted(**more: Any) -> CondaWanted:
        found = read_spec(tmp_path, **more).conda
        assert found is not None
        return found

    assert [line.text for line in wanted().packages] == ["python=3.11", "numpy"]
    assert (wanted().channels, wanted().priority) == (("a",), "flexible")
    assert [line.text for line in wanted(python="3.12").packages] == ["python=3.12", "numpy"]
    given = wanted(conda=["gdal>=3", "python=3.9"], conda_channels=["b"])
    assert [line.text for line in given.packages] == ["numpy", "gdal>=3", "python=3.9"]
    assert given.channels == ("b",)
    (tmp_path / "environment.yml").write_text("dependencies: [numpy]\n")
    assert wanted().channels == ("defaults",)
    # Python alone is a base's: an environment of conda's is for conda's packages, or where it is asked for by name.
    (tmp_path / "environment.yml").write_text("channels: [a]\ndependencies: [python=3.11, pip]\n")
    assert read_spec(tmp_path).conda is None
    assert [line.text for line in wanted(conda=["python=3.11"]).packages] == ["python=3.11"]
    (tmp_path / "environment.yml").write_text("channels: [a]\ndependencies: [python=3.11=0_cpython]\n")
    assert [line.text for line in wanted().packages] == ["python=3.11=0_cpython"]


def test_keys_of_the_table(tmp_path: Path) -> None:
    table = (
        'conda = ["numpy"]\nconda-channels = ["a", "https://conda.example.com/b"]\nconda-channel-priority = "strict"\n'
    )
    (tmp_path / "imagekit.toml").write_text(f'{table}conda-secrets = {{"https://conda.example.com/b" = "login"}}\n')
    found = read_spec(tmp_path).conda
    assert found is not None
    assert (found.channels, found.priority) == (("a", "https://conda.example.com/b"), "strict")
    assert found.secrets == (("https://conda.example.com/b", "login"),)
    (tmp_path / "imagekit.toml").write_text(
        'conda = ["num;py", "ok"]\nconda-channels = ["a b", "https://x:y@conda.example.com"]\n'
        'conda-channel-priority = "none"\nconda-secrets = {a = "user:password"}\n'
    )
    with pytest.raises(InputError, match="5 problems") as caught:
        read_spec(tmp_path)
    assert "password" not in str(caught.value.details).replace("user or password", "")


def test_what_takes_the_place_of_a_conda_package(tmp_path: Path) -> None:
    items = ("numpy=1.26", "pandas>=2,<3", "pytorch::pytorch 2.1.*", "cudatoolkit", "mkl=2023=h1")
    text = "dependencies:\n" + "".join(f"  - {item}\n" for item in items)
    instead = {"numpy": "numpy", "pandas": "pandas[excel]", "pytorch": "torch==2.1.0", "cudatoolkit": "", "mkl": " "}
    found = environment(tmp_path, text, instead=instead)
    assert [line.text for line in found.packages] == ["numpy==1.26.*", "pandas[excel]<3,>=2", "torch==2.1.0"]
    assert found.packages[0].origin == "environment.yml:2"
    with pytest.raises(InvalidProject, match=r"environment\.yml:6: 'mkl=2023=h1' has a version"):
        environment(tmp_path, text, instead={**instead, "mkl": "mkl"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", r"environment\.yml:1: is not a table"),
        ("name: [\n", r"environment\.yml:\d"),
        ("dependencies: numpy\n", r"environment\.yml:1: dependencies is not a list"),
        ("dependencies:\n  - pip: rich\n", r"environment\.yml:2: pip is not a list"),
        ("variables: [a]\n", r"environment\.yml:1: variables"),
        ("", "is not a table"),
        ("a: &a [*a]\n", r"environment\.yml"),
        ("!!python/object/apply:os.system ['true']\n", r"environment\.yml"),
        ("\x01", r"environment\.yml"),
    ],
)
def test_what_is_no_environment(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidProject, match=words):
        environment(tmp_path, text)


def test_it_is_read_where_nothing_else_says_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text(
        "name: envy\ndependencies: [python=3.11, {pip: [idna]}]\nvariables: {A: b}\n"
    )
    spec = read_spec(tmp_path)
    assert ([line.text for line in spec.requirements], spec.python, spec.name, spec.env) == (
        ["idna"],
        "3.11",
        "envy",
        (("A", "b"),),
    )
    (tmp_path / "requirements.txt").write_text("rich\n")
    assert [line.text for line in read_spec(tmp_path).requirements] == ["rich"]
    assert [line.text for line in read_spec(tmp_path, requirements="environment.yml").requirements] == ["idna"]
    assert read_spec(tmp_path, requirements="environment.yml", python="3.12").python == "3.12"


def test_each_problem_has_its_own_hint(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies:\n - numpy;\n - pip:\n   - x=1\n   - -r gone.txt\n")
    with pytest.raises(InputError) as caught:
        read_environment(tmp_path / "environment.yml", tmp_path, {})
    hints = [problem.hint or "" for problem in caught.value.problems]
    assert [hint.split(" ")[0] for hint in hints] == ["an", "write", "looked"]


def test_variables_that_no_image_can_have_are_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text('variables:\n  A: b\n  "": c\n  D: "e\\nf"\n')
    with pytest.raises(InputError) as caught:
        read_environment(tmp_path / "environment.yml", tmp_path, {})
    assert [p.message.partition(": variables: ")[0] for p in caught.value.problems] == [
        f"environment.yml:{line}" for line in (3, 4)
    ]


def test_problems_of_both_parts_are_told_in_the_order_of_their_lines(tmp_path: Path) -> None:
    lines = ["dependencies:", " - pip:", "   - --index-url https://u:pw@h/simple", "   - x=2", " - numpy;", "a: 1"]
    (tmp_path / "environment.yml").write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_environment(tmp_path / "environment.yml", tmp_path, {})
    assert [p.message.split(":")[1] for p in caught.value.problems] == list("3456")
    hints = [p.hint or "" for p in caught.value.problems]
    assert all(word in hint for word, hint in zip(("netrc", "'=='", "NAME=VERSION", "known"), hints, strict=True))


def test_a_python_that_nothing_runs_on_is_refused_before_a_base_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [python=3.7, {pip: [idna]}]\n")
    with pytest.raises(InvalidProject, match=r"Python 3\.7 is asked for, which is too old") as caught:
        read_spec(tmp_path)
    assert caught.value.hint == "ask for 3.8 or later"
