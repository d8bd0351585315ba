"""What is proposed for a project, by what lies in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from imagekit.errors import InputError
from imagekit.spec.read import read_spec
from imagekit.starting.propose import propose
from imagekit.starting.survey import survey
from imagekit.starting.written import as_toml

PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = []\n'
CONDA = "dependencies:\n- python=3.11\n- numpy=1.26\n- conda-forge::pandas\n- pip:\n  - six\n"
FLOW = (
    "from prefect import flow\nimport {module}\n\n@flow(log_prints=True)\ndef etl(n: int = 1) -> int:\n    return n\n"
)


def keys(context: Path, files: Mapping[str, str]) -> dict[str, Any]:
    """What holds of the proposals for a project of ``files``, read back from the file that is written."""
    for name, text in files.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(text)
    start = propose(survey(context, {}))
    text = as_toml(start.proposals)
    (context / "imagekit.toml").write_text(text)
    # What is written is what a build takes, and the comments are keys, too.
    read_spec(context)
    assert "\n# name = " in text
    return {each.key: each.value for each in start.proposals if each.holds}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, {}),
        ({"requirements.txt": "six\n"}, {}),
        ({"requirements/prod.txt": "six\n"}, {"requirements": ["requirements/prod.txt"]}),
        ({"requirements-prod.txt": "six\n", "requirements.txt": "six\n"}, {}),
        ({"pyproject.toml": PROJECT, "x.py": "import pandas\n"}, {}),
        ({"pyproject.toml": PROJECT, "requirements/base.txt": "six\n"}, {"requirements": ["requirements/base.txt"]}),
        ({"pyproject.toml": "[tool.ruff]\n", "x.py": "import pandas\n"}, {"packages": ["pandas"]}),
        ({"environment.yml": CONDA}, {}),
        ({".python-version": "3.12.4\n"}, {"python": "3.12"}),
        ({".python-version": "pypy3.9\n"}, {}),
        ({"runtime.txt": "python-3.11.2\n"}, {"python": "3.11"}),
        ({"Dockerfile": "FROM docker.io/library/python:3.13-slim-bookworm\n"}, {"python": "3.13"}),
        ({"Dockerfile": "FROM prefecthq/prefect:3-python3.12\n"}, {"base-image": "prefecthq/prefect:3-python3.12"}),
        (
            {"Dockerfile": "ARG B=a/b\nFROM python:3.11 AS x\nFROM --platform=linux/amd64 ${B}:v1 AS y\nFROM y\n"},
            {"base-image": "a/b:v1"},
        ),
        ({"Dockerfile": "ARG B\nFROM $B\n"}, {}),
        ({"Dockerfile": "FROM scratch\n"}, {}),
        ({"Dockerfile": "FROM $(id)\n"}, {}),
        ({"Dockerfile": "FROM team/base\n", ".python-version": "3.12"}, {"base-image": "team/base"}),
        ({"flow.py": FLOW.format(module="yaml")}, {"packages": ["prefect", "pyyaml"], "entrypoints": ["flow.py:etl"]}),
        ({"flow.py": FLOW.format(module="frobnicate")}, {"packages": ["prefect"]}),
        (
            {"flow.py": FLOW.format(module="yaml").replace("prefect", "imagekit")},
            {"packages": ["pyyaml"], "entrypoints": ["flow.py:etl"]},
        ),
        ({"flow.py": FLOW.format(module="yaml"), "requirements.txt": "prefect\n"}, {}),
        (
            {"flow.py": FLOW.format(module="yaml"), "requirements.txt": "prefect\nPyYAML>=6\n"},
            {"entrypoints": ["flow.py:etl"]},
        ),
        (
            {
                "flows/a.py": FLOW.format(module="helper"),
                "helper.py": "import sklearn\n",
                "requirements.txt": "prefect\n",
            },
            {},
        ),
        ({"tests/test_x.py": "import pandas\n", "flow.py": "def main(): ...\n"}, {}),
        ({"x.py": "try:\n    import pandas\nexcept ImportError:\n    pandas = None\n"}, {"packages": ["pandas"]}),
        ({"broken.py": "def (:\n", "x.py": "import os, sys\n"}, {}),
    ],
    ids=str,
)
def test_what_holds(tmp_path: Path, files: dict[str, str], expected: dict[str, Any]) -> None:
    assert keys(tmp_path, files) == expected


def test_a_python_that_the_project_does_not_allow_is_a_comment(tmp_path: Path) -> None:
    pyproject = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\ndependencies = ["six"]\n'
    assert keys(tmp_path, {"pyproject.toml": pyproject, ".python-version": "3.10\n"}) == {}
    assert "does not allow it" in (tmp_path / "imagekit.toml").read_text()


def test_what_a_dockerfile_installs_is_a_comment(tmp_path: Path) -> None:
    run = "RUN apt-get update && \\\n  apt-get install -y --no-install-recommends libpq5 \\\n  gcc && rm -rf /x\n"
    assert keys(tmp_path, {"Dockerfile": f"FROM python:3.11\nENV TOKEN=s3cr3t\n{run}"}) == {"python": "3.11"}
    text = (tmp_path / "imagekit.toml").read_text()
    assert 'apt-get install -y --no-install-recommends libpq5 gcc"' in text
    assert "s3cr3t" not in text


def test_a_project_that_a_build_refuses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("x=2\n")
    with pytest.raises(InputError, match=r"requirements\.txt:1"):
        survey(tmp_path, {})


def test_strange_names_come_out_as_they_are(tmp_path: Path) -> None:
    name = 'a "b" \\ é\x7f.txt'
    (tmp_path / "requirements").mkdir()
    found = keys(tmp_path, {f"flöws/{name[:5]}.py": "from prefect import flow\n@flow\ndef f(): ...\n"})
    assert found["packages"] == ["prefect"]


RELATIVE = {
    "pyproject.toml": "[tool.ruff]\n",
    "app/__init__.py": "",
    "app/flow.py": "from prefect import flow\nfrom . import models\n\n@flow\ndef etl() -> None: ...\n",
    "app/models.py": "import sqlalchemy\nfrom .io.reading import rows\nfrom ...beyond import x\n",
    "app/io/__init__.py": "",
    "app/io/reading.py": "from __future__ import annotations\nimport pandas\nfrom .. import settings\n",
    "app/settings.py": "import yaml\n",
    "app/unused.py": "import numpy\n",
}


def test_relative_imports_are_followed(tmp_path: Path) -> None:
    from imagekit.starting.modules import imported, needed, read_modules

    for name, text in RELATIVE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    modules = read_modules(tmp_path)
    assert needed(modules["app/flow.py"], modules) == {"prefect", "sqlalchemy", "pandas", "yaml"}
    assert imported(modules.values()) == {"prefect", "sqlalchemy", "pandas", "yaml", "numpy"}


@pytest.mark.parametrize("text", ["from . import models\n", "from .models import x\n", "from .models.inner import x\n"])
def test_a_flow_whose_neighbour_needs_what_is_not_there_is_a_comment(tmp_path: Path, text: str) -> None:
    """``models`` is a module beside; ``models.inner`` needs its package, too."""
    flow = f"from prefect import flow\n{text}\n@flow\ndef etl() -> None: ...\n"
    place = "app/models/__init__.py" if "inner" in text else "app/models.py"
    files = {"requirements.txt": "prefect\n", "app/flow.py": flow, place: "import pandas\n"}
    assert "entrypoints" not in keys(tmp_path, files)
    assert keys(tmp_path, {**files, "requirements.txt": "prefect\npandas\n"})["entrypoints"] == ["app/flow.py:etl"]


@pytest.mark.parametrize(("name", "words"), [("Pipfile", "pipenv lock"), ("requirements.in", "uv pip compile")])
def test_what_must_be_locked_first_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("six\n")
    with pytest.raises(InputError) as caught:
        survey(tmp_path, {})
    assert words in str(caught.value.hint)


def test_modules_that_all_import_each_other_are_followed_once(tmp_path: Path) -> None:
    def steps(count: int) -> int:
        context = tmp_path / str(count)
        context.mkdir()
        names = [f"m{number}" for number in range(count)]
        imports = "".join(f"import {name}\n" for name in names)
        for name in names:
            (context / f"{name}.py").write_text(imports)
        (context / "flow.py").write_text(f"{imports}{FLOW.format(module='pandas')}")
        found = survey(context, {})
        taken = 0

        def count_one(frame: FrameType, event: str, argument: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(count_one)
        try:
            propose(found)
        finally:
            sys.setprofile(None)
        return taken

    # Four times the modules are some four times the work, and not sixteen or sixty-four times.
    assert steps(80) < 8 * steps(20)
