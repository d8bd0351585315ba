"""``docs/inputs.md`` says of each file, and of each construct of a foreign one, what becomes of it: so it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from imagekit.errors import InputError
from imagekit.spec.image import ImageSpec
from imagekit.spec.read import read_spec

TEXT = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text("utf-8")
_CODE = re.compile(r"`([^`]+)`")
UV = '[project]\nname = "orders"\nversion = "1"\ndependencies = ["six>=1"]\n'
POETRY = '[tool.poetry]\nname = "orders"\nversion = "1"\n[tool.poetry.dependencies]\n'
MEMBER = '[project]\nname = "six"\nversion = "1"\n'


def rows(heading: str) -> list[tuple[str, str]]:
    """First cell and first word of the second of each row of the table below ``heading``."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = [re.split(r"(?<!\\)\|", line)[1:3] for line in lines]
    return [("\n".join(_CODE.findall(a)).replace("\\|", "|"), re.split(r"\W", b.strip())[0]) for a, b in cells]


def texts(spec: ImageSpec) -> list[str]:
    return [line.text for line in spec.requirements]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    for place in (directory / "libs/six", tmp_path / "six"):
        place.mkdir(parents=True)
        (place / "pyproject.toml").write_text(MEMBER)
    (directory / "more.txt").write_text("idna\n")
    return directory


def judge(root: Path, file: str, said: str, **others: object) -> ImageSpec | None:
    """Read the project: what is refused names ``file`` and a line."""
    if said != "refused":
        return read_spec(root, python="3.11", **others)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        read_spec(root, python="3.11", **others)  # type: ignore[arg-type]
    assert re.match(rf"(\d+ problems: )?{re.escape(file)}:\d+: ", caught.value.message)
    assert "secret" not in str(caught.value.to_json())
    return None


UV_ROWS = rows("`[tool.uv]` without a lock")
# What the requirement of ``six`` becomes, where it is not the path of libs/six.
UV_TEXTS = {
    'sources.six = [{ path = "libs/six", extra = "dev" }]': ["six>=1"],
    'sources.six = { git = "https://example.com/six", tag = "v1" }': ["six @ git+https://example.com/six@v1"],
    'sources.six = { url = "https://example.com/six-1.0-py3-none-any.whl" }': [
        "six @ https://example.com/six-1.0-py3-none-any.whl"
    ],
    'sources.six = [{ path = "libs/six", marker = "sys_platform == \'linux\'" }]': [
        'six @ LIBS/six ; sys_platform == "linux"',
        'six>=1; sys_platform != "linux"',
    ],
}


@pytest.mark.parametrize(("written", "said"), UV_ROWS)
def test_uv_s_table(root: Path, written: str, said: str) -> None:
    builds = "" if "config" not in written else '[build-system]\nrequires = ["x"]\nbuild-backend = "x"\n'
    (root / "pyproject.toml").write_text(f"{UV}{builds}[tool.uv]\n{written}\n")
    spec = judge(root, "pyproject.toml", said)
    if spec is None or said == "passed":
        return
    found = [text.replace((root / "libs").as_uri(), "LIBS") for text in texts(spec)]
    by_path = "path" in written or "workspace" in written
    assert found == UV_TEXTS.get(written, ["six @ LIBS/six"] if by_path else ["six>=1"])
    key = written.split(" ")[0]
    assert {
        "constraint-dependencies": lambda: [line.text for line in spec.constraints] == ["six<2"],
        "override-dependencies": lambda: [line.text for line in spec.overrides] == ["six==1.0"],
        "dev-dependencies": lambda: texts(read_spec(root, groups=["dev"])) == ["six>=1", "rich"],
        "index-url": lambda: spec.indexes.default == "https://example.com/simple",
        "index-strategy": lambda: spec.any_index,
        "exclude-newer": lambda: spec.exclude_newer == "2026-01-31",
        "prerelease": lambda: spec.prereleases,
        "pip": lambda: spec.indexes.default == "https://example.com/simple",
        "no-build-package": lambda: spec.only_binary == ("six",) and not spec.source_builds,
        "no-binary-package": lambda: spec.no_binary == ("six",) == spec.source_builds,
        "package": lambda: spec.project is None,
    }.get(key, lambda: key == "sources.six")()


def test_uv_s_pins_and_overrides(root: Path) -> None:
    (root / "pyproject.toml").write_text(
        f'{UV}[tool.uv]\noverride-dependencies = ["six==1.0"]\n'
        '[tool.uv.sources]\nsix = { index = "own" }\n[[tool.uv.index]]\nname = "own"\n'
        'url = "https://example.com/simple"\nexplicit = true\n'
    )
    spec = read_spec(root)
    assert [(pin.package, pin.index) for pin in spec.indexes.pins] == [("six", "own")]
    assert [(one.name, one.explicit) for one in spec.indexes.named] == [("own", True)]
    with pytest.raises(InputError, match=r"pyproject\.toml:6: .*override-dependencies need the uv resolver"):
        read_spec(root, resolver="pip-tools")


POETRY_ROWS = rows("`[tool.poetry.dependencies]`")


@pytest.mark.parametrize(("written", "said"), POETRY_ROWS)
def test_poetry_s_table(root: Path, written: str, said: str) -> None:
    extras = '[tool.poetry.extras]\nweb = ["six"]\n' if "optional" in written else ""
    (root / "pyproject.toml").write_text(f"{POETRY}{written}\n{extras}")
    spec = judge(root, "pyproject.toml", said)
    if spec is None:
        return
    line = next(line for line in TEXT.splitlines() if f"`{written}`".replace("|", "\\|") in line)
    promised = [code for code in _CODE.findall(line.replace("\\|", "").split("|")[2]) if code.startswith("six")]
    if promised:
        (found,) = (Requirement(text) for text in texts(spec))
        wanted = Requirement(promised[0])
        assert (found.specifier, found.marker, found.extras, found.url) == (
            wanted.specifier, wanted.marker, wanted.extras, wanted.url,
        )  # fmt: skip
    if "optional" in written:
        assert texts(spec) == []
        assert texts(read_spec(root, extras=["web"])) == ["six<2,>=1"]
    if written.startswith("python"):
        assert spec.requires_python == "<4.0,>=3.9"


ENVIRONMENT_ROWS = rows("`environment.yml`")


@pytest.mark.parametrize(("written", "said"), ENVIRONMENT_ROWS)
def test_conda_s_file(root: Path, written: str, said: str) -> None:
    (root / "environment.yml").write_text(f"dependencies:\n  {written}\n")
    others = {"requirements": "environment.yml"}
    if said != "refused":
        spec = read_spec(root, **others)
        assert texts(spec) == {"- pip: [rich>=13]": ["rich>=13"], '- pip: ["-r more.txt"]': ["idna"]}.get(written, [])
        return
    judge(root, "environment.yml", said, **others)


def a_lock(name: str, content: str) -> Callable[[Path], bool]:
    def is_taken(root: Path) -> bool:
        (root / name).write_text(content)
        if name != "Pipfile.lock":
            (root / "pyproject.toml").write_text(UV)
        (root / "requirements.txt").write_text("idna\n")
        spec = read_spec(root)
        assert "idna" in texts(spec)
        return spec.lock_file == root / name

    return is_taken


def is_read(files: dict[str, str], wanted: list[str], **others: object) -> Callable[[Path], bool]:
    def check(root: Path) -> bool:
        for name, content in files.items():
            (root / name).write_text(content)
        return [Requirement(text).name for text in texts(read_spec(root, **others))] == wanted  # type: ignore[arg-type]

    return check


def is_refused(name: str, words: str, *, is_named: bool = True, content: str = "x: 1\n") -> Callable[[Path], bool]:
    def check(root: Path) -> bool:
        (root / name).write_text(content)
        hints = []
        for named in (name, None) if is_named else (None,):
            with pytest.raises(InputError) as caught:
                read_spec(root, requirements=named)
            hints.append(caught.value.hint or "")
        assert read_spec(root, requirements=[]).requirements == ()
        assert len(read_spec(root, packages=["six"]).requirements) == 1
        return all(words in hint for hint in hints)

    return check


SETUP = 'from setuptools import setup\nsetup(name="old", install_requires=["six"])\n'
FILES: dict[str, Callable[[Path], bool]] = {
    "pylock.toml": a_lock("pylock.toml", 'lock-version = "1.0"\ncreated-by = "x"\npackages = []\n'),
    "uv.lock": a_lock("uv.lock", "version = 1\n"),
    "poetry.lock": a_lock("poetry.lock", ""),
    "pdm.lock": a_lock("pdm.lock", ""),
    "Pipfile.lock": a_lock("Pipfile.lock", json.dumps({"_meta": {"requires": {"python_version": "3.11"}}})),
    "Pipfile": is_refused("Pipfile", "pipenv lock"),
    "requirements.in": is_refused("requirements.in", "-o requirements.txt requirements.in", is_named=False),
    "pyproject.toml": is_read({"pyproject.toml": UV, "requirements.txt": "idna\n"}, ["idna", "six"]),
    "requirements.txt": is_read({"requirements.txt": "idna\n"}, ["idna"]),
    "setup.py": is_read({"setup.py": SETUP}, ["old"]),
    "environment.yml": is_read({"environment.yml": "dependencies: [{pip: [idna]}]\n"}, ["idna"]),
    "requirements-prod.txt": is_refused(
        "requirements-prod.txt", "name it: -r requirements-prod.txt", is_named=False, content="six\n"
    ),
    "pixi.toml": is_refused("pixi.toml", "pixi workspace export conda-environment environment.yml"),
    "conda-lock.yml": is_refused("conda-lock.yml", "environment.yml"),
}


def test_every_file_of_the_page_is_tried() -> None:
    assert [file for file, _ in rows("Which files are read")] == list(FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_file(root: Path, file: str) -> None:
    assert FILES[file](root)


def test_what_an_old_project_needs_is_not_left_out(root: Path) -> None:
    options = "[options]\ninstall_requires =\n  six\n"
    assert is_refused("setup.cfg", "[build-system]", is_named=False, content=options)(root)


@pytest.mark.parametrize(
    "others",
    [
        {"setup.cfg": "[flake8]\nmax-line-length = 9\n"},
        {"setup.cfg": "[flake8]\nmax-line-length = 9\n", "pyproject.toml": "[tool.ruff]\nline-length = 9\n"},
        {"Pipfile": "", "requirements.txt": ""},
        {"Pipfile": "", "pyproject.toml": "[project]\nname = 'x'\nversion = '1'\n"},
        {"Pipfile": "", "imagekit.toml": "requirements = []\n"},
    ],
)
def test_a_project_that_needs_nothing_is_built(root: Path, others: dict[str, str]) -> None:
    for name, text in others.items():
        (root / name).write_text(text)
    assert read_spec(root).requirements == ()


def test_a_pipfile_beside_tables_of_tools_alone_is_refused(root: Path) -> None:
    (root / "pyproject.toml").write_text("[tool.ruff]\nline-length = 99\n")
    assert is_refused("Pipfile", "pipenv lock")(root)


def test_the_tables_are_found() -> None:
    assert (len(UV_ROWS), len(POETRY_ROWS), len(ENVIRONMENT_ROWS)) == (32, 20, 11)
    assert {said for _, said in (*UV_ROWS, *POETRY_ROWS, *ENVIRONMENT_ROWS)} == {"taken", "refused", "passed"}
